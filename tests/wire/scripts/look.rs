//! All tables of a schema, as somebody sees them who is connected to the server itself.

use anyhow::Result;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

use super::hear::text_of;

/// A table's definition and rows, in lines. The order of rows is a matter for `SELECT`s in the scripts: which index a server
/// reads a whole table by is its own affair.
pub(super) async fn look(conn: &mut Conn, schema: &str) -> Result<Vec<String>> {
    let names = format!(
        "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = '{schema}' ORDER BY 1"
    );
    let tables: Vec<String> = conn.query(names).await?;
    let mut seen = Vec::new();
    for table in tables {
        let name = format!("`{schema}`.`{}`", table.replace('`', "``"));
        seen.push(format!("{name}:"));
        seen.extend(answered(conn, &format!("SHOW CREATE TABLE {name}")).await?);
        let columns = columns(conn, schema, &table).await?;
        let mut rows = answered(conn, &format!("SELECT {columns} FROM {name}")).await?;
        rows.sort();
        seen.extend(rows);
    }
    Ok(seen)
}

/// The table's columns as a list, those that `*` leaves out among them.
async fn columns(conn: &mut Conn, schema: &str, table: &str) -> Result<String> {
    let sql = "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
               WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";
    let names: Vec<String> = conn.exec(sql, (schema, table)).await?;
    if names.is_empty() {
        return Ok("*".to_owned());
    }
    let quoted = names.iter().map(|name| format!("`{}`", name.replace('`', "``")));
    Ok(quoted.collect::<Vec<_>>().join(", "))
}

/// The rows, or the error: a view may have lost its table.
async fn answered(conn: &mut Conn, sql: &str) -> Result<Vec<String>> {
    match conn.query::<Row, _>(sql).await {
        Ok(rows) => Ok(rows.iter().map(text_of).collect()),
        Err(Error::Server(error)) => Ok(vec![error.to_string()]),
        Err(error) => Err(error.into()),
    }
}
