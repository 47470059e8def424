//! Which process works on a table: the one that holds its advisory lock in the upstream.
//!
//! The lock lives as long as its connection, so a process that dies gives it up by dying. Losing it is not a
//! danger to the data — every write of the engine copies the source's present truth under a lock, whoever
//! does it, and only one swap can find the ghost — but two processes would do the work twice.
//!
//! The lock goes with its owner, but the statements the owner was running do not: the server brings them to their end. What
//! such a statement creates, alters or renames would come under the hands of whoever looked before, so they are waited for.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::binlog::OWN_COMMENT;
use crate::ident::quoted_text;
use crate::processlist::processes;
use crate::session::Upstream;
use crate::{Result, TableName};

/// Shorter than any sensible `wait_timeout`.
const KEEP_INTERVAL: Duration = Duration::from_secs(30);

/// The advisory lock on one table, held by a connection of its own.
#[derive(Debug)]
pub(super) struct Ownership {
    conn: Conn,
}

impl Ownership {
    /// Takes the lock on `table`, or `None` when another process has it.
    ///
    /// # Errors
    /// Those of connecting and of the statement.
    pub(super) async fn take(upstream: &Upstream, table: &TableName) -> Result<Option<Self>> {
        let mut conn = upstream.control().await?;
        let full_name = format!("{}.{}", table.schema.as_str(), table.table.as_str());
        // A lock's name has 64 characters at most, a table's full name up to 129: hence the digest.
        let query = format!(
            "SELECT GET_LOCK(CONCAT('alterego:', LEFT(SHA2({}, 256), 48)), 0)",
            quoted_text(&full_name)
        );
        let taken: Option<Option<i64>> = conn.query_first(query).await?;
        Ok((taken == Some(Some(1))).then_some(Self { conn }))
    }

    /// Whether the server still runs a statement by which an earlier owner, or an earlier attempt of this one, changes the
    /// definition of the table or of what belongs to it. Those that only write rows do not matter: they write what is true.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn inherits_a_statement(&mut self, table: &TableName) -> Result<bool> {
        let name = table.table.to_string();
        let sessions = processes(&mut self.conn).await?;
        Ok(sessions.iter().any(|session| {
            session.is_running() && session.info.contains(OWN_COMMENT) && session.info.contains(&name)
        }))
    }

    /// Keeps the lock's connection from idling out, for as long as it is polled.
    pub(super) async fn keep(&mut self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(KEEP_INTERVAL).await;
            if let Err(error) = self.conn.ping().await {
                tracing::warn!(%error, "the advisory lock on the table is lost; the migration goes on");
                std::future::pending::<()>().await;
            }
        }
    }

    /// Gives the lock up; it is free when this returns, unless the connection was lost.
    pub(super) async fn release(mut self) {
        // It would go with the connection, too, but only once the server has noticed.
        let released = match self.conn.query_drop("DO RELEASE_ALL_LOCKS()").await {
            Ok(()) => self.conn.disconnect().await,
            lost => lost,
        };
        if let Err(error) = released {
            tracing::debug!(%error, "the ownership connection ended");
        }
    }
}
