//! The arithmetic of the ledger.

use std::collections::BTreeMap;

use super::Frontier;
use crate::applier::AppliedThrough;
use crate::position::Position;
use crate::row_copy::ChunkDurable;

/// Where a migration may be resumed from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Every change at or before it is in the ghost, or in the part that is copied anew.
    pub position: Position,
    /// Everything up to here is in the ghost.
    pub copied_through: Frontier,
}

/// Keeps the contiguous frontier of durable chunks, and the position applied through.
#[derive(Debug)]
pub(super) struct Book {
    position: Option<Position>,
    copied_through: Frontier,
    next_ordinal: u64,
    /// Chunks that are durable before one in front of them is.
    ahead: BTreeMap<u64, Frontier>,
}

impl Book {
    pub(super) fn new(copied_through: Frontier, position: Option<Position>) -> Self {
        Self {
            position,
            copied_through,
            next_ordinal: 0,
            ahead: BTreeMap::new(),
        }
    }

    pub(super) fn applied_through(&mut self, fact: AppliedThrough) {
        let position = fact.into_position();
        // A stream that was reopened may say something again that is known already.
        if !self
            .position
            .as_ref()
            .is_some_and(|known| known.at_or_after(&position))
        {
            self.position = Some(position);
        }
    }

    pub(super) fn chunk_durable(&mut self, fact: ChunkDurable) {
        let (ordinal, through) = fact.into_parts();
        self.ahead.insert(ordinal, through);
        while let Some(through) = self.ahead.remove(&self.next_ordinal) {
            self.copied_through = through;
            self.next_ordinal += 1;
        }
    }

    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        Some(Checkpoint {
            position: self.position.clone()?,
            copied_through: self.copied_through.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::{Key, KeyValue};

    fn frontier(n: u64) -> Frontier {
        Frontier::Key(Key(vec![KeyValue::Uint(n)]))
    }

    fn position(offset: u64) -> Position {
        Position {
            server: "s".to_owned(),
            file: "log.000001".to_owned(),
            offset,
            gtids: None,
        }
    }

    proptest! {
        #[test]
        fn the_frontier_is_the_contiguous_part(order in Just((0..12u64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut book = Book::new(Frontier::Nothing, Some(position(4)));
            let mut heard = Vec::new();
            for ordinal in order {
                heard.push(ordinal);
                book.chunk_durable(ChunkDurable::for_test(ordinal, frontier(ordinal)));
                let contiguous = (0..12).take_while(|n| heard.contains(n)).last();
                let expected = contiguous.map_or(Frontier::Nothing, frontier);
                prop_assert_eq!(book.checkpoint().map(|c| c.copied_through), Some(expected));
            }
        }
    }

    #[test]
    fn without_a_position_there_is_no_checkpoint() {
        let mut book = Book::new(Frontier::Nothing, None);
        book.chunk_durable(ChunkDurable::for_test(0, Frontier::Everything));
        assert_eq!(book.checkpoint(), None);
        book.applied_through(AppliedThrough::for_test(position(100)));
        book.applied_through(AppliedThrough::for_test(position(50)));
        let expected = Checkpoint {
            position: position(100),
            copied_through: Frontier::Everything,
        };
        assert_eq!(book.checkpoint(), Some(expected));
    }
}
