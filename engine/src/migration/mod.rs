//! Migrations: accepted, carried out, resumed, shown.
//!
//! [`Engine`] is the crate's front door. It knows which migrations are at work in this process, lets a client
//! that sends the same statement again attach to the one under way, and makes any other statement on the same
//! table wait its turn, as a metadata lock would.

mod carry_out;
mod follow;
mod old_tables;
mod outcome;
mod owner;
mod phase;
mod pipeline;
mod prepare;
mod rest;
mod running;
mod status;
mod store;
mod tidy;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use outcome::{Altered, Outcome, Warning};
pub use phase::Phase;
pub use running::Running;
pub use status::{COLUMNS, Status};
pub use store::Task;
use store::{Record, Store};

use crate::cut_over::TrafficGate;
use crate::session::Upstream;
use crate::{Result, TableName};

/// The decisions a user made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// How long a replaced table is kept; zero drops it once it is replaced.
    pub keep_old_table: Duration,
}

/// Carries out online schema changes on one upstream.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What every migration of one engine shares.
pub(crate) struct Shared {
    pub(crate) upstream: Upstream,
    pub(crate) store: Store,
    pub(crate) gate: Arc<dyn TrafficGate>,
    pub(crate) config: Config,
    pub(crate) rest: rest::Rest,
    at_work: Mutex<HashMap<TableName, Arc<Running>>>,
    /// What the state table said when it was last read: shown while the upstream is away.
    last_seen: Mutex<Vec<Status>>,
}

/// What came of asking for a migration.
enum Place {
    /// It is this one, begun now or by an earlier client.
    Mine(Arc<Running>),
    /// Another statement is at work on the table.
    Behind(Arc<Running>),
}

impl Engine {
    /// An engine on `upstream` that lets `gate` hold traffic at its cut-overs.
    pub fn new(upstream: Upstream, gate: Arc<dyn TrafficGate>, config: Config) -> Self {
        let store = Store::new(upstream.clone());
        Self {
            shared: Arc::new(Shared {
                upstream,
                store,
                gate,
                config,
                rest: rest::Rest::default(),
                at_work: Mutex::default(),
                last_seen: Mutex::default(),
            }),
        }
    }

    /// Prepares the state table and takes up what an earlier process left unfinished.
    ///
    /// # Errors
    /// The state table cannot be created or read.
    pub async fn resume(&self) -> Result<()> {
        self.shared.store.install().await?;
        for record in self.shared.store.unfinished().await? {
            self.take_up(record);
        }
        Ok(())
    }

    /// The migration of `task`: a new one, or the one under way if it is the same statement on the same table.
    /// Waits while another statement is at work on the table. Dropping what is returned ends nothing.
    pub async fn migrate(&self, task: Task) -> Arc<Running> {
        loop {
            match self.place(&task) {
                Place::Mine(running) => return running,
                Place::Behind(running) => drop(running.outcome().await),
            }
        }
    }

    /// Stops all work at a checkpoint, for the next process to take up; clients that wait here get no answer any more.
    pub async fn rest(&self) {
        self.shared.rest.come().await;
    }

    /// All migrations worth showing: those at work here with live figures, others as the state table has them.
    /// Without the upstream, those at work here and what the state table said when it was last read.
    pub async fn statuses(&self) -> Vec<Status> {
        let mut statuses: Vec<Status> = self
            .shared
            .at_work()
            .values()
            .map(|running| running.status())
            .collect();
        let recorded = tokio::time::timeout(Duration::from_secs(2), self.shared.store.recent()).await;
        let recorded = match recorded {
            Ok(Ok(records)) => self.remember(records.into_iter().map(status_of).collect()),
            _ => self.remembered(),
        };
        let unseen: Vec<Status> = recorded
            .into_iter()
            .filter(|record| statuses.iter().all(|known| known.id != record.id))
            .collect();
        statuses.extend(unseen);
        statuses.sort_by_key(|status| (status.phase.is_final(), std::cmp::Reverse(status.id)));
        statuses
    }

    fn remember(&self, records: Vec<Status>) -> Vec<Status> {
        records.clone_into(
            &mut self
                .shared
                .last_seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        records
    }

    fn remembered(&self) -> Vec<Status> {
        self.shared
            .last_seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn place(&self, task: &Task) -> Place {
        let mut at_work = self.shared.at_work();
        if let Some(running) = at_work.get(&task.source) {
            let same = running.task().statement == task.statement && running.task().settings == task.settings;
            let running = Arc::clone(running);
            return if same {
                Place::Mine(running)
            } else {
                Place::Behind(running)
            };
        }
        let running = Arc::new(Running::new(task.clone()));
        at_work.insert(task.source.clone(), Arc::clone(&running));
        drop(at_work);
        self.spawn(Arc::clone(&running));
        Place::Mine(running)
    }

    fn take_up(&self, record: Record) {
        match record.phase {
            Phase::Swapped | Phase::Done => {
                tokio::spawn(old_tables::clean_up(Arc::clone(&self.shared), record.into()));
                return;
            }
            Phase::Failed | Phase::Cancelled => {
                tokio::spawn(tidy::later(Arc::clone(&self.shared), record.into()));
                return;
            }
            _ => {}
        }
        let running = Arc::new(Running::from_record(&record));
        let taken = self
            .shared
            .at_work()
            .insert(record.task.source.clone(), Arc::clone(&running));
        debug_assert!(taken.is_none(), "resume runs before any client is served");
        self.spawn(running);
    }

    fn spawn(&self, running: Arc<Running>) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let outcome = carry_out::carry_out(&shared, &running).await;
            shared.at_work().remove(&running.task().source);
            running.end(outcome);
        });
    }
}

impl Shared {
    fn at_work(&self) -> MutexGuard<'_, HashMap<TableName, Arc<Running>>> {
        // The map is whole between any two statements of ours, so a panicked holder left nothing half-done.
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn status_of(record: Record) -> Status {
    Status {
        id: record.id,
        table: record.task.source,
        statement: record.task.statement,
        phase: record.phase,
        rows_copied: record.rows_copied,
        rows_estimated: record.rows_estimated.max(record.rows_copied),
        rows_per_second: None,
        rows_verified: 0,
        changes_applied: record.changes_applied,
        throttle: None,
        age: Duration::from_secs(record.age_seconds),
        message: record.message,
    }
}
