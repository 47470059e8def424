//! A worker of the applier: writes the batches it is handed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::change_set::Batch;
use crate::key::Key;
use crate::plan::Plan;
use crate::reconcile::Worker;
use crate::session::Upstream;
use crate::{Result, slowpoint};

/// What came of a batch.
#[derive(Debug)]
pub(super) struct Landed {
    /// Which worker is idle again.
    pub(super) hand: usize,
    pub(super) batch: Batch,
    pub(super) took: Duration,
    /// The keys whose rows were locked.
    pub(super) outcome: Result<Vec<Key>>,
}

/// Starts worker number `hand`; it ends when its channel closes.
pub(super) fn start(
    hand: usize,
    plan: Arc<Plan>,
    upstream: Upstream,
    landed: mpsc::Sender<Landed>,
) -> mpsc::Sender<Batch> {
    let (give, mut batches) = mpsc::channel::<Batch>(1);
    tokio::spawn(async move {
        let mut worker = Worker::new(upstream, plan, 0);
        while let Some(batch) = batches.recv().await {
            slowpoint::pass("applier_batch").await;
            let began = Instant::now();
            let outcome = write(&mut worker, &batch).await;
            let report = Landed {
                hand,
                batch,
                took: began.elapsed(),
                outcome,
            };
            if landed.send(report).await.is_err() {
                return;
            }
        }
    });
    give
}

async fn write(worker: &mut Worker, batch: &Batch) -> Result<Vec<Key>> {
    let mut keys = batch.keys();
    // Neighbours are read together, and two workers meet in the same order.
    keys.sort_by(|a, b| a.0.cmp(&b.0));
    match batch.wait {
        true => worker.keys_waiting(&keys).await,
        false => worker.keys_unlocked(&keys).await,
    }
}
