//! What a running migration counts, for people to look at.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Raises it to `amount`, if it is less.
    pub fn raise(&self, amount: u64) {
        self.0.fetch_max(amount, Ordering::Relaxed);
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one migration in this process. No decision is taken from them.
#[derive(Debug, Default)]
pub struct Counters {
    /// Rows the row copy has written to the ghost.
    pub rows_copied: Counter,
    /// Keys the applier has reconciled.
    pub changes_applied: Counter,
    /// Row events of the source the streamer has read.
    pub events_read: Counter,
    /// Engine statements that met a lock and were tried again.
    pub lock_retries: Counter,
    /// Rows verification has compared.
    pub rows_verified: Counter,
    /// Rows verification found different after they had settled, and repaired.
    pub rows_repaired: Counter,
    /// Attempts at the cut-over.
    pub cut_over_attempts: Counter,
    /// The longest time that one of them held the application's statements, in microseconds.
    pub longest_hold_us: Counter,
}
