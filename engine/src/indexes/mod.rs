//! Secondary indexes that are built after the row copy instead of row by row.
//!
//! Rows come in the order of the key they are copied by and so, for any other index, in random order: half of a row
//! copy's work would be to find each entry's page. Sorted first, the entries are written in one pass. So the ghost is
//! filled without them, and they are built before the comparison. No other session uses the ghost by then.
//!
//! # When not
//! `ADD KEY` is one statement of the binary log, and a replica applies it while nothing behind it moves. Where a replica
//! would wait, the indexes are filled row by row (`replicas.rs`).
//!
//! # Invariants
//! * **The definition is the server's.** Before the first row the indexes are taken away and put back once, and only if
//!   `SHOW CREATE TABLE` says the same as before are they put off; after the build it has to say it again.
//! * **A new unique key is never put off**: the data may violate it, and that is to be known early.
//! * **A unique key finds no stale row.** Why the build cannot stumble over a value that has moved is in `build.rs`.

mod build;
mod choose;
mod put_off;
mod replicas;

pub(crate) use build::{Build, build};
pub(crate) use choose::Deferred;
pub(crate) use put_off::{Attempt, create_of, put_off};
