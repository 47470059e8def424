//! Chunks that cannot leave a gap.

use crate::checkpoint::Frontier;
use crate::key::{Key, Range};

/// One tile of the key space. Only a [`Tiling`] makes chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    ordinal: u64,
    range: Range,
}

impl Chunk {
    /// Its place among the chunks of this tiling, from 0.
    pub fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// The keys in it.
    pub fn range(&self) -> &Range {
        &self.range
    }

    /// Everything up to and with this chunk.
    pub fn through(&self) -> Frontier {
        match &self.range.through {
            Some(key) => Frontier::Key(key.clone()),
            None => Frontier::Everything,
        }
    }
}

/// What is left of the key space to be cut into chunks.
///
/// The caller says where a chunk ends, never where it begins: that is where the last one ended.
#[derive(Clone, Debug)]
pub struct Tiling {
    next_ordinal: u64,
    cut: Frontier,
}

impl Tiling {
    /// Begins behind `start`.
    pub fn behind(start: Frontier) -> Self {
        Self {
            next_ordinal: 0,
            cut: start,
        }
    }

    /// Everything up to here is in a chunk.
    pub fn cut(&self) -> &Frontier {
        &self.cut
    }

    /// Cuts the next chunk, through `boundary`, or through the end of the key space if there is none.
    /// `None` when nothing is left.
    pub fn next(&mut self, boundary: Option<Key>) -> Option<Chunk> {
        let after = match &self.cut {
            Frontier::Nothing => None,
            Frontier::Key(key) => Some(key.clone()),
            Frontier::Everything => return None,
        };
        let chunk = Chunk {
            ordinal: self.next_ordinal,
            range: Range {
                after,
                through: boundary,
            },
        };
        self.cut = chunk.through();
        self.next_ordinal += 1;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyValue;

    fn key(n: i64) -> Key {
        Key(vec![KeyValue::Int(n)])
    }

    fn contains(chunk: &Chunk, n: i64) -> bool {
        let number = |key: &Key| match key.0.first() {
            Some(KeyValue::Int(n)) => *n,
            _ => unreachable!("keys of these tests are integers"),
        };
        let range = chunk.range();
        range.after.as_ref().is_none_or(|after| n > number(after))
            && range.through.as_ref().is_none_or(|through| n <= number(through))
    }

    proptest! {
        #[test]
        fn every_key_is_in_exactly_one_chunk(
            steps in prop::collection::vec(1i64..1000, 0..40),
            start in prop::option::of(-500i64..500),
            probe in -2000i64..40_000,
        ) {
            let frontier = start.map_or(Frontier::Nothing, |n| Frontier::Key(key(n)));
            let mut tiling = Tiling::behind(frontier);
            let mut last = start.unwrap_or(-500);
            let mut chunks = Vec::new();
            for step in steps {
                last += step;
                chunks.extend(tiling.next(Some(key(last))));
            }
            chunks.extend(tiling.next(None));
            prop_assert_eq!(tiling.next(None), None);
            prop_assert_eq!(tiling.cut(), &Frontier::Everything);
            let holding = chunks.iter().filter(|chunk| contains(chunk, probe)).count();
            let expected = usize::from(start.is_none_or(|start| probe > start));
            prop_assert_eq!(holding, expected);
            for (place, chunk) in chunks.iter().enumerate() {
                prop_assert_eq!(chunk.ordinal(), place as u64);
            }
        }
    }

    #[test]
    fn nothing_is_left_behind_everything() {
        assert_eq!(Tiling::behind(Frontier::Everything).next(None), None);
    }
}
