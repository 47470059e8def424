//! The work itself: rows copied and changes followed at the same time, then compared, then swapped.
//!
//! # Who runs
//! The streamer's task feeds the applier; the row copy runs beside it; both tell the ledger, and the ledger's word is
//! persisted. What ends the stream ends the copy and the comparison at once. The swap is never given up from outside:
//! it notices by itself, while it can still be undone, that the stream is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Shared;
use super::follow::{CHANNEL_ITEMS, StreamFailure, follow};
use super::outcome::{Altered, Warning};
use super::phase::Event;
use super::prepare::{self, Prepared};
use super::running::Running;
use super::store::Store;
use crate::applier::{self, ApplierHandle, Options};
use crate::binlog::{StreamRequest, Streamer};
use crate::checkpoint::{Checkpoint, Ledger};
use crate::chunk::SizeLimits;
use crate::counter::{self, BringBack};
use crate::cut_over::{self, Recorder};
use crate::failpoint::{self, Failpoint};
use crate::indexes::{self, Build, Deferred};
use crate::plan::Plan;
use crate::row_copy::{self, CopyReport, RowCopy};
use crate::session::Upstream;
use crate::verify::{self, Verified};
use crate::{Error, Result, names, owner_check, slowpoint, statistics, throttle};

/// How many warnings are kept for the client: `max_error_count` of its session cuts them further.
const MAX_WARNINGS: usize = 1024;

/// How often a checkpoint is persisted, if there is a new one.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// How long the stream may take to come to a change of the tables that has been noticed otherwise.
const STREAM_PATIENCE: Duration = Duration::from_secs(10);

/// Carries a prepared migration to its swap.
pub(super) async fn carry(
    shared: &Arc<Shared>,
    upstream: Upstream,
    running: &Arc<Running>,
    prepared: Prepared,
) -> Result<Altered> {
    let _work = shared.rest.work().await;
    let pipeline = Pipeline::start(shared, upstream, running, prepared).await?;
    let result = match pipeline.phases().await {
        Err(error @ (Error::Answer(_) | Error::Fatal(_))) => Err(pipeline.or_interference(error).await),
        other => other,
    };
    let stream = pipeline.stream.clone();
    pipeline.stop().await;
    // An ended stream ends the applier, and that is what everybody else hears of; why, the stream has said.
    result.map_err(|error| match error {
        Error::Answer(_) => error,
        heard => stream.take().unwrap_or(heard),
    })
}

struct Pipeline {
    shared: Arc<Shared>,
    /// The server, in one run of it.
    upstream: Upstream,
    /// Where the record is: in the same run of the server, which is the one that it speaks of.
    store: Arc<Store>,
    running: Arc<Running>,
    plan: Arc<Plan>,
    deferred: Deferred,
    ledger: Ledger,
    applier: ApplierHandle,
    stream: StreamFailure,
    tasks: [AbortHandle; 3],
}

impl Pipeline {
    async fn start(
        shared: &Arc<Shared>,
        upstream: Upstream,
        running: &Arc<Running>,
        prepared: Prepared,
    ) -> Result<Self> {
        let Prepared {
            plan,
            start,
            frontier,
            deferred,
        } = prepared;
        let request = StreamRequest {
            source: plan.source.name.clone(),
            columns: plan.source.columns.len(),
            key: plan.key.clone(),
            start: start.clone(),
        };
        let streamer = Streamer::open(&upstream, request).await?;
        let ledger = Ledger::start(&plan, frontier, Some(start));
        let (changes, received) = mpsc::channel(CHANNEL_ITEMS);
        let counters = Arc::clone(&running.counters);
        let applier = applier::start(
            Arc::clone(&plan),
            upstream.clone(),
            received,
            Options::default(),
            ledger.clone(),
            Arc::clone(&counters),
        );
        let stream = StreamFailure::default();
        let following = follow(streamer, ledger.watermark(), changes, counters, stream.clone());
        let throttling = throttle::watch_reasons(
            upstream.clone(),
            applier.clone(),
            running.throttle.clone(),
            Arc::clone(&running.share),
        );
        let store = Arc::new(Store::new(upstream.clone()));
        let persisting = persist(Arc::clone(&store), Arc::clone(running), ledger.clone());
        let tasks = [
            tokio::spawn(following).abort_handle(),
            tokio::spawn(throttling).abort_handle(),
            tokio::spawn(persisting).abort_handle(),
        ];
        Ok(Self {
            shared: Arc::clone(shared),
            upstream,
            store,
            running: Arc::clone(running),
            plan,
            deferred,
            ledger,
            applier,
            stream,
            tasks,
        })
    }

    async fn phases(&self) -> Result<Altered> {
        let report = tokio::select! {
            report = copy(&self.upstream, &self.running, &self.plan, &self.ledger) => report?,
            error = self.applier.failed() => return Err(error),
            error = self.shared.rest.asked() => return Err(error),
        };
        self.enter(Event::Copied).await?;
        failpoint::hit(Failpoint::Copied);
        tokio::select! {
            built = self.make_whole() => built?,
            error = self.applier.failed() => return Err(error),
            // The server goes on with a build that it has begun, and the next process finds it done.
            error = self.shared.rest.asked() => return Err(error),
        }
        self.enter(Event::Indexed).await?;
        failpoint::hit(Failpoint::Indexed);
        let verified = tokio::select! {
            verified = compare(&self.upstream, &self.running, &self.plan, &self.applier) => verified?,
            error = self.applier.failed() => return Err(error),
            error = self.shared.rest.asked() => return Err(error),
        };
        failpoint::hit(Failpoint::Verified);
        tokio::select! {
            agreed = self.ask_owner() => agreed?,
            error = self.applier.failed() => return Err(error),
            error = self.shared.rest.asked() => return Err(error),
        }
        let altered = self.altered(report, &verified);
        self.running.advance(Event::Verified)?;
        self.swap(verified).await?;
        self.running.advance(Event::Swapped)?;
        failpoint::hit(Failpoint::Swapped);
        Ok(altered)
    }

    /// Gives the ghost what was put off.
    async fn make_whole(&self) -> Result<()> {
        counter::bring_back(BringBack {
            plan: &self.plan,
            full: self.deferred.full(),
            aside: &names::aside(self.running.id()),
            upstream: &self.upstream,
            applier: &self.applier,
            cancelled: self.running.cancelled(),
        })
        .await?;
        indexes::build(Build {
            plan: &self.plan,
            deferred: &self.deferred,
            upstream: &self.upstream,
            applier: &self.applier,
            share: &self.running.share,
            cancelled: self.running.cancelled(),
        })
        .await?;
        let kept = names::kept_statistics(self.running.id());
        statistics::refresh(&self.upstream, &self.plan, &kept).await
    }

    async fn enter(&self, event: Event) -> Result<()> {
        let phase = self.running.advance(event)?;
        tracing::info!(migration = self.running.id(), table = %self.plan.source_name(), %phase, "next phase");
        self.store.go_on(self.running.id(), phase).await
    }

    /// The owner's own checks, before the swap.
    async fn ask_owner(&self) -> Result<()> {
        let checks = prepare::checks(&self.shared, self.running.task())?;
        owner_check::run(&self.cut_over(), &checks).await
    }

    fn cut_over(&self) -> cut_over::Context {
        cut_over::Context {
            plan: Arc::clone(&self.plan),
            upstream: self.upstream.clone(),
            follower: Arc::new(self.applier.clone()),
            gate: Arc::clone(&self.shared.gate),
            budget: cut_over::DEFAULT_BUDGET,
            recorder: Arc::new(Record {
                store: Arc::clone(&self.store),
                id: self.running.id(),
            }),
            counters: Arc::clone(&self.running.counters),
            cancelled: self.running.cancelled(),
        }
    }

    async fn swap(&self, verified: Verified) -> Result<()> {
        let swapped = cut_over::swap(&self.cut_over(), verified).await?;
        tracing::info!(
            migration = self.running.id(), table = %self.plan.source_name(),
            held_ms = swapped.held.as_millis(), attempts = swapped.attempts, "the tables are swapped"
        );
        Ok(())
    }

    fn altered(&self, report: CopyReport, verified: &Verified) -> Altered {
        let of_definition = self.plan.definition_warnings.clone();
        let warning_count = report.warning_count + of_definition.len() as u64;
        let warnings: Vec<Warning> = of_definition.into_iter().chain(report.warnings).collect();
        let rows = if self.plan.native_copies {
            verified.rows()
        } else {
            0
        };
        Altered {
            rows,
            warning_count,
            warnings,
        }
    }

    /// The error, or that somebody else has changed the tables: then a statement of ours was refused for that, and its error
    /// is no answer to the client's. The stream knows what was done to them, and may not have come there yet.
    async fn or_interference(&self, error: Error) -> Error {
        let Ok(false) = prepare::still_stand(&self.upstream, &self.plan).await else {
            return error;
        };
        match tokio::time::timeout(STREAM_PATIENCE, self.applier.failed()).await {
            // Not an answer, so that the stream's own words are told instead.
            Ok(heard) => Error::fatal(heard.to_string()),
            Err(_) => Error::fatal(format!(
                "the tables were changed by somebody else, and then: {error}"
            )),
        }
    }

    async fn stop(self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.applier.stop().await;
        let checkpoint = self.ledger.checkpoint().borrow().clone();
        if let Some(checkpoint) = checkpoint.filter(|_| self.shared.rest.is_asked()) {
            save(&self.store, &self.running, &checkpoint).await;
            let (migration, rows) = (self.running.id(), self.running.counters.rows_copied.get());
            tracing::info!(migration, table = %self.plan.source_name(), rows, "the migration rests until alterego is started again");
        }
    }
}

/// Persists each step of the cut-over that a crash must find recorded.
struct Record {
    store: Arc<Store>,
    id: u64,
}

#[async_trait::async_trait]
impl Recorder for Record {
    async fn cutting_over(&self, triggers: &str) -> Result<()> {
        self.store.cutting_over(self.id, triggers).await
    }
}

async fn copy(
    upstream: &Upstream,
    running: &Running,
    plan: &Arc<Plan>,
    ledger: &Ledger,
) -> Result<CopyReport> {
    row_copy::run(RowCopy {
        plan: Arc::clone(plan),
        upstream: upstream.clone(),
        ledger: ledger.clone(),
        counters: Arc::clone(&running.counters),
        share: Arc::clone(&running.share),
        limits: SizeLimits::of_environment(),
        throttle: running.throttle.subscribe(),
        cancel: running.cancelled(),
        warnings_max: MAX_WARNINGS,
    })
    .await
}

async fn compare(
    upstream: &Upstream,
    running: &Running,
    plan: &Arc<Plan>,
    applier: &ApplierHandle,
) -> Result<Verified> {
    slowpoint::pass("verifying").await;
    verify::run(&verify::Context {
        plan: Arc::clone(plan),
        upstream: upstream.clone(),
        follower: Arc::new(applier.clone()),
        counters: Arc::clone(&running.counters),
        share: Arc::clone(&running.share),
        cancelled: running.cancelled(),
    })
    .await
}

/// Writes the ledger's word to the state table, now and then. A checkpoint that cannot be written only means that
/// a resumed migration begins at the one before.
async fn persist(store: Arc<Store>, running: Arc<Running>, ledger: Ledger) {
    let mut checkpoints = ledger.checkpoint();
    while checkpoints.changed().await.is_ok() {
        let checkpoint = checkpoints.borrow_and_update().clone();
        if let Some(checkpoint) = checkpoint {
            failpoint::hit(Failpoint::CheckpointDue);
            if save(&store, &running, &checkpoint).await {
                failpoint::hit(Failpoint::Checkpointed);
            }
        }
        tokio::time::sleep(CHECKPOINT_INTERVAL).await;
    }
}

/// Whether it could be saved: the server may be gone at the moment.
async fn save(store: &Store, running: &Running, checkpoint: &Checkpoint) -> bool {
    let position = checkpoint.position.encode();
    let frontier = checkpoint.copied_through.encode();
    let counters = &running.counters;
    let (rows, changes) = (counters.rows_copied.get(), counters.changes_applied.get());
    let saved = store
        .checkpoint(running.id(), &position, &frontier, rows, changes)
        .await;
    if let Err(error) = &saved {
        tracing::warn!(migration = running.id(), %error, "a checkpoint could not be saved");
    }
    saved.is_ok()
}
