//! Cutting the key space into chunks.
//!
//! # Invariant
//! Chunks tile the whole key space, (−∞,b₁], (b₁,b₂], …, (bₙ,+∞): a chunk begins where the one before ended, the first
//! has no lower end and the last no upper one. A boundary is only ever a place to cut; no decision about which rows
//! exist is taken from the read that found it, so it can be read from any snapshot.

mod boundary;
mod size;
mod tiling;

pub use boundary::{count_through, next_boundary};
pub use size::{ChunkSizer, SizeLimits};
pub use tiling::{Chunk, Tiling};
