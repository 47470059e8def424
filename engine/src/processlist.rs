//! The sessions of the server, as `SHOW FULL PROCESSLIST` lists them.
//!
//! # Why not by SELECT
//! On MySQL every SELECT from `information_schema.processlist` or `innodb_trx` is error 3854 for as long as any session
//! runs a statement whose text is not valid UTF-8: a prepared statement with a BINARY value is enough (measured on 9.7).
//! SHOW has no such limit.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::Result;

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its connection id.
    pub(crate) id: u64,
    /// Its account's name.
    pub(crate) user: String,
    /// `Query`, `Execute`, `Sleep`, …
    pub(crate) command: String,
    /// For how long it has been in its state, in seconds.
    pub(crate) seconds: u64,
    /// What it is doing or waiting for.
    pub(crate) state: String,
    /// Its statement; what is not UTF-8 in it is replaced.
    pub(crate) info: String,
}

impl Process {
    /// Whether a statement of its is running.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.command.as_str(), "Query" | "Execute")
    }
}

/// All sessions the account may see: with the PROCESS privilege, all there are.
///
/// # Errors
/// Those of the statement.
pub(crate) async fn processes(conn: &mut Conn) -> Result<Vec<Process>> {
    let rows: Vec<Row> = conn.query("SHOW FULL PROCESSLIST").await?;
    Ok(rows.into_iter().filter_map(process).collect())
}

fn process(mut row: Row) -> Option<Process> {
    Some(Process {
        id: row.take("Id")?,
        user: text(&mut row, "User"),
        command: text(&mut row, "Command"),
        // A session that waits for its clock to be set right may show a negative time.
        seconds: row.take_opt::<u64, _>("Time").and_then(Result::ok).unwrap_or(0),
        state: text(&mut row, "State"),
        info: text(&mut row, "Info"),
    })
}

fn text(row: &mut Row, column: &str) -> String {
    let bytes: Option<Option<Vec<u8>>> = row.take(column);
    String::from_utf8_lossy(&bytes.flatten().unwrap_or_default()).into_owned()
}
