//! Sessions that write to a table while it is altered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::task::JoinHandle;

use super::eventually;

/// The statements of one transaction, made from the writer's number and the transaction's.
pub(crate) type Transaction = Arc<dyn Fn(u64, u64) -> Vec<String> + Send + Sync>;

/// Writers at work. Each runs its transactions one after another until it is stopped or hears an error.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    committed: Vec<Arc<AtomicU64>>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Writers {
    /// Starts `count` writers and waits until each has committed something.
    pub(crate) async fn start(opts: Opts, count: u64, transaction: Transaction) -> Result<Writers> {
        let writers = Writers::begin(opts, count, transaction);
        writers.each_goes_on().await?;
        Ok(writers)
    }

    /// Starts `count` writers.
    pub(crate) fn begin(opts: Opts, count: u64, transaction: Transaction) -> Writers {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = Writers {
            stop,
            committed: Vec::new(),
            tasks: Vec::new(),
        };
        for number in 0..count {
            let committed = Arc::new(AtomicU64::new(0));
            writers.committed.push(Arc::clone(&committed));
            let work = write(
                opts.clone(),
                number,
                Arc::clone(&transaction),
                Arc::clone(&writers.stop),
                committed,
            );
            writers.tasks.push(tokio::spawn(work));
        }
        writers
    }

    /// Waits until each writer has committed one more transaction, or has failed.
    pub(crate) async fn each_goes_on(&self) -> Result<()> {
        let before: Vec<u64> = self
            .committed
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .collect();
        eventually("each writer commits", async || {
            let failed = self.tasks.iter().any(JoinHandle::is_finished);
            let moved = self
                .committed
                .iter()
                .zip(&before)
                .all(|(now, before)| now.load(Ordering::SeqCst) > *before);
            Ok((failed || moved).then_some(()))
        })
        .await
    }

    /// Ends the writers; fails if one of them heard an error. Gives the transactions each of them committed.
    pub(crate) async fn finish(self) -> Result<Vec<u64>> {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await??;
        }
        Ok(self
            .committed
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .collect())
    }
}

async fn write(
    opts: Opts,
    number: u64,
    transaction: Transaction,
    stop: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
) -> Result<()> {
    let mut conn = Conn::new(opts).await.context("a writer cannot connect")?;
    while !stop.load(Ordering::SeqCst) {
        let done = committed.load(Ordering::SeqCst);
        for statement in transaction(number, done) {
            conn.query_drop(&statement)
                .await
                .with_context(|| format!("a writer's `{statement}`"))?;
        }
        committed.store(done + 1, Ordering::SeqCst);
    }
    conn.disconnect().await?;
    Ok(())
}
