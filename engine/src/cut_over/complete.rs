//! Finishes a swap that was interrupted when the tables were swapped and not all triggers had followed.
//!
//! The new table does meanwhile what it has to ([`super::handover`]), so there is no hurry: each attempt is as
//! careful of the application as one at the swap is.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use super::handover::Standing;
use super::request::Request;
use super::{ClosedGate, Patience, TrafficGate, WatchedGate, Where, handover, look, quiet, sessions};
use crate::session::Upstream;
use crate::table::Table;
use crate::triggers::{self, Trigger};
use crate::{Error, Result, TableName, names};

/// The steps that are left take milliseconds each; what is not done by then is the next attempt's.
const LONGEST_REST: Duration = Duration::from_secs(2);
const BETWEEN_CHECKS: Duration = Duration::from_millis(50);

/// What a swap was interrupted at.
pub struct Rest<'a> {
    /// The server.
    pub upstream: &'a Upstream,
    /// Holds the application's statements.
    pub gate: &'a dyn TrafficGate,
    /// The table.
    pub source: &'a TableName,
    /// The longest wait for the locks.
    pub budget: Duration,
}

/// Brings the swap to its end, in as many attempts as it takes. `triggers` is what the record says of them.
///
/// # Errors
/// [`Error::OutcomeUnknown`] if the server was started again, or the tables are not where a swap could leave them.
pub async fn complete(rest: &Rest<'_>, triggers: &str) -> Result<()> {
    rest.complete(&triggers::read(triggers)?).await
}

impl Rest<'_> {
    pub(super) async fn complete(&self, triggers: &[Trigger]) -> Result<()> {
        let mut patience = Patience::new();
        for attempts in 1.. {
            let error = match self.attempt(triggers, attempts, patience.with_others).await {
                Ok(()) => return Ok(()),
                Err(error @ (Error::OutcomeUnknown(_) | Error::Fatal(_))) => return Err(error),
                Err(error) => error,
            };
            tracing::warn!(
                table = %self.source, attempts, %error,
                "the table is altered, and not all of its triggers have their names again; trying again"
            );
            tokio::time::sleep(patience.next_pause()).await;
        }
        Ok(())
    }

    async fn attempt(&self, triggers: &[Trigger], attempts: u32, patience: Duration) -> Result<()> {
        let mut control = self.upstream.control().await?;
        match look(&mut control, self.source).await? {
            Where::Swapped => return Ok(()),
            Where::Unfinished => {}
            other => {
                return Err(Error::OutcomeUnknown(format!(
                    "its triggers are to follow the table, and the tables are {other:?}"
                )));
            }
        }
        let in_use = self.in_use(&mut control).await?;
        let gate = self.gate.watch(&in_use);
        // Whoever stays too long is waited for, but not for ever: then the budget bounds what it costs.
        match timeout(patience, self.quiet(&mut control, gate.as_ref(), &in_use)).await {
            Ok(quiet) => quiet?,
            // What was asked last may be unanswered on it.
            Err(_) => control = self.upstream.control().await?,
        }
        let mut lock = self.upstream.control().await?;
        let id = lock.id();
        let closed = gate.close();
        let handed_over = self.hand_over(
            &mut lock,
            &mut control,
            closed.as_ref(),
            &in_use,
            triggers,
            attempts,
        );
        if let Err(error) = handed_over.await {
            // Nobody may come in while a request for the locks waits, or they are held.
            drop((lock, control));
            let mut control = self.upstream.control().await?;
            sessions::end(&mut control, &[id]).await?;
            return Err(error);
        }
        drop(closed);
        handover::move_last(&mut lock, self.source).await
    }

    /// The table and what the server locks with it, as far as it says.
    async fn in_use(&self, control: &mut Conn) -> Result<Vec<TableName>> {
        let table = Table::load(control, self.source).await?;
        let neighbours = triggers::neighbours(control, &table).await;
        let mut in_use = vec![self.source.clone()];
        in_use.extend(neighbours.unwrap_or_default());
        Ok(in_use)
    }

    /// Returns when nobody is known to hold the tables for long.
    async fn quiet(&self, control: &mut Conn, gate: &dyn WatchedGate, in_use: &[TableName]) -> Result<()> {
        let flavor = self.upstream.flavor();
        loop {
            let others = quiet::in_the_way(control, flavor, in_use, self.budget).await?;
            if others.sessions.is_empty() && gate.longest_stay() <= self.budget {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN_CHECKS).await;
        }
    }

    /// With the gate closed.
    async fn hand_over(
        &self,
        lock: &mut Conn,
        control: &mut Conn,
        closed: &dyn ClosedGate,
        in_use: &[TableName],
        triggers: &[Trigger],
        attempts: u32,
    ) -> Result<()> {
        let locked = [self.source.clone(), names::last(self.source)];
        let request = Request {
            flavor: self.upstream.flavor(),
            locked: &locked,
            in_use,
            budget: self.budget,
        };
        let taken = timeout(self.budget, request.take(lock, control, closed, attempts));
        taken.await.map_err(|_| late("the locks"))??;
        let handed_over = async {
            let standing = Standing::found(lock, self.source).await?;
            handover::hand_over(lock, self.source, triggers, standing).await?;
            Ok(lock.query_drop("UNLOCK TABLES").await?)
        };
        let done = timeout(LONGEST_REST, handed_over).await;
        done.map_err(|_| late("the triggers"))?
    }
}

fn late(what: &str) -> Error {
    Error::Transient(mysql_async::Error::Other(format!("{what} took too long").into()))
}
