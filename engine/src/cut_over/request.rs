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

use super::sessions::Sessions;
use super::{ClosedGate, Context};
use crate::error::LOCK_WAIT_TIMEOUT;
use crate::ident::quoted_text;
use crate::{Flavor, Result, TableName, names};

/// So many attempts find nobody in the way or give up.
const POLITE_ATTEMPTS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Takes the locks, that of the sentry too if the tables are to be swapped. Bounded by whoever calls: it may wait for as
/// long as somebody is in the way.
pub(super) async fn lock_tables(
    context: &Context,
    sessions: &mut Sessions,
    gate: &dyn ClosedGate,
    attempts: u32,
    swaps: bool,
) -> Result<()> {
    let insists_at = (attempts > POLITE_ATTEMPTS).then(|| Instant::now() + context.budget / 2);
    let insists = || insists_at.is_some_and(|at| Instant::now() >= at);
    wait_for(gate, insists_at).await;
    tracing::debug!(table = %context.plan.source_name(), "the gate is drained");
    match context.upstream.flavor() {
        Flavor::MySql => {
            while !insists() && is_held(&mut sessions.control, context.plan.source_name()).await {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        }
        Flavor::MariaDb => {
            while !insists() {
                match take(context, &mut sessions.lock, swaps, " NOWAIT").await {
                    Err(error) if error.server().is_some_and(|e| e.code == LOCK_WAIT_TIMEOUT) => {
                        tokio::time::sleep(BETWEEN_LOOKS).await;
                    }
                    other => return other,
                }
            }
        }
    }
    take(context, &mut sessions.lock, swaps, "").await
}

async fn wait_for(gate: &dyn ClosedGate, until: Option<Instant>) {
    match until {
        // Whether it was in time is looked at by the caller.
        Some(until) => drop(tokio::time::timeout_at(until, gate.drained()).await),
        None => gate.drained().await,
    }
}

async fn take(context: &Context, lock: &mut Conn, swaps: bool, patience: &str) -> Result<()> {
    let (source, ghost) = (context.plan.source_name(), context.plan.ghost_name());
    let sentry = match context.upstream.flavor() {
        Flavor::MariaDb if swaps => format!(", {} WRITE", names::old(source)),
        Flavor::MySql | Flavor::MariaDb => String::new(),
    };
    let sql = format!("LOCK TABLES {source} WRITE, {ghost} WRITE{sentry}{patience}");
    Ok(lock.query_drop(sql).await?)
}

/// Whether any session has to do with the table (MySQL). Where the server does not show it, nobody is known to.
async fn is_held(control: &mut Conn, table: &TableName) -> bool {
    let sql = format!(
        "SELECT 1 FROM performance_schema.metadata_locks \
         WHERE object_type = 'TABLE' AND object_schema = {} AND object_name = {} LIMIT 1",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str()),
    );
    let held: mysql_async::Result<Option<u8>> = control.query_first(sql).await;
    held.is_ok_and(|held| held.is_some())
}
