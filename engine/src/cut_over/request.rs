//! How the table locks are asked for: without ever standing in the way of a transaction, as long as that is possible.
//!
//! A *waiting* request for a table lock holds up every later statement on the table, and kills: a transaction that has
//! read the table and now writes it waits for the request, which waits for that transaction, and the server answers the
//! transaction with 1213. So no request may wait while a transaction has to do with the table.
//! * The gate is closed and drained first: of the sessions that come through it none has to do with the table.
//! * For the others the server is asked. MariaDB grants locks now or never (`NOWAIT`); MySQL has no such request, but shows
//!   who holds a metadata lock.
//!
//! Where traffic past the gate never pauses, that finds no moment. So after [`POLITE_ATTEMPTS`] attempts the request does
//! wait, for the second half of the budget, as every tool without a gate does from the start.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::Instant;

use super::ClosedGate;
use crate::error::LOCK_WAIT_TIMEOUT;
use crate::ident::quoted_text;
use crate::{Flavor, Result, TableName};

/// So many attempts find nobody in the way or give up.
const POLITE_ATTEMPTS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// A request for table locks.
pub(super) struct Request<'a> {
    pub(super) flavor: Flavor,
    /// The tables to be locked.
    pub(super) locked: &'a [TableName],
    /// Those of them that others use, and what the server locks with them.
    pub(super) in_use: &'a [TableName],
    /// The longest pause of the application.
    pub(super) budget: Duration,
}

impl Request<'_> {
    /// Takes the locks. Bounded by whoever calls: it may wait for as long as somebody is in the way.
    pub(super) async fn take(
        &self,
        lock: &mut Conn,
        control: &mut Conn,
        gate: &dyn ClosedGate,
        attempts: u32,
    ) -> Result<()> {
        let insists_at = (attempts > POLITE_ATTEMPTS).then(|| Instant::now() + self.budget / 2);
        let insists = || insists_at.is_some_and(|at| Instant::now() >= at);
        // Whoever has come in by one of several tables may want the next one, which this request would hold already.
        let one_table = self.in_use.len() == 1;
        wait_for(gate, insists_at.filter(|_| one_table)).await;
        tracing::debug!(tables = ?self.in_use, "the gate is drained");
        match self.flavor {
            Flavor::MySql => {
                while !insists() && self.is_any_held(control).await {
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
            }
            Flavor::MariaDb => {
                while !insists() {
                    match self.lock(lock, " NOWAIT").await {
                        Err(error) if error.server().is_some_and(|e| e.code == LOCK_WAIT_TIMEOUT) => {
                            tokio::time::sleep(BETWEEN_LOOKS).await;
                        }
                        other => return other,
                    }
                }
            }
        }
        self.lock(lock, "").await
    }

    async fn lock(&self, lock: &mut Conn, patience: &str) -> Result<()> {
        let tables: Vec<String> = self.locked.iter().map(|name| format!("{name} WRITE")).collect();
        let sql = format!("LOCK TABLES {}{patience}", tables.join(", "));
        Ok(lock.query_drop(sql).await?)
    }

    /// Whether any session has to do with one of the tables (MySQL). Where the server does not show it, nobody is known to.
    async fn is_any_held(&self, control: &mut Conn) -> bool {
        let names: Vec<String> = self.in_use.iter().map(quoted_pair).collect();
        let sql = format!(
            "SELECT 1 FROM performance_schema.metadata_locks \
             WHERE object_type = 'TABLE' AND (object_schema, object_name) IN ({}) LIMIT 1",
            names.join(", ")
        );
        let held: mysql_async::Result<Option<u8>> = control.query_first(sql).await;
        held.is_ok_and(|held| held.is_some())
    }
}

/// A table as a row of its schema's name and its own.
pub(super) fn quoted_pair(name: &TableName) -> String {
    let (schema, table) = (
        quoted_text(name.schema.as_str()),
        quoted_text(name.table.as_str()),
    );
    format!("({schema}, {table})")
}

async fn wait_for(gate: &dyn ClosedGate, until: Option<Instant>) {
    match until {
        // Whether it was in time is looked at by the caller.
        Some(until) => drop(tokio::time::timeout_at(until, gate.drained()).await),
        None => gate.drained().await,
    }
}
