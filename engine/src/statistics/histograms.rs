//! MySQL's histograms, one for each column that the owner has asked one for.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::binlog::OWN_COMMENT;
use crate::ident::quoted_text;
use crate::plan::Plan;
use crate::{Ident, Result, TableName};

/// A histogram as the server shows it, which is also how it takes one.
struct Histogram {
    column: Ident,
    data: String,
}

/// Gives the ghost the source's histograms.
pub(super) async fn carry_over(conn: &mut Conn, source: &TableName, ghost: &TableName) -> Result<()> {
    for Histogram { column, data } in of(conn, source).await? {
        put(conn, ghost, &column, &data).await?;
    }
    Ok(())
}

/// Brings the ghost's histograms to what the source's are now. Columns that the change has left without stay without.
pub(super) async fn refresh(conn: &mut Conn, plan: &Plan) -> Result<()> {
    let now = of(conn, plan.source_name()).await?;
    let known = of(conn, plan.ghost_name()).await?;
    for Histogram { column, data } in now {
        let Some(column) = plan.mapping.ghost_of(&column) else {
            continue;
        };
        let mut known = known.iter();
        if known.any(|known| known.column.same_column(column) && known.data != data) {
            put(conn, plan.ghost_name(), column, &data).await?;
        }
    }
    Ok(())
}

async fn of(conn: &mut Conn, table: &TableName) -> Result<Vec<Histogram>> {
    let sql = format!(
        "SELECT column_name, CAST(histogram AS CHAR) FROM information_schema.column_statistics \
         WHERE schema_name={} AND table_name={}",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str())
    );
    let rows: Vec<(String, String)> = conn.query(sql).await?;
    let histogram = |(column, data): (String, String)| Histogram {
        column: Ident::new(column),
        data,
    };
    Ok(rows.into_iter().map(histogram).collect())
}

/// The server says in a row, and not by an error, why it does not take one (8.0.31 was the first that took any).
async fn put(conn: &mut Conn, table: &TableName, column: &Ident, data: &str) -> Result<()> {
    // A literal in hexadecimal digits is no text here. Our sessions take a backslash for an escape.
    let data = data.replace('\\', "\\\\").replace('\'', "''");
    let sql = format!("ANALYZE TABLE {table} UPDATE HISTOGRAM ON {column} USING DATA '{data}' {OWN_COMMENT}");
    let said: Vec<(String, String, String, String)> = conn.query(sql).await?;
    for (_, _, kind, text) in said {
        if kind.eq_ignore_ascii_case("error") {
            tracing::info!(%table, %column, text, "a histogram is not carried over");
        }
    }
    Ok(())
}
