//! Writers that outlive the proxy and the server: when a connection is lost they connect again and go on.
//!
//! Nobody knows whether a transaction whose COMMIT was not answered was committed. So a transaction must write the same to
//! everything that is compared afterwards, and none is run a second time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use alterego_testkit::Alterego;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder};
use tokio::task::JoinHandle;

use super::eventually;
use super::writers::Transaction;

/// Before somebody who is away is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Between two transactions of a writer. Without it few writers take a small machine whole, and what they write to dies
/// and comes back the more seldom.
const BREATH: Duration = Duration::from_millis(4);

/// Where to connect, which changes when a proxy is started again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Road(Arc<RwLock<Option<Opts>>>);

impl Road {
    /// The way to a server that keeps its port.
    pub(crate) fn to(opts: Opts) -> Road {
        let road = Road::default();
        road.lead(Some(opts));
        road
    }

    /// Leads to the proxy, once it listens.
    pub(crate) fn follow(&self, proxy: &Alterego) {
        let listens = proxy.listens().is_some();
        self.lead(listens.then(|| proxy.root_opts()));
    }

    /// Leads nowhere, until there is a proxy again.
    pub(crate) fn follow_nobody(&self) {
        self.lead(None);
    }

    fn lead(&self, opts: Option<Opts>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = opts;
    }

    /// A connection in READ COMMITTED, as soon as one can be had; `None` when `stop` comes first.
    pub(crate) async fn connect(&self, schema: &str, stop: &AtomicBool) -> Option<Conn> {
        while !stop.load(Ordering::SeqCst) {
            let opts = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(opts) = opts {
                let opts = OptsBuilder::from_opts(opts)
                    .db_name(Some(schema))
                    .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]);
                if let Ok(conn) = Conn::new(opts).await {
                    return Some(conn);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }
}

/// Whether the connection is gone, or about to go, and not the statement wrong.
pub(crate) fn is_lost(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Driver(_) => true,
        // Shutting down, connection killed, the client library's numbers for a lost server.
        Error::Server(error) => matches!(error.code, 1053 | 1152..=1161 | 1184 | 1927 | 2000..=2999),
        _ => false,
    }
}

/// The writers.
pub(crate) struct Survivors {
    stop: Arc<AtomicBool>,
    committed: Vec<Arc<AtomicU64>>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Survivors {
    /// Starts a writer on each road; `first` is the number of each one's first transaction.
    pub(crate) fn begin(roads: &[Road], first: u64, transaction: &Transaction) -> Survivors {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = Survivors {
            stop,
            committed: Vec::new(),
            tasks: Vec::new(),
        };
        for (number, road) in (0..).zip(roads) {
            let committed = Arc::new(AtomicU64::new(0));
            writers.committed.push(Arc::clone(&committed));
            let writer = Writer {
                road: road.clone(),
                number,
                next: first,
                transaction: Arc::clone(transaction),
                stop: Arc::clone(&writers.stop),
                committed,
            };
            writers.tasks.push(tokio::spawn(writer.run()));
        }
        writers
    }

    /// Waits until each writer has committed one more transaction, or has failed.
    pub(crate) async fn each_goes_on(&self) -> Result<()> {
        let before: Vec<u64> = self.counts();
        eventually("each writer commits", async || {
            let failed = self.tasks.iter().any(JoinHandle::is_finished);
            let moved = self
                .counts()
                .iter()
                .zip(&before)
                .all(|(now, before)| now > before);
            Ok((failed || moved).then_some(()))
        })
        .await
    }

    fn counts(&self) -> Vec<u64> {
        let counts = self.committed.iter();
        counts.map(|count| count.load(Ordering::SeqCst)).collect()
    }

    /// Ends the writers, each of which must have gone on to the last; fails if one of them heard a wrong answer.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.each_goes_on().await?;
        self.stop.store(true, Ordering::SeqCst);
        let committed = self.counts().iter().sum();
        for task in std::mem::take(&mut self.tasks) {
            task.await??;
        }
        ensure!(committed > 0, "nothing was written");
        Ok(committed)
    }
}

impl Drop for Survivors {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

struct Writer {
    road: Road,
    number: u64,
    next: u64,
    transaction: Transaction,
    stop: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
}

impl Writer {
    async fn run(mut self) -> Result<()> {
        while let Some(mut conn) = self.road.connect("app", &self.stop).await {
            while !self.stop.load(Ordering::SeqCst) {
                match self.write(&mut conn).await {
                    Ok(()) => {
                        self.committed.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(BREATH).await;
                    }
                    Err((error, _)) if is_lost(&error) => break,
                    Err((error, statement)) => {
                        return Err(error).with_context(|| format!("a writer's `{statement}`"));
                    }
                }
            }
        }
        Ok(())
    }

    async fn write(&mut self, conn: &mut Conn) -> Result<(), (Error, String)> {
        let transaction = (self.transaction)(self.number, self.next);
        self.next += 1;
        for statement in transaction {
            if let Err(error) = conn.query_drop(&statement).await {
                return Err((error, statement));
            }
        }
        Ok(())
    }
}
