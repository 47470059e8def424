//! One insert at a time, where the server cannot do more.
//!
//! # Why
//! With `innodb_autoinc_lock_mode` 0 or 1 (MariaDB's default is 1) an INSERT … SELECT into a table with an
//! AUTO_INCREMENT column locks the table's counter until the statement ends, even when it gives every value itself.
//! A second one cannot run beside it, and under MariaDB's NOWAIT, which is about every lock of the statement, it
//! fails at once. Writers that collide there roll back and halve their sets for nothing, so they take turns instead.
//! The lock is the statement's, not the transaction's: a COMMIT, with its flush, runs beside the next writer's turn.
//!
//! # Invariants
//! * Whoever waits for a turn holds no lock of the ghost. Whoever has it waits at most for a writer that is already
//!   committing. So turns cannot make a cycle.
//! * Nothing is correct only because of turns. A statement that outlived its connection may still be in the way;
//!   that is a lock conflict like any other.

use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Result;
use crate::table::Table;

/// `innodb_autoinc_lock_mode`: no statement locks the counter for longer than it takes to read it.
const INTERLEAVED: u8 = 2;

/// Whose turn it is to insert into one ghost. Clones are of the same turns; the default lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct Turns(Option<Arc<Mutex<()>>>);

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
        if mode == Some(INTERLEAVED) {
            return Ok(Self::default());
        }
        tracing::info!(
            ghost = %ghost.name,
            "rows are inserted by one statement at a time: the server locks AUTO_INCREMENT for each, and would not with \
             innodb_autoinc_lock_mode=2"
        );
        Ok(Self(Some(Arc::default())))
    }

    /// Waits for a turn; `None` where none is needed.
    pub(super) async fn take(&self) -> Option<Turn> {
        match &self.0 {
            Some(turns) => Some(Turn(Arc::clone(turns).lock_owned().await)),
            None => None,
        }
    }
}
