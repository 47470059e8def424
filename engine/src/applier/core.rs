//! The task that owns everything pending.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::Options;
use super::change_set::{Batch, ChangeSet};
use super::drain::Drain;
use super::failure::Told;
use super::hand::Landed;
use crate::binlog::StreamItem;
use crate::checkpoint::Ledger;
use crate::chunk::ChunkSizer;
use crate::counters::Counters;
use crate::failpoint::{self, Failpoint};
use crate::key::Key;
use crate::position::Position;
use crate::{Error, Result};

/// How many items are taken from the stream at once.
const ITEMS_AT_ONCE: usize = 1024;

/// What the handle asks of the task.
#[derive(Debug)]
pub(super) enum Command {
    /// Hands nothing out any more; told when nothing is in flight.
    Pause(oneshot::Sender<()>),
    Resume,
    /// Reconciles these keys too; told when that is done.
    Reconcile(Vec<Key>, oneshot::Sender<()>),
    /// Wants what is pending, while paused.
    Drain(Drain),
    /// A drained batch is reconciled.
    Drained(Batch),
    /// A drained batch was not reconciled, or it is not known whether it was.
    NotDrained(Batch),
    Stop,
}

/// What the task tells everybody.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) applied: watch::Sender<Option<Position>>,
    pub(super) backlog: watch::Sender<usize>,
    pub(super) failure: watch::Sender<Option<Told>>,
}

/// The task's state.
pub(super) struct Core {
    pub(super) options: Options,
    /// How many keys the next batch has.
    pub(super) sizer: ChunkSizer,
    pub(super) ledger: Ledger,
    pub(super) counters: Arc<Counters>,
    pub(super) board: Board,
    pub(super) hands: Vec<mpsc::Sender<Batch>>,
    pub(super) changes: ChangeSet,
    /// Numbers of the workers that are idle.
    pub(super) idle: Vec<usize>,
    /// How many workers wait for a row's lock.
    pub(super) waiting: usize,
    pub(super) paused: bool,
    pub(super) pausing: Vec<oneshot::Sender<()>>,
    pub(super) drain: Option<Drain>,
    /// The last position the stream has delivered.
    pub(super) received: Option<Position>,
}

/// The channels into the task.
pub(super) struct Inlets {
    pub(super) stream: mpsc::Receiver<StreamItem>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) landed: mpsc::Receiver<Landed>,
}

/// Whether the task goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

impl Core {
    /// Runs until stopped or failed.
    pub(super) async fn run(mut self, mut inlets: Inlets) {
        if let Err(error) = self.serve(&mut inlets).await {
            tracing::debug!(%error, "the applier ends");
            self.board.failure.send_replace(Some(error.into()));
        }
        // Statements in flight end before anybody hears that the applier has: the board closes last.
        self.hands.clear();
        while self.changes.has_in_flight() {
            match inlets.landed.recv().await {
                Some(landed) => self.changes.undone(landed.batch),
                None => break,
            }
        }
    }

    async fn serve(&mut self, inlets: &mut Inlets) -> Result<()> {
        let mut items = Vec::with_capacity(ITEMS_AT_ONCE);
        loop {
            let room = self.room();
            tokio::select! {
                count = inlets.stream.recv_many(&mut items, room.min(ITEMS_AT_ONCE)), if room > 0 => {
                    if count == 0 {
                        return Err(Error::fatal("the stream of changes has ended"));
                    }
                    items.drain(..).for_each(|item| self.take_in(item));
                }
                Some(landed) = inlets.landed.recv() => self.land(landed)?,
                command = inlets.commands.recv() => {
                    if self.obey(command) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
            self.publish().await;
            self.hand_out().await;
            self.serve_drain();
        }
    }

    /// How many more changes may come before something is written.
    fn room(&self) -> usize {
        match self.changes.waiting_bytes() < self.options.pending_max_bytes {
            true => self.options.pending_max.saturating_sub(self.changes.waiting()),
            false => 0,
        }
    }

    fn take_in(&mut self, item: StreamItem) {
        match item {
            StreamItem::Key(key) => self.changes.add(key),
            StreamItem::TransactionEnd(position) => {
                self.received = Some(position.clone());
                self.changes.end_transaction(position);
            }
        }
    }

    fn land(&mut self, landed: Landed) -> Result<()> {
        let Landed {
            hand,
            batch,
            took,
            outcome,
        } = landed;
        self.idle.push(hand);
        self.waiting -= usize::from(batch.wait);
        match outcome {
            Ok(locked) => {
                failpoint::hit(Failpoint::BatchCommitted);
                self.count(&batch, locked.len());
                self.learn(&batch, took);
                self.changes.done(batch, &locked);
                Ok(())
            }
            Err(error) => {
                self.changes.undone(batch);
                Err(error)
            }
        }
    }

    /// What a batch waited for the application's locks says nothing about its size.
    fn learn(&mut self, batch: &Batch, took: Duration) {
        if batch.wait {
            return;
        }
        if took > 2 * self.options.batch.target {
            self.begin_small();
        } else {
            self.sizer.took(batch.len() as u64, took, 0);
        }
    }

    /// Somebody may want these rows: the size grows again within a few batches, but what is held too long is seen.
    fn begin_small(&mut self) {
        self.sizer = ChunkSizer::new(self.options.batch);
    }

    fn count(&self, batch: &Batch, locked: usize) {
        let reconciled = batch.len().saturating_sub(locked);
        self.counters.changes_applied.add(reconciled as u64);
        self.counters.lock_retries.add(locked as u64);
    }

    /// All handles being gone is a stop, too: nobody could ever ask for anything again.
    fn obey(&mut self, command: Option<Command>) -> Flow {
        match command {
            None | Some(Command::Stop) => return Flow::Stop,
            Some(Command::Pause(reply)) => {
                self.paused = true;
                self.pausing.push(reply);
            }
            Some(Command::Resume) => {
                self.paused = false;
                // The ghost's pages may have left the server's memory meanwhile: an index was built, perhaps.
                self.begin_small();
                self.pausing.clear();
            }
            Some(Command::Reconcile(keys, reply)) => {
                keys.into_iter().for_each(|key| self.changes.add(key));
                self.changes.tell(reply);
            }
            Some(Command::Drain(drain)) => self.drain = Some(drain),
            Some(Command::Drained(batch)) => {
                self.count(&batch, 0);
                self.changes.done(batch, &[]);
            }
            Some(Command::NotDrained(batch)) => self.changes.undone(batch),
        }
        Flow::On
    }

    async fn publish(&mut self) {
        let passed = self.changes.pass();
        if let Some(fact) = passed.applied_through {
            self.board
                .applied
                .send_replace(Some(fact.clone().into_position()));
            self.ledger.applied_through(fact).await;
            failpoint::hit(Failpoint::PositionPassed);
        }
        for reply in passed.replies {
            // Whoever asked may have gone.
            let _ = reply.send(());
        }
        self.board.backlog.send_replace(self.changes.len());
        if self.paused && !self.changes.has_in_flight() {
            for reply in self.pausing.drain(..) {
                let _ = reply.send(());
            }
        }
    }

    /// Gives idle workers something to do: changes first, then a locked row, as long as one worker stays free.
    async fn hand_out(&mut self) {
        while !self.paused && !self.idle.is_empty() {
            let may_wait = self.waiting + 1 < self.hands.len().max(2);
            let batch = self.changes.take(self.sizer.rows() as usize);
            let batch = match batch {
                None if may_wait => self.changes.take_locked(),
                batch => batch,
            };
            let Some(batch) = batch else {
                return;
            };
            failpoint::hit(Failpoint::BatchTaken);
            let hand = self.idle.pop().and_then(|number| self.hands.get(number));
            self.waiting += usize::from(batch.wait);
            let handed = match hand {
                Some(hand) => hand.send(batch).await.map_err(|refused| refused.0),
                None => Err(batch),
            };
            // A worker that has ended takes nothing; its batch must not count as in flight.
            if let Err(batch) = handed {
                self.waiting -= usize::from(batch.wait);
                self.changes.undone(batch);
            }
        }
    }

    /// Answers a drain once the stream has come far enough, or when nothing more fits before something is taken away.
    fn serve_drain(&mut self) {
        if !self.paused || self.changes.has_in_flight() {
            return;
        }
        let Some(drain) = self.drain.take() else {
            return;
        };
        let reached = self
            .received
            .as_ref()
            .is_some_and(|position| position.at_or_after(&drain.through));
        let full = self.room() == 0;
        if !reached && !full {
            self.drain = Some(drain);
            return;
        }
        let batch = self.changes.take_all();
        if let Err(unheard) = drain.answer(batch, reached) {
            self.changes.undone(unheard);
        }
    }
}
