//! Where the application's statements are held for the moment of the swap.

use std::time::Duration;

use async_trait::async_trait;

use crate::TableName;

/// Holds traffic in front of a table. Implemented by whoever stands between the application and the server.
pub trait TrafficGate: Send + Sync + 'static {
    /// Follows who has to do with any of `tables`, until the answer is dropped: a gate can only be drained of sessions that
    /// were seen to enter. Who is inside of one of them is let into the others, or would never come out.
    fn watch(&self, tables: &[TableName]) -> Box<dyn WatchedGate>;

    /// The ghost is in the table's place. Called before the gate opens: a snapshot of the data from before must not be
    /// read with, because the ghost was filled after it.
    fn swapped(&self, table: &TableName);
}

/// The gate of a table whose cut-over is being tried, and of what is locked with it.
pub trait WatchedGate: Send + Sync {
    /// Holds every statement that names a table of it, until the answer is dropped. Sessions whose open transaction has named
    /// one go on, and must: they hold metadata locks.
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
    fn watch(&self, _tables: &[TableName]) -> Box<dyn WatchedGate> {
        Box::new(*self)
    }

    fn swapped(&self, _table: &TableName) {}
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
