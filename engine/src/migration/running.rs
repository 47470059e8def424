//! A migration at work in this process, as others see it: its status, its end, and the way to cancel it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::outcome::Outcome;
use super::phase::{Event, Impossible, Phase};
use super::status::Status;
use super::store::{Record, Task};
use super::way::Way;
use crate::counters::Counters;
use crate::throttle::Share;

/// One migration at work.
#[derive(Debug)]
pub struct Running {
    task: Task,
    id: AtomicU64,
    rows_estimated: AtomicU64,
    phase: watch::Sender<Phase>,
    /// What it counts.
    pub counters: Arc<Counters>,
    /// Why the row copy stands still.
    pub throttle: watch::Sender<Option<String>>,
    /// How much of the server it takes.
    pub share: Arc<Share>,
    cancel: watch::Sender<bool>,
    outcome: watch::Sender<Option<Outcome>>,
    rate: Mutex<Rate>,
    began: Instant,
    age_before: Duration,
}

impl Running {
    /// A migration that is about to begin.
    pub(super) fn new(task: Task) -> Self {
        Self {
            task,
            id: AtomicU64::new(0),
            rows_estimated: AtomicU64::new(0),
            phase: watch::Sender::new(Phase::Preparing),
            counters: Arc::default(),
            throttle: watch::Sender::new(None),
            share: Arc::default(),
            cancel: watch::Sender::new(false),
            outcome: watch::Sender::new(None),
            rate: Mutex::default(),
            began: Instant::now(),
            age_before: Duration::ZERO,
        }
    }

    /// A migration of an earlier process that is about to be taken up again.
    pub(super) fn from_record(record: &Record) -> Self {
        let mut running = Self::new(record.task.clone());
        running.id = AtomicU64::new(record.id);
        running.rows_estimated = AtomicU64::new(record.rows_estimated);
        running.phase.send_replace(record.phase);
        running.age_before = Duration::from_secs(record.age_seconds);
        let counters = &running.counters;
        counters.rows_copied.add(record.rows_copied);
        counters.changes_applied.add(record.changes_applied);
        counters.rows_repaired.add(record.rows_repaired);
        counters.cut_over_attempts.add(record.cut_over_attempts);
        counters.longest_hold_us.raise(record.longest_hold_us);
        running
    }

    /// What it is to do.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Its number in the state table; 0 until it has one.
    pub fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    pub(super) fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    /// Takes up where the record says that the migration stands.
    pub(super) fn stands(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Forgets its number and how far it came: the server has no record of it.
    pub(super) fn begin_anew(&self) {
        self.set_id(0);
        self.stands(Phase::Preparing);
    }

    pub(super) fn set_rows_estimated(&self, rows: u64) {
        self.rows_estimated.store(rows, Ordering::Relaxed);
    }

    pub(super) fn rows_estimated(&self) -> u64 {
        self.rows_estimated.load(Ordering::Relaxed)
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Moves on to the phase after `event`.
    pub(super) fn advance(&self, event: Event) -> Result<Phase, Impossible> {
        let next = self.phase().next(event)?;
        self.phase.send_replace(next);
        Ok(next)
    }

    /// Asks it to give up. It does, unless the swap is already under way.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    pub(super) fn cancelled(&self) -> watch::Receiver<bool> {
        self.cancel.subscribe()
    }

    pub(super) fn end(&self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }

    /// Waits for its end.
    pub async fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.subscribe();
        // The sender lives in `self`, so waiting cannot fail while this borrow does.
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Outcome::Cancelled),
            Err(_) => Outcome::Cancelled,
        }
    }

    /// What people see of it now.
    pub fn status(&self) -> Status {
        let phase = self.phase();
        let rows_copied = self.counters.rows_copied.get();
        let rows_verified = self.counters.rows_verified.get();
        let rows_per_second = match phase {
            Phase::Copying => self.rate(phase, rows_copied),
            Phase::Verifying => self.rate(phase, rows_verified),
            _ => None,
        };
        Status {
            id: self.id(),
            table: self.task.source.clone(),
            statement: self.task.statement.clone(),
            way: Way::Ghost,
            reason: None,
            phase,
            rows_copied,
            rows_estimated: self.rows_estimated().max(rows_copied),
            rows_per_second,
            rows_verified,
            rows_repaired: self.counters.rows_repaired.get(),
            changes_applied: self.counters.changes_applied.get(),
            cut_over_attempts: self.counters.cut_over_attempts.get(),
            longest_hold: Duration::from_micros(self.counters.longest_hold_us.get()),
            throttle: (phase == Phase::Copying)
                .then(|| self.throttle.borrow().clone())
                .flatten(),
            age: self.age_before + self.began.elapsed(),
            message: None,
        }
    }

    fn rate(&self, phase: Phase, rows: u64) -> Option<u64> {
        self.rate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .measure(phase, rows, Instant::now())
    }
}

/// Rows a second over a sliding window, measured by whoever asks.
#[derive(Debug, Default)]
struct Rate {
    /// The phase the samples belong to; another phase begins anew.
    phase: Option<Phase>,
    older: Option<(Instant, u64)>,
    newer: Option<(Instant, u64)>,
}

/// A window slides on after this long, so a rate speaks of the last two to four seconds.
const WINDOW: Duration = Duration::from_secs(2);

impl Rate {
    fn measure(&mut self, phase: Phase, rows: u64, now: Instant) -> Option<u64> {
        if self.phase != Some(phase) {
            *self = Self {
                phase: Some(phase),
                older: Some((now, rows)),
                newer: Some((now, rows)),
            };
            return None;
        }
        if self.newer.is_some_and(|(at, _)| now.duration_since(at) >= WINDOW) {
            self.older = self.newer.replace((now, rows));
        }
        let (since, before) = self.older?;
        let seconds = now.duration_since(since).as_secs_f64();
        (seconds > 0.0).then(|| (rows.saturating_sub(before) as f64 / seconds) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_speaks_of_the_last_seconds() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rate = Rate::default();
        assert_eq!(rate.measure(Phase::Copying, 0, at(0)), None);
        assert_eq!(rate.measure(Phase::Copying, 100, at(1)), Some(100));
        assert_eq!(rate.measure(Phase::Copying, 400, at(4)), Some(100));
        assert_eq!(rate.measure(Phase::Copying, 400, at(8)), Some(0));
        assert_eq!(rate.measure(Phase::Verifying, 7, at(9)), None);
    }
}
