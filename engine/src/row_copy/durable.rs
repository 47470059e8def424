//! The fact that a chunk is committed.

use crate::checkpoint::Frontier;
use crate::chunk::Chunk;

/// A chunk is in the ghost, committed. Only the row copy can say so.
#[derive(Debug)]
pub struct ChunkDurable {
    ordinal: u64,
    through: Frontier,
}

impl ChunkDurable {
    /// To be called behind the acknowledged COMMIT of `chunk`, and nowhere else.
    pub(super) fn after_commit(chunk: &Chunk) -> Self {
        Self {
            ordinal: chunk.ordinal(),
            through: chunk.through(),
        }
    }

    pub(crate) fn into_parts(self) -> (u64, Frontier) {
        (self.ordinal, self.through)
    }

    #[cfg(test)]
    pub(crate) fn for_test(ordinal: u64, through: Frontier) -> Self {
        Self { ordinal, through }
    }
}
