//! Where the application's statements are held for the moment of the swap.

use crate::TableName;

/// Holds traffic in front of a table. Implemented by whoever stands between the application and the server.
pub trait TrafficGate: Send + Sync + 'static {
    /// Holds every statement that names `table` and starts outside a transaction, until the guard is dropped.
    fn close(&self, table: &TableName) -> Box<dyn Send + Sync>;
}

/// A gate for an engine with no proxy in front: nothing is held, and waiting happens at the server's locks.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGate;

impl TrafficGate for NoGate {
    fn close(&self, _table: &TableName) -> Box<dyn Send + Sync> {
        Box::new(())
    }
}
