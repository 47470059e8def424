//! What the clients count together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many error texts are kept; all are counted.
const ERRORS_KEPT: usize = 100;

/// A statement and how long its answer took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stall {
    /// From sending the statement to the whole answer.
    pub duration: Duration,
    /// The statement, without its values.
    pub statement: String,
}

#[derive(Debug, Default)]
pub(super) struct Stats {
    statements: AtomicU64,
    transactions: AtomicU64,
    changes: AtomicU64,
    error_count: AtomicU64,
    errors: Mutex<Vec<String>>,
    longest: Mutex<Stall>,
}

impl Stats {
    pub(super) fn statement(&self, sql: &str, took: Duration) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        if took > longest.duration {
            *longest = Stall {
                duration: took,
                statement: sql.to_owned(),
            };
        }
    }

    pub(super) fn committed(&self, changes: u64) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes, Ordering::Relaxed);
    }

    pub(super) fn error(&self, text: String) {
        self.error_count.fetch_add(1, Ordering::Relaxed);
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < ERRORS_KEPT {
            errors.push(text);
        }
    }

    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(super) fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub(super) fn error_count(&self) -> u64 {
        self.error_count.load(Ordering::Relaxed)
    }

    pub(super) fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn longest_stall(&self) -> Stall {
        self.longest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn take_longest_stall(&self) -> Stall {
        std::mem::take(&mut *self.longest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
