//! One insert at a time, where the server cannot do more.
//!
//! # Why
//! With `innodb_autoinc_lock_mode` 0 or 1 (MariaDB's default is 1) an INSERT … SELECT into a table with an
//! AUTO_INCREMENT column locks the table's counter until the statement ends, even when it gives every value itself.
//! A second one cannot run beside it, and under MariaDB's NOWAIT, which is about every lock of the statement, it
//! fails at once. Writers that collide there roll back and halve their sets for nothing, so they take turns instead.
//! The lock is the statement's, not the transaction's: a COMMIT, with its flush, runs beside the next writer's turn.
//! Where it can, the ghost is filled without its counter instead (`counter/`), and turns are suspended meanwhile.
//!
//! # Invariants
//! * Whoever waits for a turn holds no lock of the ghost. Whoever has it waits at most for a writer that is already
//!   committing. So turns cannot make a cycle.
//! * Nothing is correct only because of turns. A statement that outlived its connection may still be in the way;
//!   that is a lock conflict like any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Result;
use crate::table::Table;

/// `innodb_autoinc_lock_mode`: no statement locks the counter for longer than it takes to read it.
const INTERLEAVED: u8 = 2;

/// Whose turn it is to insert into one ghost. Clones are of the same turns; the default lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct Turns(Option<Arc<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    turn: Arc<Mutex<()>>,
    /// The ghost is without its counter for now.
    suspended: AtomicBool,
}

/// Nobody else inserts until this is dropped.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held, never read")] OwnedMutexGuard<()>);

impl Turns {
    /// The turns that writers of `ghost` have to take on this server.
    ///
    /// # Errors
    /// Those of asking it.
    pub async fn for_ghost(conn: &mut Conn, ghost: &Table) -> Result<Self> {
        if !ghost.columns.iter().any(|column| column.auto_increment) {
            return Ok(Self::default());
        }
        let mode: Option<u8> = conn.query_first("SELECT @@innodb_autoinc_lock_mode").await?;
        Ok(match mode {
            Some(INTERLEAVED) => Self::default(),
            _ => Self(Some(Arc::default())),
        })
    }

    /// The turns of a ghost that is without its counter.
    pub(crate) fn suspended() -> Self {
        let turns = Self(Some(Arc::default()));
        turns.suspend();
        turns
    }

    /// Whether writers have to take turns.
    pub(crate) fn are_taken(&self) -> bool {
        self.0.is_some() && !self.are_suspended()
    }

    /// Whether writers will have to take turns, and need not now.
    pub(crate) fn are_suspended(&self) -> bool {
        let queue = self.0.as_ref();
        queue.is_some_and(|queue| queue.suspended.load(Ordering::Acquire))
    }

    /// Lets everybody in; the ghost is without its counter.
    pub(crate) fn suspend(&self) {
        self.set_suspended(true);
    }

    /// Has writers take turns again; none is at work.
    pub(crate) fn resume(&self) {
        self.set_suspended(false);
    }

    fn set_suspended(&self, suspended: bool) {
        if let Some(queue) = &self.0 {
            queue.suspended.store(suspended, Ordering::Release);
        }
    }

    /// Waits for a turn; `None` where none is needed.
    pub(super) async fn take(&self) -> Option<Turn> {
        match &self.0 {
            Some(queue) if !self.are_suspended() => Some(Turn(Arc::clone(&queue.turn).lock_owned().await)),
            _ => None,
        }
    }
}
