//! MariaDB's engine-independent statistics, which ANALYZE … PERSISTENT collects. The owner may write to their tables.
//!
//! The server forgets them with each key that is dropped, and with each column whose definition is changed in some ways. So what
//! it has left of them when it altered the ghost is kept aside, before anything of the ghost is put off, until it is whole again.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row};

use crate::binlog::OWN_COMMENT;
use crate::ident::quoted_text;
use crate::{Result, TableName};

/// The tables, and their columns behind the table's name.
const TABLES: [(&str, &str); 3] = [
    ("table_stats", "cardinality"),
    (
        "column_stats",
        "column_name, min_value, max_value, nulls_ratio, avg_length, avg_frequency, hist_size, hist_type, histogram",
    ),
    ("index_stats", "index_name, prefix_arity, avg_frequency"),
];

/// Gives one table what is known of another.
pub(super) async fn copy(conn: &mut Conn, from: &TableName, to: &TableName) -> Result<()> {
    for (statistics, columns) in TABLES {
        copy_one(conn, (from, to), (statistics, columns)).await?;
    }
    Ok(())
}

/// Forgets what is known of a table.
pub(super) async fn forget(conn: &mut Conn, table: &TableName) -> Result<()> {
    for (statistics, _) in TABLES {
        let known: Option<u8> = conn
            .query_first(format!(
                "SELECT 1 FROM mysql.{statistics} WHERE {} LIMIT 1",
                of(table)
            ))
            .await?;
        if known.is_some() {
            let sql = format!("DELETE FROM mysql.{statistics} WHERE {} {OWN_COMMENT}", of(table));
            conn.query_drop(sql).await?;
        }
    }
    Ok(())
}

fn of(table: &TableName) -> String {
    format!(
        "db_name={} AND table_name={}",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str()),
    )
}

/// Through us: the server does not read and write these tables in one statement.
async fn copy_one(
    conn: &mut Conn,
    (from, to): (&TableName, &TableName),
    (statistics, columns): (&str, &str),
) -> Result<()> {
    let select = format!("SELECT {columns} FROM mysql.{statistics} WHERE {}", of(from));
    let rows: Vec<Row> = conn.query(select).await?;
    // Where there is nothing to write, nobody is asked whether the account may.
    if rows.is_empty() {
        return Ok(());
    }
    let places = "?, ".repeat(columns.split(',').count());
    let replace = format!(
        "REPLACE INTO mysql.{statistics} ({columns}, db_name, table_name) VALUES ({places}{}, {}) {OWN_COMMENT}",
        quoted_text(to.schema.as_str()),
        quoted_text(to.table.as_str()),
    );
    let values = rows.into_iter().map(|row| Params::Positional(row.unwrap()));
    Ok(conn.exec_batch(replace, values).await?)
}
