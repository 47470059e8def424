//! AUTO_INCREMENT, which the ghost lacks while it is filled (MariaDB).
//!
//! With the attribute one session at a time could fill it (`reconcile/turns.rs`). Without, the column is a number like any
//! other: each row brings its value along. So the empty ghost gives the attribute up, and has it back before its secondary
//! indexes are built.
//!
//! # How it comes back
//! MariaDB gives a column AUTO_INCREMENT by copying the table only. So the rows step aside: EXCHANGE PARTITION makes them
//! those of a partitioned table with the same columns, in a moment, since files change names and no row moves. The ghost,
//! now empty, is given the attribute, and the second exchange brings the rows back. The server compares the two
//! definitions at each exchange, but not in this attribute where only the unpartitioned table has it.
//!
//! # Why no row is lost
//! * Nobody writes: the applier stands still from before the first exchange until after the second.
//! * The table aside is made before the first exchange and dropped after everything else. So it is there exactly as long as
//!   the way is not gone to its end, and where the rows are says how far it was gone: aside, or in a ghost with the
//!   attribute, or in one without. Each is gone on from (`give_back.rs`), by a process that resumes too, before anything
//!   else is looked at.
//! * Before the first row is copied the whole way is gone once with the empty ghost. Only where the server then describes
//!   it as before does it give its attribute up. Tables with a unique key that cannot be put off cannot go it, nor those
//!   with a full-text index.

mod bring_back;
mod definition;
mod give_back;
mod put_off;
mod resume;

pub(crate) use bring_back::{BringBack, bring_back};
pub(crate) use put_off::{Attempt, put_off};
pub(crate) use resume::resume;
