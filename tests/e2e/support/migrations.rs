//! What `SHOW MIGRATIONS` says, and what migrations must not leave behind.

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::eventually;

/// One row of `SHOW MIGRATIONS`.
#[derive(Clone, Debug)]
pub(crate) struct Migration {
    /// Its number.
    pub(crate) id: u64,
    /// `schema.table`.
    pub(crate) table: String,
    /// The client's statement.
    pub(crate) statement: String,
    /// Which way it was taken.
    pub(crate) way: String,
    /// Why it was left to the server.
    pub(crate) reason: Option<String>,
    /// Where it stands.
    pub(crate) phase: String,
    /// How much is done.
    pub(crate) percent: f64,
    /// Rows written by the row copy.
    pub(crate) rows_copied: u64,
    /// How it ended, where it ended badly.
    pub(crate) message: Option<String>,
}

impl Migration {
    /// Whether the altered table is in place.
    pub(crate) fn succeeded(&self) -> bool {
        matches!(self.phase.as_str(), "swapped" | "done")
    }
}

/// All migrations, newest first; what the server did itself is left out.
pub(crate) async fn migrations(conn: &mut Conn) -> Result<Vec<Migration>> {
    let mut changes = changes(conn).await?;
    changes.retain(|change| change.way == "ghost");
    Ok(changes)
}

/// All schema changes, newest first.
pub(crate) async fn changes(conn: &mut Conn) -> Result<Vec<Migration>> {
    let rows: Vec<Row> = conn.query("SHOW MIGRATIONS").await.context("SHOW MIGRATIONS")?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Migration> {
    let text = |name: &str| -> Result<Option<String>> {
        row.get_opt(name)
            .with_context(|| format!("SHOW MIGRATIONS has no column {name}"))?
            .context("not a text")
    };
    let given = |name: &str| text(name)?.with_context(|| format!("{name} is NULL"));
    Ok(Migration {
        id: given("id")?.parse()?,
        table: given("table")?,
        statement: given("statement")?,
        way: given("way")?,
        reason: text("reason")?,
        phase: given("phase")?,
        percent: given("percent")?.parse()?,
        rows_copied: given("rows_copied")?.parse()?,
        message: text("message")?,
    })
}

/// Waits until no schema of a migration is left; `conn` is a connection to the server itself.
pub(crate) async fn nothing_left(conn: &mut Conn) -> Result<()> {
    let sql = "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
               WHERE schema_name LIKE '%\\_\\_ghost' OR schema_name LIKE '%\\_\\_old'";
    let mut left: Vec<String> = Vec::new();
    let gone = eventually("the schemas of migrations are gone", async || {
        left = conn.query(sql).await?;
        Ok(left.is_empty().then_some(()))
    })
    .await;
    gone.with_context(|| left.join(", "))
}
