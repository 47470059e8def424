//! What others ask of the applier.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use tokio::sync::{mpsc, oneshot, watch};

use super::change_set::ChangeSet;
use super::core::{Board, Command, Core, Inlets};
use super::drain::{Drain, OnLoan, Share};
use super::failure::Failure;
use super::hand;
use crate::binlog::StreamItem;
use crate::checkpoint::Ledger;
use crate::chunk::{ChunkSizer, SizeLimits};
use crate::counters::Counters;
use crate::key::Key;
use crate::plan::Plan;
use crate::position::Position;
use crate::reconcile;
use crate::session::Upstream;
use crate::{Error, Flavor, Result};

/// How the applier works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many batches are written at a time.
    pub workers: usize,
    /// How many keys a batch may have: its rows are locked until it is committed.
    pub batch: SizeLimits,
    /// The most keys that are pending; then the stream waits.
    pub pending_max: usize,
    /// About the most bytes that pending keys may take; then the stream waits, too.
    pub pending_max_bytes: usize,
}

impl Default for Options {
    /// Rows that have just changed are likely to be changed again, so batches are held shorter than chunks. On a busy
    /// server 100 keys were seen to take 300 ms, and whoever wanted one of them again waited for as long.
    fn default() -> Self {
        Self {
            workers: 4,
            batch: SizeLimits {
                rows_first: 10,
                rows_min: 10,
                rows_min_contended: 10,
                rows_max: 100,
                target: Duration::from_millis(20),
            },
            pending_max: pending_max().unwrap_or(100_000),
            pending_max_bytes: 64 << 20,
        }
    }
}

/// A smaller bound, so that a test can reach it.
fn pending_max() -> Option<usize> {
    std::env::var("ALTEREGO_PENDING_MAX").ok()?.parse().ok()
}

/// Speaks to a running applier. Clones speak to the same one; with the last of them it stops.
#[derive(Clone, Debug)]
pub struct ApplierHandle {
    plan: Arc<Plan>,
    flavor: Flavor,
    commands: mpsc::UnboundedSender<Command>,
    applied: watch::Receiver<Option<Position>>,
    backlog: watch::Receiver<usize>,
    failure: Failure,
}

/// Starts to apply what comes from `stream`. Must be called within a tokio runtime.
pub fn start(
    plan: Arc<Plan>,
    upstream: Upstream,
    stream: mpsc::Receiver<StreamItem>,
    options: Options,
    ledger: Ledger,
    counters: Arc<Counters>,
) -> ApplierHandle {
    let workers = options.workers.max(1);
    let (landed_sender, landed) = mpsc::channel(workers);
    let hands = (0..workers)
        .map(|number| hand::start(number, plan.clone(), upstream.clone(), landed_sender.clone()))
        .collect();
    let known = ledger
        .checkpoint()
        .borrow()
        .as_ref()
        .map(|checkpoint| checkpoint.position.clone());
    let (applied_sender, applied) = watch::channel(known);
    let (backlog_sender, backlog) = watch::channel(0);
    let (failure_sender, failure) = watch::channel(None);
    let (commands_sender, commands) = mpsc::unbounded_channel();
    let core = Core {
        options,
        sizer: ChunkSizer::new(options.batch),
        ledger,
        counters,
        board: Board {
            applied: applied_sender,
            backlog: backlog_sender,
            failure: failure_sender,
        },
        hands,
        changes: ChangeSet::default(),
        idle: (0..workers).collect(),
        waiting: 0,
        paused: false,
        pausing: Vec::new(),
        drain: None,
        received: None,
    };
    let inlets = Inlets {
        stream,
        commands,
        landed,
    };
    tokio::spawn(core.run(inlets));
    ApplierHandle {
        flavor: upstream.flavor(),
        plan,
        commands: commands_sender,
        applied,
        backlog,
        failure: Failure::new(failure),
    }
}

/// The applier stands still for as long as this lives.
#[must_use]
#[derive(Debug)]
pub(crate) struct StandsStill<'a>(&'a ApplierHandle);

impl Drop for StandsStill<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

impl ApplierHandle {
    /// The position up to which every change is reconciled.
    pub fn applied(&self) -> Option<Position> {
        self.applied.borrow().clone()
    }

    /// Distinct keys that are pending or in flight.
    pub fn backlog(&self) -> usize {
        *self.backlog.borrow()
    }

    /// Returns when every change at or before `position` is reconciled.
    ///
    /// # Errors
    /// The error that ended the applier or its stream.
    pub async fn wait_applied(&self, position: &Position) -> Result<()> {
        let mut applied = self.applied.clone();
        let reached = applied.wait_for(|applied| {
            applied
                .as_ref()
                .is_some_and(|applied| applied.at_or_after(position))
        });
        tokio::select! {
            biased;
            Ok(_) = reached => Ok(()),
            error = self.failed() => Err(error),
        }
    }

    /// Lets workers begin nothing more, and returns when no statement is in flight. Changes are still taken from the
    /// stream. Returns as well when the applier has ended, since then nothing is in flight either.
    pub async fn pause(&self) {
        let (reply, paused) = oneshot::channel();
        self.command(Command::Pause(reply));
        if paused.await.is_err() {
            self.ended().await;
        }
    }

    /// [`Self::pause`], for as long as what it returns lives.
    pub(crate) async fn stand_still(&self) -> StandsStill<'_> {
        // Before the wait: whoever gives up waiting lets it go on, too.
        let standing = StandsStill(self);
        self.pause().await;
        standing
    }

    /// Lets workers go on.
    pub fn resume(&self) {
        self.command(Command::Resume);
    }

    /// Reconciles on `conn` everything up to `through`, and returns the number of keys. Only while paused; `conn` holds LOCK TABLES …
    /// WRITE on source and ghost, and has the settings of [`Upstream::worker`].
    ///
    /// Waits until the stream has delivered the end of a transaction at or after `through`. What was not reconciled
    /// when this fails or is dropped is pending again.
    ///
    /// # Errors
    /// Those of [`reconcile::keys_on`], and the error that ended the applier or its stream.
    pub async fn drain_on(&self, conn: &mut Conn, through: &Position) -> Result<u64> {
        let mut keys_reconciled = 0;
        loop {
            let share = self.pending(through).await?;
            if let Some(batch) = share.batch {
                let keys = batch.keys();
                let loan = OnLoan::new(batch, self.commands.clone());
                reconcile::keys_on(conn, &self.plan, self.flavor, &keys).await?;
                loan.reconciled();
                keys_reconciled += keys.len() as u64;
            }
            if share.reached {
                return Ok(keys_reconciled);
            }
        }
    }

    /// Deletes from the ghost, on `conn`, the rows that changes up to `through` may have left behind the source; they stay
    /// pending. Only while paused. False when more is pending than is kept, so that the stream cannot come to `through`:
    /// then nothing is deleted.
    ///
    /// # Errors
    /// Those of [`reconcile::remove_on`], and the error that ended the applier or its stream.
    pub async fn clear_pending_on(&self, conn: &mut Conn, through: &Position) -> Result<bool> {
        let share = self.pending(through).await?;
        // The loan is given back as it was taken.
        let loan = share
            .batch
            .map(|batch| (batch.keys(), OnLoan::new(batch, self.commands.clone())));
        if let Some((keys, _)) = loan.as_ref().filter(|_| share.reached) {
            reconcile::remove_on(conn, &self.plan, self.flavor, keys).await?;
        }
        Ok(share.reached)
    }

    /// What is pending once the stream has delivered everything up to `through`, or as much as there is room for.
    async fn pending(&self, through: &Position) -> Result<Share> {
        let (reply, share) = oneshot::channel();
        self.command(Command::Drain(Drain {
            through: through.clone(),
            reply,
        }));
        match share.await {
            Ok(share) => Ok(share),
            Err(_) => Err(self.failed().await),
        }
    }

    /// Reconciles these keys by the same road as changes, and returns when that is done.
    ///
    /// # Errors
    /// The error that ended the applier or its stream.
    pub async fn reconcile_now(&self, keys: Vec<Key>) -> Result<()> {
        let (reply, reconciled) = oneshot::channel();
        self.command(Command::Reconcile(keys, reply));
        match reconciled.await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failed().await),
        }
    }

    /// Returns the error that ended the applier, once one has.
    pub async fn failed(&self) -> Error {
        self.failure.wait().await
    }

    /// Stops it, and returns when no statement is in flight.
    pub async fn stop(self) {
        self.command(Command::Stop);
        self.ended().await;
    }

    async fn ended(&self) {
        // The channel closes with the task, and holds no value to wait for.
        let mut backlog = self.backlog.clone();
        while backlog.changed().await.is_ok() {}
    }

    fn command(&self, command: Command) {
        // With the task gone the reply's channel closes, and that is where it is noticed.
        let _ = self.commands.send(command);
    }
}
