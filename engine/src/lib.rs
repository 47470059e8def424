//! One online schema change of a MySQL or MariaDB table.
//!
//! The engine never sees a client packet: it is given the text of an ALTER, the table it names and the
//! settings of the session that sent it, and rebuilds the table as a ghost table beside it, keeps it in step
//! from the binary log, verifies it and swaps it in.

pub mod alter;
pub mod applier;
pub mod binlog;
mod cancel;
pub mod checkpoint;
pub mod chunk;
mod conversion;
mod counter;
pub mod counters;
pub mod cut_over;
pub mod error;
pub mod failpoint;
pub mod flavor;
pub mod follower;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod ghost;
pub mod ident;
mod indexes;
pub mod key;
pub mod mapping;
pub mod migration;
pub mod names;
pub mod old_table;
pub mod owner_check;
pub mod plan;
pub mod position;
pub mod preflight;
mod processlist;
pub mod reconcile;
pub mod row_copy;
mod server_run;
pub mod session;
mod slowpoint;
mod statistics;
pub mod table;
pub mod throttle;
mod triggers;
pub mod verify;

pub use error::{Error, Refusal, Result, ServerError};
pub use flavor::{Flavor, ServerVersion};
pub use ident::{Ident, TableName};
