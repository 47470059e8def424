//! The tables that a lock on a table locks, too.
//!
//! The server locks, with a table, what its triggers use and what its foreign keys lead to. Which tables these are it
//! finds out for every statement that writes; so it is asked, by statements that are only explained, which locks it
//! takes for them.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::table::Table;
use crate::{Error, Result, TableName};

const LOCKED: &str = "SELECT DISTINCT object_schema, object_name FROM performance_schema.metadata_locks \
     WHERE owner_thread_id = PS_CURRENT_THREAD_ID() AND object_type = 'TABLE' \
     AND object_schema NOT IN ('performance_schema', 'information_schema', 'mysql', 'sys')";

/// The tables that are locked with `table`, itself not among them.
///
/// # Errors
/// [`Error::Refused`] where the server does not show its metadata locks, or a statement cannot be explained because something
/// that a trigger needs is not there; those of the connection.
pub(crate) async fn neighbours(conn: &mut Conn, table: &Table) -> Result<Vec<TableName>> {
    let mut found = Vec::new();
    conn.query_drop("SET SESSION sql_safe_updates=0").await?;
    for statement in writing(table) {
        conn.query_drop("START TRANSACTION").await?;
        let locked = locked_by(conn, &statement).await;
        conn.query_drop("ROLLBACK").await?;
        found.extend(locked.map_err(|error| match error {
            Error::Answer(server) => Error::refused(format!(
                "the server does not say what is locked with the table: {}",
                server.message
            )),
            other => other,
        })?);
    }
    if !found.contains(&table.name) {
        return Err(Error::refused("the server does not show its metadata locks"));
    }
    found.retain(|name| *name != table.name);
    found.sort();
    found.dedup();
    Ok(found)
}

async fn locked_by(conn: &mut Conn, statement: &str) -> Result<Vec<TableName>> {
    conn.query_drop(format!("EXPLAIN {statement}")).await?;
    let rows: Vec<(String, String)> = conn.query(LOCKED).await?;
    let names = rows.into_iter();
    Ok(names
        .map(|(schema, table)| TableName::new(schema, table))
        .collect())
}

/// One statement of each kind that writes.
fn writing(table: &Table) -> Vec<String> {
    let name = &table.name;
    let column = table.columns.iter().find(|column| column.generated.is_none());
    let update = column.map(|column| format!("UPDATE {name} SET {0}={0}", column.name));
    let others = [
        format!("INSERT IGNORE INTO {name} () VALUES ()"),
        format!("DELETE FROM {name}"),
    ];
    others.into_iter().chain(update).collect()
}
