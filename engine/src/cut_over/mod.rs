//! The cut-over: the ghost takes the source's place, in one RENAME that nobody can look into the middle of.
//!
//! # Why no write is lost
//! 1. The table locks are granted only after every transaction that wrote to the source has ended, and a session gives
//!    its metadata locks back after its commit is complete, through the wait for a semi-sync replica too. So every
//!    write the source will ever have seen is in the binary log before the position is read under the lock.
//! 2. Everything through that position is reconciled by the session that holds the locks, before it renames.
//! 3. MySQL: the same session renames, under its locks. MariaDB forbids that; there another session's RENAME waits for
//!    the locks, and it is shown to wait for the *source's* before the locks are given back. A waiting exclusive request
//!    goes before every later one and before the writers that wait already, so nothing writes in between. RENAME
//!    requests its locks in name order, so it must be the source whose name sorts first (see [`crate::names`]).
//! 4. If MariaDB's locks are lost early, because their session dies, RENAME must not go on. It cannot: a sentry
//!    table stands at the name the source would be moved to, and only the locking session removes it, after
//!    the drain and after the proof.
//! 5. Nor may another statement that wants the source for itself (TRUNCATE, RENAME) stand between the locks and RENAME on
//!    MariaDB, for it would go first, and RENAME would undo it. One that came before RENAME is found in the process list
//!    once RENAME waits, and the attempt is given up; one that comes later waits behind RENAME.
//!
//! A table with triggers takes more than one RENAME (see `handover`); what is said here holds for the one that swaps.
//!
//! # Why the application only sees a pause
//! No attempt is made while a session is known to hold the table for long. The gate is closed and drained and the applier
//! at rest before the locks are requested, so the request hardly ever waits (see `request`). At the end of the budget the
//! sessions are killed, the gate is opened, and another attempt follows later. A killed attempt changes nothing:
//! reconciling again is idempotent.

mod attempt;
mod auto_increment;
mod complete;
mod gate;
mod handover;
mod look;
mod quiet;
mod request;
mod rivals;
mod sessions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::RngExt;
use tokio::sync::watch;

use self::attempt::Attempt;
use self::look::SENTRY_COMMENT;
use crate::binlog::OWN_COMMENT;
use crate::cancel::asked_to_end;
use crate::counters::Counters;
use crate::failpoint::{self, Failpoint};
use crate::follower::Follower;
use crate::old_table::drop_table;
use crate::plan::Plan;
use crate::session::Upstream;
use crate::triggers::{self, Description, Trigger};
use crate::verify::{Verified, interrupted};
use crate::{Error, Flavor, Result, TableName, names, slowpoint};

pub use complete::{Rest, complete};
pub use gate::{ClosedGate, NoGate, TrafficGate, WatchedGate};
pub use handover::undo;
pub use look::{Where, finish, leftover, look, remove_sentry};
pub(crate) use sessions::kill_query;

/// The longest pause of the application in one attempt, unless configured otherwise.
pub const DEFAULT_BUDGET: Duration = Duration::from_millis(250);

/// Changes outstanding at which an attempt is worth it: a few batches.
const SMALL_BACKLOG: usize = 500;
const BETWEEN_CHECKS: Duration = Duration::from_millis(20);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Sessions that may hold other tables only are waited for at most this long.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);
/// A long wait is told about this often.
const BETWEEN_REMINDERS: Duration = Duration::from_secs(30);

/// Persists that the swap is about to happen.
#[async_trait]
pub trait Recorder: Send + Sync {
    /// From now on only [`look`] can tell whether the swap has happened. Called before every attempt. `triggers` is what
    /// [`complete()`] wants to be told where it is interrupted.
    async fn cutting_over(&self, triggers: &str) -> Result<()>;
}

/// What the cut-over works on.
pub struct Context {
    /// The tables.
    pub plan: Arc<Plan>,
    /// The server.
    pub upstream: Upstream,
    /// Keeps the ghost in step, and is at rest during an attempt.
    pub follower: Arc<dyn Follower>,
    /// Holds the application's statements.
    pub gate: Arc<dyn TrafficGate>,
    /// The longest pause of the application in one attempt.
    pub budget: Duration,
    /// Persists the step.
    pub recorder: Arc<dyn Recorder>,
    /// Counts attempts, and how long they held the application.
    pub counters: Arc<Counters>,
    /// Becomes true when the migration is to be given up.
    pub cancelled: watch::Receiver<bool>,
}

/// A swap that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swapped {
    /// How long the application was held by the attempt that succeeded.
    pub held: Duration,
    /// Attempts made, with that one.
    pub attempts: u32,
}

/// How an attempt ended that left everything as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Swapped {
        held: Duration,
        /// The triggers of a swap that may not have come to its end.
        left: Option<Vec<Trigger>>,
    },
    Missed {
        held: Duration,
        why: String,
    },
}

/// The source's triggers as they are before an attempt.
#[derive(Debug, Default)]
struct Known {
    triggers: Vec<Trigger>,
    description: Description,
}

/// Puts the ghost into the source's place, in as many attempts as it takes. After success the follower stays paused: what
/// it followed is gone.
///
/// # Errors
/// The answer 1317 when cancelled, an answer of the drain where the data refuses the change, [`Error::OutcomeUnknown`] when
/// the server cannot be asked what became of the RENAME, [`Error::Fatal`] when it refuses a statement.
pub async fn swap(context: &Context, verified: Verified) -> Result<Swapped> {
    tracing::debug!(rows = verified.rows(), table = %context.plan.source_name(), "the cut-over begins");
    let tables = context.locked_together().await?;
    let gate = context.gate.watch(&tables);
    let mut patience = Patience::new();
    for attempts in 1.. {
        let why = match context
            .attempt(gate.as_ref(), &tables, attempts, patience.with_others)
            .await
        {
            Ok(Outcome::Swapped { held, left }) => {
                context.held_for(held);
                drop(gate);
                if let Some(triggers) = left {
                    context.rest().complete(&triggers).await?;
                }
                return Ok(Swapped { held, attempts });
            }
            Ok(Outcome::Missed { held, why }) => {
                context.held_for(held);
                format!("{why}, after {} ms", held.as_millis())
            }
            Err(error @ Error::Transient(_)) => error.to_string(),
            Err(error) => return Err(error),
        };
        tracing::info!(table = %context.plan.source_name(), attempts, why, "cut-over put off");
        patience.grow(context).await?;
    }
    Err(interrupted())
}

/// Opens a snapshot in which source and ghost hold the same rows, in as many attempts as it takes; the follower goes on.
///
/// The moment is made as for a swap: gate closed, tables locked, everything drained. Instead of the RENAME a session of its
/// own opens the snapshot while the locks are shown to hold.
///
/// # Errors
/// As [`swap`]'s, but for the RENAME.
pub(crate) async fn snapshot(context: &Context) -> Result<Conn> {
    let tables = context.locked_together().await?;
    let gate = context.gate.watch(&tables);
    let mut patience = Patience::new();
    for attempts in 1.. {
        let why = match context
            .snapshot_attempt(gate.as_ref(), &tables, attempts, patience.with_others)
            .await
        {
            Ok(Ok(conn)) => return Ok(conn),
            Ok(Err(why)) => why,
            Err(error @ Error::Transient(_)) => error.to_string(),
            Err(error) => return Err(error),
        };
        tracing::info!(table = %context.plan.source_name(), attempts, why, "snapshot put off");
        patience.grow(context).await?;
    }
    Err(interrupted())
}

/// How long is waited for others before an attempt, and between two attempts; longer each time.
struct Patience {
    with_others: Duration,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            with_others: FIRST_PATIENCE,
            pause: FIRST_PAUSE,
        }
    }

    /// Pauses behind an attempt that failed.
    async fn grow(&mut self, context: &Context) -> Result<()> {
        context.pause(self.next_pause()).await
    }

    fn next_pause(&mut self) -> Duration {
        let pause = self.pause.mul_f64(rand::rng().random_range(0.5..1.5));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.with_others = (self.with_others * 2).min(LONGEST_PATIENCE);
        pause
    }
}

impl Context {
    fn held_for(&self, held: Duration) {
        self.counters.cut_over_attempts.add(1);
        let micros = u64::try_from(held.as_micros()).unwrap_or(u64::MAX);
        self.counters.longest_hold_us.raise(micros);
    }

    async fn snapshot_attempt(
        &self,
        gate: &dyn WatchedGate,
        tables: &[TableName],
        attempts: u32,
        patience: Duration,
    ) -> Result<Result<Conn, String>> {
        self.wait_until_quiet(gate, tables, patience).await?;
        let attempt = Attempt::prepare(self, tables).await.map_err(refused)?;
        attempt.snapshot(gate, attempts).await
    }

    async fn attempt(
        &self,
        gate: &dyn WatchedGate,
        tables: &[TableName],
        attempts: u32,
        patience: Duration,
    ) -> Result<Outcome> {
        self.wait_until_quiet(gate, tables, patience).await?;
        let mut attempt = Attempt::prepare(self, tables).await.map_err(refused)?;
        match self.make_room(attempt.control()).await {
            Err(error) if error.is_unknown_schema() => {
                return Ok(Outcome::Missed {
                    held: Duration::ZERO,
                    why: SCHEMA_REMOVED.to_owned(),
                });
            }
            other => other.map_err(refused)?,
        }
        let known = self.rehearsed(attempt.control()).await?;
        failpoint::hit(Failpoint::RoomMade);
        self.recorder
            .cutting_over(&triggers::write(&known.triggers))
            .await?;
        failpoint::hit(Failpoint::CutOverRecorded);
        attempt.run(gate, attempts, known).await
    }

    /// The source's triggers, which can be created on the ghost.
    async fn rehearsed(&self, conn: &mut Conn) -> Result<Known> {
        if self.upstream.flavor() == Flavor::MariaDb {
            return Ok(Known::default());
        }
        let source = self.plan.source_name();
        let rehearsed = async {
            // First, so that a trigger that changes meanwhile is found to have changed.
            let description = triggers::describe(conn, source).await?;
            let triggers = triggers::load(conn, source).await?;
            if !triggers.is_empty() {
                triggers::rehearse(conn, source, &triggers).await?;
            }
            Ok(Known {
                triggers,
                description,
            })
        };
        rehearsed.await.map_err(|error| match error {
            Error::Refused(reason) => Error::fatal(reason.to_string()),
            // It was dropped meanwhile.
            Error::Answer(server) if server.code == TRIGGER_DOES_NOT_EXIST => {
                Error::Transient(mysql_async::Error::Other(server.message.into()))
            }
            other => refused(other),
        })
    }

    /// The source and what the server locks with it.
    async fn locked_together(&self) -> Result<Vec<TableName>> {
        let mut tables = vec![self.plan.source_name().clone()];
        if self.plan.source.surroundings.triggers.is_empty() {
            return Ok(tables);
        }
        let mut conn = self.upstream.control().await?;
        match triggers::neighbours(&mut conn, &self.plan.source).await {
            Ok(others) => tables.extend(others),
            // They are waited for at the server's locks then.
            Err(Error::Refused(reason)) => tracing::warn!(table = %self.plan.source_name(), %reason),
            Err(other) => return Err(refused(other)),
        }
        Ok(tables)
    }

    /// How a swap is brought to its end that was interrupted in the middle.
    fn rest(&self) -> Rest<'_> {
        Rest {
            upstream: &self.upstream,
            gate: self.gate.as_ref(),
            source: self.plan.source_name(),
            budget: self.budget,
        }
    }

    /// Waits for a moment at which an attempt is worth it. Who follows the source may end meanwhile: then there is none.
    async fn wait_until_quiet(
        &self,
        gate: &dyn WatchedGate,
        tables: &[TableName],
        patience: Duration,
    ) -> Result<()> {
        tokio::select! {
            biased;
            error = self.follower.failed() => Err(error),
            quiet = self.quiet(gate, tables, patience) => quiet,
        }
    }

    /// Waits until the backlog is small and nobody is known to hold the tables for long.
    async fn quiet(&self, gate: &dyn WatchedGate, tables: &[TableName], patience: Duration) -> Result<()> {
        slowpoint::pass("cut_over").await;
        let mut control = self.upstream.control().await?;
        let began = Instant::now();
        let mut reminded = began;
        loop {
            self.check_cancelled()?;
            let backlog = self.follower.backlog();
            let others = quiet::in_the_way(&mut control, self.upstream.flavor(), tables, self.budget).await?;
            let free = others.sessions.is_empty() || (!others.certain && began.elapsed() > patience);
            let nobody_stays = gate.longest_stay() <= self.budget;
            if free && nobody_stays && backlog <= SMALL_BACKLOG {
                return Ok(control.disconnect().await?);
            }
            if reminded.elapsed() > BETWEEN_REMINDERS {
                reminded = Instant::now();
                tracing::info!(
                    table = %self.plan.source_name(), backlog, sessions = ?others.sessions,
                    "the cut-over waits for these sessions, or for the backlog"
                );
            }
            tokio::time::sleep(BETWEEN_CHECKS).await;
        }
    }

    /// Clears the name the source will be moved to, and on MariaDB puts the sentry there.
    ///
    /// A table replaced by an earlier migration and still kept makes room for the newer one.
    async fn make_room(&self, conn: &mut Conn) -> Result<()> {
        let source = self.plan.source_name();
        let old = names::old(source);
        let tables = look::tables(conn, source).await?;
        if tables.verdict() != Where::NotSwapped {
            return Err(Error::fatal(format!(
                "{source} or its ghost is not in its place: {:?}",
                tables.verdict()
            )));
        }
        if tables.old_name_taken {
            drop_table(conn, &old).await?;
        }
        conn.query_drop(format!(
            "CREATE DATABASE IF NOT EXISTS {} {OWN_COMMENT}",
            old.schema
        ))
        .await?;
        if self.upstream.flavor() == Flavor::MariaDb {
            conn.query_drop(format!(
                "CREATE TABLE {old} (sentry INT) ENGINE=InnoDB COMMENT='{SENTRY_COMMENT}' {OWN_COMMENT}"
            ))
            .await?;
        }
        Ok(())
    }

    async fn pause(&self, pause: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = asked_to_end(self.cancelled.clone()) => Err(interrupted()),
        }
    }

    fn check_cancelled(&self) -> Result<()> {
        match *self.cancelled.borrow() {
            true => Err(interrupted()),
            false => Ok(()),
        }
    }
}

/// The end of another migration removes that schema while it is empty. Nothing has happened then.
const SCHEMA_REMOVED: &str = "the schema of the replaced tables was being removed";

/// A statement of the engine's own that the server refuses is no answer to the client's.
fn refused(error: Error) -> Error {
    match error {
        Error::Answer(server) => Error::fatal(format!("the cut-over failed: {server}")),
        other => other,
    }
}

/// 1360: there is no such trigger.
const TRIGGER_DOES_NOT_EXIST: u16 = 1360;

/// The statement that swaps the tables.
fn rename_sql(source: &TableName) -> String {
    let (ghost, old) = (names::ghost(source), names::old(source));
    format!("RENAME TABLE {source} TO {old}, {ghost} TO {source} {OWN_COMMENT}")
}
