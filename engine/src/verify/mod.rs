//! The proof that the ghost holds what the source holds, before it takes the source's place.
//!
//! # What a passed verification says
//! Every chunk of the whole key space was compared, source against ghost, in one snapshot of both. Each row was either
//! equal in that snapshot, or shown equal later, at a moment when all its changes were applied (see `settle`). Since
//! then, only the applier has touched the ghost, and the cut-over drains it under the table locks. A row found wrong is
//! repaired by a reconcile, and then the whole table is compared again: only a pass that finds nothing counts.
//!
//! # Why it is not vacuous
//! `tests/corruption.rs` changes one value in each of many rows, of every type, by as little as the type allows, and takes
//! rows away and adds some at the edges of chunks; it expects every one to be found, and no other.
//!
//! # Invariant
//! [`Verified`] can only be made here, at the end of such a pass, and the cut-over takes it by value.

mod compare;
mod equality;
mod settle;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{try_join, try_join_all};
use mysql_async::Conn;
use tokio::sync::{mpsc, watch};

use self::compare::{Comparer, Rows};
use self::settle::Judge;
use crate::counters::Counters;
use crate::error::ServerError;
use crate::failpoint::{self, Failpoint};
use crate::follower::Follower;
use crate::key::{Key, Range};
use crate::plan::Plan;
use crate::session::Upstream;
use crate::throttle::{STATEMENTS_MAX, Share};
use crate::{Error, Result, slowpoint};

/// Chunks a worker has in store.
const CHUNKS_AHEAD: usize = 2;
/// A chunk's comparison is to take about this long: its snapshot holds up the purge of old row versions.
const CHUNK_TIME: Duration = Duration::from_millis(200);
const FIRST_CHUNK_ROWS: u64 = 5_000;
const CHUNK_ROWS: std::ops::RangeInclusive<u64> = 200..=50_000;
/// Passes over the table before a ghost that is never right is given up.
const MAX_PASSES: u32 = 4;
/// Connections lost in a row before a worker gives up.
const MAX_RECONNECTS: u32 = 10;
/// Keys an error or a log line names.
const KEYS_NAMED: usize = 10;

/// What verification works on.
pub struct Context {
    /// The tables.
    pub plan: Arc<Plan>,
    /// The server.
    pub upstream: Upstream,
    /// Keeps the ghost in step meanwhile.
    pub follower: Arc<dyn Follower>,
    /// Progress, for people.
    pub counters: Arc<Counters>,
    /// How many chunks may be compared at the same time, each on a connection of its own.
    pub share: Arc<Share>,
    /// Becomes true when the migration is to be given up.
    pub cancelled: watch::Receiver<bool>,
}

/// The passed verification of one ghost.
#[derive(Debug)]
pub struct Verified {
    rows: u64,
    repaired: u64,
}

impl Verified {
    /// Rows the last, clean pass compared.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that were wrong and had to be repaired before that pass.
    pub fn repaired(&self) -> u64 {
        self.repaired
    }
}

/// Compares the whole table until a pass finds nothing wrong.
///
/// # Errors
/// [`Error::Fatal`] for a ghost that is still wrong after several repairs, the answer 1317 when cancelled, and those of
/// the statements.
pub async fn run(context: &Context) -> Result<Verified> {
    let comparer = Comparer::new(Arc::clone(&context.plan), context.upstream.flavor())?;
    let mut repaired = 0;
    let mut faults = Vec::new();
    for _ in 0..MAX_PASSES {
        let pass = context.pass(&comparer).await?;
        if pass.faults.is_empty() {
            return Ok(Verified {
                rows: pass.rows,
                repaired,
            });
        }
        faults = pass.faults;
        repaired += context.repair(&faults).await?;
        slowpoint::pass("repaired").await;
    }
    Err(Error::fatal(format!(
        "the ghost of {} differs again after every repair, at {}",
        context.plan.source_name(),
        named(&faults)
    )))
}

/// What one pass over the table found.
#[derive(Default)]
struct Pass {
    rows: u64,
    faults: Vec<Key>,
}

/// The size of the next chunk, as the last comparison's duration suggests it.
struct ChunkRows(AtomicU64);

impl ChunkRows {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn learn(&self, took: Duration) {
        let ratio = CHUNK_TIME.as_secs_f64() / took.as_secs_f64().max(0.001);
        let rows = self.get() as f64 * ratio.clamp(0.5, 1.5);
        self.0.store(
            (rows as u64).clamp(*CHUNK_ROWS.start(), *CHUNK_ROWS.end()),
            Ordering::Relaxed,
        );
    }
}

impl Context {
    async fn pass(&self, comparer: &Comparer) -> Result<Pass> {
        let size = ChunkRows(AtomicU64::new(FIRST_CHUNK_ROWS));
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..STATEMENTS_MAX).map(|_| mpsc::channel(CHUNKS_AHEAD)).unzip();
        let workers = receivers
            .into_iter()
            .map(|ranges| self.work(comparer, ranges, &size));
        let ((), passes) = try_join(self.cut(comparer, senders, &size), try_join_all(workers)).await?;
        Ok(passes.into_iter().fold(Pass::default(), |mut whole, part| {
            whole.rows += part.rows;
            whole.faults.extend(part.faults);
            whole
        }))
    }

    /// Cuts the key space into chunks, without a gap and without an end: the first is open below, the last above.
    async fn cut(
        &self,
        comparer: &Comparer,
        workers: Vec<mpsc::Sender<Range>>,
        size: &ChunkRows,
    ) -> Result<()> {
        let mut conn = self.connect(comparer).await?;
        let mut after = None;
        let mut turn = 0;
        loop {
            self.check_cancelled()?;
            turn = (turn + 1) % self.share.statements();
            let Some(worker) = workers.get(turn) else {
                break;
            };
            let through = self
                .boundary(comparer, &mut conn, after.clone(), size.get())
                .await?;
            let range = Range {
                after,
                through: through.clone(),
            };
            // A worker that is gone has failed, and its error ends the pass.
            if worker.send(range).await.is_err() || through.is_none() {
                break;
            }
            after = through;
        }
        Ok(conn.disconnect().await?)
    }

    async fn boundary(
        &self,
        comparer: &Comparer,
        conn: &mut Conn,
        after: Option<Key>,
        rows: u64,
    ) -> Result<Option<Key>> {
        let mut failures = 0;
        loop {
            match comparer.boundary(conn, after.clone(), rows).await {
                Ok(key) => return Ok(key),
                Err(error) => *conn = self.connect_after(error, comparer, &mut failures).await?,
            }
        }
    }

    async fn work(
        &self,
        comparer: &Comparer,
        mut ranges: mpsc::Receiver<Range>,
        size: &ChunkRows,
    ) -> Result<Pass> {
        let mut conn = self.connect(comparer).await?;
        let mut pass = Pass::default();
        while let Some(range) = ranges.recv().await {
            self.check_cancelled()?;
            let mut failures = 0;
            let part = loop {
                match self.chunk(comparer, &mut conn, &range, size).await {
                    Ok(part) => break part,
                    Err(error) => conn = self.connect_after(error, comparer, &mut failures).await?,
                }
            };
            self.counters.rows_verified.add(part.rows);
            pass.rows += part.rows;
            pass.faults.extend(part.faults);
        }
        conn.disconnect().await?;
        Ok(pass)
    }

    async fn chunk(
        &self,
        comparer: &Comparer,
        conn: &mut Conn,
        range: &Range,
        size: &ChunkRows,
    ) -> Result<Pass> {
        let began = Instant::now();
        let counts = comparer.counts(conn, range).await?;
        size.learn(began.elapsed());
        failpoint::hit(Failpoint::ChunkCompared);
        let mut pass = Pass {
            rows: counts.source,
            faults: Vec::new(),
        };
        if !counts.equal() {
            let suspects = comparer.differing(conn, Rows::Range(range)).await?;
            let judge = Judge {
                context: self,
                comparer,
            };
            pass.faults = judge.faults(conn, suspects).await?;
        }
        Ok(pass)
    }

    async fn repair(&self, faults: &[Key]) -> Result<u64> {
        let count = faults.len() as u64;
        tracing::warn!(
            table = %self.plan.source_name(),
            rows = count,
            keys = named(faults),
            "rows of the ghost table differed from their source and are repaired"
        );
        failpoint::hit(Failpoint::FaultsFound);
        self.follower.reconcile_now(faults.to_vec()).await?;
        failpoint::hit(Failpoint::FaultsRepaired);
        self.counters.rows_repaired.add(count);
        Ok(count)
    }

    async fn connect(&self, comparer: &Comparer) -> Result<Conn> {
        let mut conn = self
            .upstream
            .worker(&self.plan.settings, &self.plan.time_zone, self.plan.native_copies)
            .await?;
        comparer.prepare(&mut conn).await?;
        Ok(conn)
    }

    /// A new connection after an error that another attempt may mend; the error itself if it may not.
    async fn connect_after(&self, error: Error, comparer: &Comparer, failures: &mut u32) -> Result<Conn> {
        let mut error = error;
        while matches!(error, Error::Transient(_)) && *failures < MAX_RECONNECTS {
            self.check_cancelled()?;
            *failures += 1;
            tokio::time::sleep(Duration::from_millis(50) * (1 << (*failures).min(6))).await;
            match self.connect(comparer).await {
                Ok(conn) => return Ok(conn),
                Err(again) => error = again,
            }
        }
        Err(error)
    }

    fn check_cancelled(&self) -> Result<()> {
        match *self.cancelled.borrow() {
            true => Err(interrupted()),
            false => Ok(()),
        }
    }
}

/// The answer to a statement that was killed.
pub(crate) fn interrupted() -> Error {
    Error::Answer(ServerError {
        code: 1317,
        state: "70100".to_owned(),
        message: "Query execution was interrupted".to_owned(),
    })
}

/// Whether the connection is gone, in contrast to a lock that was not granted.
pub(crate) fn lost_connection(error: &Error) -> bool {
    match error {
        Error::Transient(mysql_async::Error::Server(server)) => {
            use crate::error::{DEADLOCK, LOCK_NOWAIT, LOCK_WAIT_TIMEOUT};
            !matches!(server.code, LOCK_WAIT_TIMEOUT | DEADLOCK | LOCK_NOWAIT)
        }
        Error::Transient(_) => true,
        _ => false,
    }
}

fn named(keys: &[Key]) -> String {
    let some = keys.iter().take(KEYS_NAMED).map(|key| format!("{:?}", key.0));
    some.collect::<Vec<_>>().join(", ")
}
