//! Migrations: accepted, carried out, resumed, shown.
//!
//! [`Engine`] is the crate's front door. It knows which migrations are at work in this process, lets a client
//! that sends the same statement again attach to the one under way, and makes any other statement on the same
//! table wait its turn, as a metadata lock would.

mod carry_out;
mod follow;
mod native;
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
mod turns;
mod way;

use std::collections::HashMap;
use std::future::ready;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub use native::{Native, Notes};
pub use outcome::{Altered, Outcome, Warning};
pub use phase::Phase;
pub use running::Running;
pub use status::{COLUMNS, Status};
pub use store::Task;
use store::{Record, Store};
use turns::{Turn, Turns};
pub use way::Way;

use crate::alter::ReadMode;
use crate::cut_over::TrafficGate;
use crate::names::STATE_SCHEMA;
use crate::owner_check::TableCheck;
use crate::session::Upstream;
use crate::{Ident, Result, TableName, binlog};

/// The decisions a user made.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How long a replaced table is kept; zero drops it once it is replaced.
    pub keep_old_table: Duration,
    /// The owner's checks, each with its table.
    pub checks: Vec<TableCheck>,
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
    turns: Turns,
    /// Told when a migration begins: who waits to begin the same attaches to it.
    begun: Notify,
    /// What the state table said when it was last read: shown while the upstream is away.
    last_seen: Mutex<Vec<Status>>,
}

/// A statement of a client's that is not carried out here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The text.
    pub sql: String,
    /// How its session reads it.
    pub mode: ReadMode,
    /// Its session's default schema.
    pub schema: Option<String>,
}

/// The right to change tables that migrations work on, one after the other; given back when dropped.
#[derive(Debug)]
pub struct Pass(Vec<(TableName, Turn)>);

impl Pass {
    fn turn_on(self, table: &TableName) -> Option<Turn> {
        let mut turns = self.0.into_iter();
        turns.find(|(of, _)| of == table).map(|(_, turn)| turn)
    }
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
                turns: Turns::default(),
                begun: Notify::new(),
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
    /// Waits while others change the table, unless its turn has come by `pass`. Dropping what is returned ends nothing.
    pub async fn migrate(&self, task: Task, pass: Option<Pass>) -> Arc<Running> {
        let task = Task {
            source: self.spelled(task.source),
            ..task
        };
        if let Some(turn) = pass.and_then(|pass| pass.turn_on(&task.source)) {
            return self.begin(Running::new(task), turn);
        }
        let mut turn = pin!(self.shared.turns.take(&task.source));
        loop {
            // Made before the look, so that no beginning between the look and the wait is missed.
            let begun = self.shared.begun.notified();
            if let Some(running) = self.same(&task) {
                return running;
            }
            tokio::select! {
                biased;
                turn = &mut turn => return self.begin(Running::new(task.clone()), turn),
                () = begun => {}
            }
        }
    }

    /// Whether `statement` may change a table that is worked on, as far as its names tell. Quick.
    pub fn may_concern(&self, statement: &str) -> bool {
        let at_work = self.shared.at_work();
        let names = |table: &TableName| {
            [table.table.as_str(), table.schema.as_str(), STATE_SCHEMA]
                .iter()
                .any(|name| contains_ignoring_case(statement, name))
        };
        at_work.keys().any(names)
    }

    /// Whether `statement` would change the definition of a table that is worked on, or empty it. A statement that is the
    /// same as the one under way does not count: it attaches.
    pub fn is_concerned(&self, statement: &Foreign) -> bool {
        !self.concerned(statement).is_empty()
    }

    /// Waits until nobody works on the tables that `statement` changes, and keeps everybody else from beginning to.
    pub async fn pass(&self, statement: &Foreign) -> Pass {
        // In one order for all, so that nobody waits for a turn of somebody who waits for theirs.
        let mut tables = self.concerned(statement);
        tables.sort();
        let mut turns = Vec::new();
        for table in tables {
            let turn = self.come(&table).await;
            turns.push((table, turn));
        }
        Pass(turns)
    }

    /// Waits for the turn on `table`, and says so.
    async fn come(&self, table: &TableName) -> Turn {
        let mut turn = pin!(self.shared.turns.take(table));
        tokio::select! {
            biased;
            turn = &mut turn => return turn,
            () = ready(()) => {}
        }
        // It has its place in the line by now: whoever reads this may rely on the order.
        tracing::info!(%table, "a schema change of the table is under way; the statement waits for it");
        turn.await
    }

    fn concerned(&self, statement: &Foreign) -> Vec<TableName> {
        let schema = statement.schema.as_deref().unwrap_or_default();
        let ignore_case = self.shared.upstream.ignores_case();
        let at_work = self.shared.at_work();
        let is_concerned = |running: &&Arc<Running>| {
            let task = running.task();
            task.statement != statement.sql
                && binlog::alters(&task.source, ignore_case, schema, &statement.sql, statement.mode)
        };
        let concerned = at_work.values().filter(is_concerned);
        concerned.map(|running| running.task().source.clone()).collect()
    }

    /// The table's name as all who mean it spell it.
    fn spelled(&self, table: TableName) -> TableName {
        if !self.shared.upstream.ignores_case() {
            return table;
        }
        let lower = |name: &Ident| Ident::new(name.as_str().to_lowercase());
        TableName {
            schema: lower(&table.schema),
            table: lower(&table.table),
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

    /// The migration under way that is the same as `task`.
    fn same(&self, task: &Task) -> Option<Arc<Running>> {
        let at_work = self.shared.at_work();
        let running = at_work.get(&task.source)?;
        let same = running.task().statement == task.statement && running.task().settings == task.settings;
        same.then(|| Arc::clone(running))
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
        let running = Running::from_record(&record);
        match self.shared.turns.take_now(&record.task.source) {
            Some(turn) => drop(self.begin(running, turn)),
            // Only what ended in a defect leaves two records of one table.
            None => {
                tracing::error!(migration = record.id, table = %record.task.source, "a second unfinished migration of the table is not taken up")
            }
        }
    }

    fn begin(&self, running: Running, turn: Turn) -> Arc<Running> {
        let running = Arc::new(running);
        let source = running.task().source.clone();
        self.shared.at_work().insert(source, Arc::clone(&running));
        self.shared.begun.notify_waiters();
        let (shared, work) = (Arc::clone(&self.shared), Arc::clone(&running));
        tokio::spawn(async move {
            let outcome = carry_out::carry_out(&shared, &work).await;
            shared.at_work().remove(&work.task().source);
            work.end(outcome);
            drop(turn);
        });
        running
    }
}

/// Whether `text` contains `name`, in any ASCII case; a name in other letters may be written in ways not known here, or in
/// quotes with some of its characters doubled.
fn contains_ignoring_case(text: &str, name: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    !name.as_bytes().iter().all(plain)
        || text
            .as_bytes()
            .windows(name.len())
            .any(|window| window.eq_ignore_ascii_case(name.as_bytes()))
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
        way: record.way,
        reason: record.reason,
        phase: record.phase,
        rows_copied: record.rows_copied,
        rows_estimated: record.rows_estimated.max(record.rows_copied),
        rows_per_second: None,
        rows_verified: 0,
        rows_repaired: record.rows_repaired,
        changes_applied: record.changes_applied,
        cut_over_attempts: record.cut_over_attempts,
        longest_hold: Duration::from_micros(record.longest_hold_us),
        throttle: None,
        age: Duration::from_secs(record.age_seconds),
        message: record.message,
    }
}
