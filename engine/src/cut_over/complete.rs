//! Finishes a swap that was interrupted when the tables were swapped and not all triggers had followed.
//!
//! The new table does meanwhile what it has to ([`super::handover`]), so there is no hurry: each attempt is as
//! careful of the application as one at the swap is.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use super::handover::Standing;
use super::request::Request;
use super::{Patience, TrafficGate, Where, handover, look, quiet, sessions};
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
        let mut lock = self.upstream.control().await?;
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
        let table = Table::load(&mut control, self.source).await?;
        let mut in_use = vec![self.source.clone()];
        in_use.extend(
            triggers::neighbours(&mut control, &table)
                .await
                .unwrap_or_default(),
        );
        let gate = self.gate.watch(&in_use);
        // Whoever stays too long is waited for, but not for ever: then the budget bounds what it costs.
        let flavor = self.upstream.flavor();
        let quiet = async {
            loop {
                let others = quiet::in_the_way(&mut control, flavor, &in_use, self.budget).await?;
                if others.sessions.is_empty() && gate.longest_stay() <= self.budget {
                    return Ok::<(), Error>(());
                }
                tokio::time::sleep(BETWEEN_CHECKS).await;
            }
        };
        if let Ok(done) = timeout(patience, quiet).await {
            done?;
        }
        let locked = [self.source.clone(), names::last(self.source)];
        let request = Request {
            flavor,
            locked: &locked,
            in_use: &in_use,
            budget: self.budget,
        };
        let closed = gate.close();
        let id = lock.id();
        let handed_over = async {
            let taken = request.take(&mut lock, &mut control, closed.as_ref(), attempts);
            timeout(self.budget, taken)
                .await
                .map_err(|_| late("the locks"))??;
            let handed_over = async {
                let standing = Standing::found(&mut lock, self.source).await?;
                handover::hand_over(&mut lock, self.source, triggers, standing).await
            };
            timeout(LONGEST_REST, handed_over)
                .await
                .map_err(|_| late("the triggers"))??;
            Ok(lock.query_drop("UNLOCK TABLES").await?)
        };
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
}

fn late(what: &str) -> Error {
    Error::Transient(mysql_async::Error::Other(format!("{what} took too long").into()))
}
