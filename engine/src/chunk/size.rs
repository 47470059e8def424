//! How many rows the next chunk should have.

use std::time::Duration;

/// What a chunk may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// Rows of the first chunk.
    pub rows_first: u64,
    /// The fewest rows of a chunk that met no lock: with fewer, the COMMIT costs more than the rows.
    pub rows_min: u64,
    /// The fewest rows of a chunk among locks.
    pub rows_min_contended: u64,
    /// The most rows of a chunk.
    pub rows_max: u64,
    /// How long a chunk should take: for so long a writer of one of its rows can be held up.
    pub target: Duration,
}

impl Default for SizeLimits {
    /// An application notices a stall of 100 ms, and a chunk among others may take twice its time: so 40. Longer chunks
    /// copied no faster (measured with 40, 75 and 200 ms). More than 20,000 rows a chunk gain nothing.
    fn default() -> Self {
        Self {
            rows_first: 1000,
            rows_min: 1000,
            rows_min_contended: 100,
            rows_max: 20_000,
            target: Duration::from_millis(40),
        }
    }
}

impl SizeLimits {
    /// The usual limits; in tests chunks of as many rows as `ALTEREGO_CHUNK_ROWS` says, so that a small table has many.
    pub fn of_environment() -> Self {
        let rows = std::env::var("ALTEREGO_CHUNK_ROWS").ok();
        match rows.and_then(|rows| rows.parse().ok()) {
            Some(rows) => Self {
                rows_first: rows,
                rows_min: rows,
                rows_min_contended: rows.min(Self::default().rows_min_contended),
                rows_max: rows,
                ..Self::default()
            },
            None => Self::default(),
        }
    }
}

/// How much the newest chunk counts in the average speed.
const NEWEST_SHARE: f64 = 0.3;

/// Adapts the size of chunks to the time they take.
///
/// It goes by the average speed of chunks: several are in flight at a time, of different sizes, and one slow chunk
/// says little.
#[derive(Clone, Debug)]
pub struct ChunkSizer {
    limits: SizeLimits,
    rows: u64,
    rows_per_second: Option<f64>,
}

impl ChunkSizer {
    /// A sizer within `limits`.
    pub fn new(limits: SizeLimits) -> Self {
        let rows = limits.rows_first.min(limits.rows_max).max(1);
        Self {
            limits,
            rows,
            rows_per_second: None,
        }
    }

    /// How many rows the next chunk should have.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// A chunk of `rows` rows took `elapsed` and met `lock_conflicts` locks.
    ///
    /// A lock halves the size: the fewer rows a chunk has, the fewer writers are in its way. Else the size moves
    /// towards the target, to its double at most.
    pub fn took(&mut self, rows: u64, elapsed: Duration, lock_conflicts: u64) {
        if lock_conflicts > 0 {
            let floor = self.limits.rows_min_contended.min(self.rows);
            self.rows = (self.rows / 2).max(floor).max(1);
            return;
        }
        // A chunk of few rows, like the last one, says nothing about the speed of a full one.
        if rows < self.rows / 2 {
            return;
        }
        let newest = rows as f64 / elapsed.as_secs_f64().max(1e-6);
        let average = match self.rows_per_second {
            Some(average) => average + (newest - average) * NEWEST_SHARE,
            None => newest,
        };
        self.rows_per_second = Some(average);
        let wanted = (average * self.limits.target.as_secs_f64()) as u64;
        let wanted = wanted.max(self.limits.rows_min).min(self.limits.rows_max);
        self.rows = wanted.min(self.rows.saturating_mul(2)).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_towards_the_target_and_shrink_at_locks() {
        let check = |rows, millis, conflicts, expected| {
            let mut sizer = ChunkSizer::new(SizeLimits::default());
            sizer.took(rows, Duration::from_millis(millis), conflicts);
            assert_eq!(sizer.rows(), expected);
        };
        check(1000, 25, 0, 1600);
        check(1000, 1, 0, 2000);
        check(1000, 5000, 0, 1000);
        check(1000, 50, 1, 500);
        check(3, 1, 0, 1000);
    }

    #[test]
    fn the_limits_hold() {
        let mut sizer = ChunkSizer::new(SizeLimits::default());
        for _ in 0..20 {
            sizer.took(sizer.rows(), Duration::from_millis(1), 0);
        }
        assert_eq!(sizer.rows(), 20_000);
        for _ in 0..20 {
            sizer.took(sizer.rows(), Duration::from_millis(1), 1);
        }
        assert_eq!(sizer.rows(), 100);
        for _ in 0..40 {
            sizer.took(sizer.rows(), Duration::from_secs(1), 0);
        }
        assert_eq!(sizer.rows(), 1000);
    }
}
