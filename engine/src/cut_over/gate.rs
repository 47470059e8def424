//! Where the application's statements are held for the moment of the swap.

use std::time::Duration;

use async_trait::async_trait;

use crate::TableName;

/// Holds traffic in front of a table. Implemented by whoever stands between the application and the server.
pub trait TrafficGate: Send + Sync + 'static {
    /// Follows who has to do with `table`, until the answer is dropped: a gate can only be drained of sessions that were
    /// seen to enter.
    fn watch(&self, table: &TableName) -> Box<dyn WatchedGate>;
}

/// The gate of a table whose cut-over is being tried.
pub trait WatchedGate: Send + Sync {
    /// Holds every statement that names the table, until the answer is dropped. Sessions whose open transaction has named
    /// it go on, and must: they hold its metadata lock.
    fn close(&self) -> Box<dyn ClosedGate>;

    /// For how long the longest of those transactions has been open; zero without any.
    fn longest_stay(&self) -> Duration;
}

/// A closed gate.
#[async_trait]
pub trait ClosedGate: Send + Sync {
    /// Returns when no session that came through the gate has to do with the table any more.
    async fn drained(&self);
}

/// A gate for an engine with no proxy in front: nothing is held, and waiting happens at the server's locks.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGate;

impl TrafficGate for NoGate {
    fn watch(&self, _table: &TableName) -> Box<dyn WatchedGate> {
        Box::new(*self)
    }
}

impl WatchedGate for NoGate {
    fn close(&self) -> Box<dyn ClosedGate> {
        Box::new(*self)
    }

    fn longest_stay(&self) -> Duration {
        Duration::ZERO
    }
}

#[async_trait]
impl ClosedGate for NoGate {
    async fn drained(&self) {}
}
