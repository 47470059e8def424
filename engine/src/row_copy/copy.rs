//! Dispatches chunks to workers that write them in parallel.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ChunkDurable;
use super::collector::Collector;
use crate::checkpoint::{Frontier, Ledger};
use crate::chunk::{self, Chunk, ChunkSizer, SizeLimits, Tiling};
use crate::counters::Counters;
use crate::failpoint::{self, Failpoint};
use crate::key::Key;
use crate::plan::Plan;
use crate::reconcile::{Backoff, Warning, Worker, Written};
use crate::session::Upstream;
use crate::throttle::{STATEMENTS_MAX, Share};
use crate::{Error, Result, slowpoint};

/// How long chunks in flight may take to finish once the copy is cancelled.
const GRACE: Duration = Duration::from_secs(2);

/// A chunk that takes longer than this waits for a row's lock, and takes no part of the server meanwhile.
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// How often the server is asked for a boundary before the copy gives up: with the longest pause about two minutes.
const BOUNDARY_ATTEMPTS_MAX: u32 = 60;

/// What a row copy works with.
#[derive(Debug)]
pub struct RowCopy {
    /// What is copied where.
    pub plan: Arc<Plan>,
    /// The server.
    pub upstream: Upstream,
    /// Where the copy begins, and who is told of its progress.
    pub ledger: Ledger,
    /// For people to look at.
    pub counters: Arc<Counters>,
    /// How many chunks may be written at a time.
    pub share: Arc<Share>,
    /// How large chunks may be.
    pub limits: SizeLimits,
    /// While this holds a reason, no chunk is dispatched.
    pub throttle: watch::Receiver<Option<String>>,
    /// Once true, the copy ends.
    pub cancel: watch::Receiver<bool>,
    /// How many warnings are listed.
    pub warnings_max: usize,
}

/// What a row copy came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Rows written by this run.
    pub rows: u64,
    /// How many warnings the server gave.
    pub warning_count: u64,
    /// The first of them, in key order.
    pub warnings: Vec<Warning>,
}

/// A chunk that has come back, with the worker that wrote it.
struct Finished {
    worker: Worker,
    chunk: Chunk,
    outcome: Result<Written>,
}

/// Copies everything behind the ledger's start frontier.
///
/// # Errors
/// [`Error::Answer`] where the data refuses the change: the first such row in key order, with its ordinal in the
/// table. [`Error::Fatal`] when cancelled, [`Error::Transient`] when the server stays away.
pub async fn run(copy: RowCopy) -> Result<CopyReport> {
    Dispatcher::new(copy).run().await
}

struct Dispatcher {
    copy: RowCopy,
    tiling: Tiling,
    sizer: ChunkSizer,
    /// The next chunk, cut while workers are busy.
    ready: Option<Chunk>,
    control: Option<Conn>,
    idle: Vec<Worker>,
    busy: JoinSet<Finished>,
    /// No chunk has come back for so long that those under way wait for locks.
    stuck: bool,
    collector: Collector,
}

impl Dispatcher {
    fn new(copy: RowCopy) -> Self {
        let worker = |_| Worker::new(copy.upstream.clone(), copy.plan.clone(), copy.warnings_max);
        Self {
            tiling: Tiling::behind(copy.ledger.start_frontier().clone()),
            sizer: ChunkSizer::new(copy.limits),
            ready: None,
            control: None,
            idle: (0..STATEMENTS_MAX).map(worker).collect(),
            busy: JoinSet::new(),
            stuck: false,
            collector: Collector::new(copy.warnings_max),
            copy,
        }
    }

    async fn run(mut self) -> Result<CopyReport> {
        while !self.cancelled() {
            self.dispatch().await?;
            if self.busy.is_empty() && (self.collector.has_failed() || self.is_all_dispatched()) {
                return self.finish().await;
            }
            self.wait().await?;
        }
        self.end_early().await;
        Err(Error::fatal("the row copy was cancelled"))
    }

    /// Hands chunks to idle workers, and has one more ready for the next that becomes idle.
    async fn dispatch(&mut self) -> Result<()> {
        while !self.collector.has_failed() && !self.cancelled() {
            if self.ready.is_none() && !self.cut().await? {
                return Ok(());
            }
            if self.is_throttled() || self.busy.len() >= self.statements() {
                return Ok(());
            }
            let Some(worker) = self.idle.pop() else {
                return Ok(());
            };
            if let Some(chunk) = self.ready.take() {
                self.start(worker, chunk);
            }
        }
        Ok(())
    }

    /// How many chunks may be written at a time. A row that is locked for hours must not keep the others from being copied.
    fn statements(&self) -> usize {
        match self.stuck {
            true => STATEMENTS_MAX,
            false => self.copy.share.statements(),
        }
    }

    fn start(&mut self, mut worker: Worker, chunk: Chunk) {
        // Before the read is sent: see the watermark's proof.
        self.copy.ledger.watermark().dispatch(chunk.through());
        failpoint::hit(Failpoint::ChunkDispatched);
        self.busy.spawn(async move {
            slowpoint::pass("chunk_dispatched").await;
            let outcome = worker.range(chunk.range()).await;
            Finished {
                worker,
                chunk,
                outcome,
            }
        });
    }

    /// Cuts the next chunk; false when the key space is used up.
    async fn cut(&mut self) -> Result<bool> {
        if *self.tiling.cut() == Frontier::Everything {
            return Ok(false);
        }
        let boundary = self.boundary().await?;
        self.ready = self.tiling.next(boundary);
        Ok(self.ready.is_some())
    }

    async fn boundary(&mut self) -> Result<Option<Key>> {
        let mut backoff = Backoff::for_connections();
        let mut attempts = 0;
        loop {
            let error = match self.try_boundary().await {
                Ok(boundary) => return Ok(boundary),
                Err(error) => error,
            };
            attempts += 1;
            if attempts == BOUNDARY_ATTEMPTS_MAX || !matches!(error, Error::Transient(_)) || self.cancelled()
            {
                return Err(error);
            }
            backoff.pause().await;
        }
    }

    async fn try_boundary(&mut self) -> Result<Option<Key>> {
        let mut conn = match self.control.take() {
            Some(conn) => conn,
            None => self.copy.upstream.control().await?,
        };
        let rows = self.sizer.rows();
        let boundary = chunk::next_boundary(&mut conn, &self.copy.plan, self.tiling.cut(), rows).await?;
        self.control = Some(conn);
        Ok(boundary)
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) -> Result<()> {
        tokio::select! {
            Some(finished) = self.busy.join_next() => match finished {
                Ok(finished) => {
                    self.stuck = false;
                    self.take_back(finished).await;
                }
                Err(error) => return Err(Error::fatal(format!("a worker of the row copy ended: {error}"))),
            },
            () = sleep(LOCK_WAIT), if !self.stuck => self.stuck = true,
            () = until_changed(&mut self.copy.throttle) => {}
            () = until_true(&mut self.copy.cancel) => {}
        }
        Ok(())
    }

    async fn take_back(&mut self, finished: Finished) {
        let Finished {
            worker,
            chunk,
            outcome,
        } = finished;
        self.idle.push(worker);
        match outcome {
            Ok(written) => {
                failpoint::hit(Failpoint::ChunkCommitted);
                self.sizer
                    .took(written.rows, written.took, written.lock_conflicts);
                self.copy.counters.rows_copied.add(written.rows);
                self.copy.counters.lock_retries.add(written.lock_conflicts);
                self.collector.wrote(chunk.ordinal(), written);
                self.copy
                    .ledger
                    .chunk_durable(ChunkDurable::after_commit(&chunk))
                    .await;
            }
            Err(error) => self.collector.failed(chunk.ordinal(), error),
        }
    }

    async fn finish(mut self) -> Result<CopyReport> {
        let rows_before = match self.collector.tells_ordinals() {
            true => self.rows_before_start().await?,
            false => 0,
        };
        let (rows, warning_count, warnings) = self.collector.finish(rows_before)?;
        Ok(CopyReport {
            rows,
            warning_count,
            warnings,
        })
    }

    /// Rows in front of where this run began: another run has copied them.
    async fn rows_before_start(&mut self) -> Result<u64> {
        if *self.copy.ledger.start_frontier() == Frontier::Nothing {
            return Ok(0);
        }
        let sql = chunk::count_through(&self.copy.plan, self.copy.ledger.start_frontier());
        let mut conn = self.copy.upstream.control().await?;
        let rows: Option<u64> = conn.query_first(sql).await?;
        Ok(rows.unwrap_or(0))
    }

    /// Lets chunks in flight finish, so that no statement of a cancelled copy outlives it at the server.
    async fn end_early(&mut self) {
        let drained = async { while self.busy.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, drained).await.is_err() {
            self.busy.shutdown().await;
        }
    }

    fn is_all_dispatched(&self) -> bool {
        self.ready.is_none() && *self.tiling.cut() == Frontier::Everything
    }

    fn is_throttled(&self) -> bool {
        self.copy.throttle.borrow().is_some()
    }

    fn cancelled(&self) -> bool {
        *self.copy.cancel.borrow()
    }
}

/// Never returns when the sender is gone: what it said last stays.
async fn until_changed(throttle: &mut watch::Receiver<Option<String>>) {
    if throttle.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Never returns when the sender is gone without having said true.
async fn until_true(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|value| *value).await.is_err() {
        std::future::pending::<()>().await;
    }
}
