//! How long to wait before the next attempt.

use std::time::Duration;

use rand::RngExt;

/// Pauses that double from a first to a longest, with jitter so that two who collided do not collide again.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses between `first` and `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// For locks: transactions of an application last milliseconds.
    pub(crate) fn for_locks() -> Self {
        Self::new(Duration::from_millis(1), Duration::from_millis(50))
    }

    /// For connections: a server restarts in seconds to minutes.
    pub(crate) fn for_connections() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(2))
    }

    /// Sleeps, and doubles the next pause.
    pub(crate) async fn pause(&mut self) {
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(self.next.mul_f64(jitter)).await;
        self.next = (self.next * 2).min(self.longest);
    }

    /// Something went well: begin anew.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}
