//! What verification and the cut-over ask of whoever keeps the ghost in step with the source.
//!
//! # Invariant
//! "Applied through P" means: every change of the source in the binary log up to P has been reconciled and
//! committed. A follower says it only after it heard that P has passed through its own queue.

use async_trait::async_trait;
use mysql_async::Conn;

use crate::applier::ApplierHandle;
use crate::key::Key;
use crate::position::Position;
use crate::{Error, Result};

/// Keeps the ghost in step with the source.
#[async_trait]
pub trait Follower: Send + Sync {
    /// How many changes are collected and not reconciled yet.
    fn backlog(&self) -> usize;

    /// Waits until everything through `position` is applied. Dropping the future has no effect on the follower.
    async fn wait_applied(&self, position: &Position) -> Result<()>;

    /// Stops reconciling: when this returns no statement is in flight. Changes are still collected.
    async fn pause(&self) -> Result<()>;

    /// Goes on after [`Follower::pause`].
    fn resume(&self);

    /// Reconciles everything through `position` on `conn`, which holds the locks of both tables and no open
    /// transaction; the locks are still held when this returns. A change is forgotten only once its statement has
    /// succeeded, so that the future can be dropped, and the session killed, at any point.
    async fn drain_on(&self, conn: &mut Conn, position: &Position) -> Result<u64>;

    /// Reconciles these keys, committed when this returns.
    async fn reconcile_now(&self, keys: Vec<Key>) -> Result<()>;

    /// Returns the error that ended it, once one has.
    async fn failed(&self) -> Error {
        std::future::pending().await
    }
}

#[async_trait]
impl Follower for ApplierHandle {
    fn backlog(&self) -> usize {
        self.backlog()
    }

    async fn wait_applied(&self, position: &Position) -> Result<()> {
        self.wait_applied(position).await
    }

    async fn pause(&self) -> Result<()> {
        self.pause().await;
        Ok(())
    }

    fn resume(&self) {
        self.resume();
    }

    async fn drain_on(&self, conn: &mut Conn, position: &Position) -> Result<u64> {
        self.drain_on(conn, position).await
    }

    async fn reconcile_now(&self, keys: Vec<Key>) -> Result<()> {
        self.reconcile_now(keys).await
    }

    async fn failed(&self) -> Error {
        self.failed().await
    }
}
