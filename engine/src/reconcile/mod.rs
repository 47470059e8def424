//! The one way rows get into the ghost: ghost rows of a set of keys := source rows of that set.
//!
//! # The statement
//! One transaction in READ COMMITTED: delete the set from the ghost, then insert what the source holds of it *now*,
//! read under a shared lock (`FOR SHARE NOWAIT`). The set is a range (row copy) or a list of keys (changes).
//!
//! # Invariants, and why they hold
//! * **The newest word wins.** A writer holds the shared locks of the rows it read until its ghost rows are
//!   committed. Whoever writes a newer version of a row read it after the application changed it, hence after those
//!   locks were gone, hence after the older version was committed. Two writers of one key can run at the same time
//!   in any order and leave the source's row.
//! * **No wait while holding.** Source locks are taken with NOWAIT; on a conflict everything is rolled back and the
//!   set is halved. For a set that cannot be halved the wait is the first statement of its transaction. The ghost is
//!   locked by the engine only, and an engine writer that waits for another one there waits for somebody who in turn
//!   waits for nobody outside the engine: no cycle can run through the application.
//! * **REPLACE cannot lose a row** while every unique key of the ghost is also one of the source. Where it displaces
//!   a ghost row, that row's unique value is held by another row in the source, so the displaced one has changed
//!   there since it was written, and its own change is still to be reconciled.
//! * **A new unique key forbids REPLACE**: the data itself may hold the value twice, and the answer to that is the
//!   server's 1062. See `unique.rs`.
//!
//! Statements name columns `schema.table.column` and use no alias, so the same text runs under LOCK TABLES.

mod backoff;
mod batch;
mod locked;
mod message;
mod native;
mod removed;
mod sql;
mod turns;
mod unique;
mod worker;
mod writer;
mod written;

pub use locked::keys_on;
pub use removed::remove_on;
pub use turns::Turns;
pub use worker::Worker;
pub use writer::Writer;
pub use written::{Warning, Written};

pub(crate) use backoff::Backoff;
pub(crate) use message::{rename_ghost, shift_row};
