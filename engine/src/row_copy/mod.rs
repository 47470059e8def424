//! Copies every row there is, chunk by chunk, while the application goes on.
//!
//! # Invariants
//! * The watermark covers a chunk before the chunk is read; see [`Watermark`] for why that is enough.
//! * A chunk is told durable only after its COMMIT was acknowledged.
//! * What the client is told about data (warnings, the error that ends the change) is in key order, although chunks
//!   finish in any order: warnings wait for the chunks before theirs, and after an error the chunks in front of it
//!   are finished first, since one of them may hold an earlier one.

mod collector;
mod copy;
mod durable;
mod watermark;

pub use copy::{CopyReport, RowCopy, run};
pub use durable::ChunkDurable;
pub use watermark::Watermark;
