//! What people see of a migration: the rows of `SHOW MIGRATIONS`.

use std::time::Duration;

use super::phase::Phase;
use super::way::Way;
use crate::TableName;

/// One migration at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its number in the state table.
    pub id: u64,
    /// The table.
    pub table: TableName,
    /// The client's statement.
    pub statement: String,
    /// Which way it is taken.
    pub way: Way,
    /// Why not online, where it is not.
    pub reason: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// Rows written to the ghost by the row copy.
    pub rows_copied: u64,
    /// Rows the server believes the table has.
    pub rows_estimated: u64,
    /// Rows a second, over the last seconds of copying or verifying.
    pub rows_per_second: Option<u64>,
    /// Rows verification has compared.
    pub rows_verified: u64,
    /// Rows verification found wrong and repaired.
    pub rows_repaired: u64,
    /// Keys reconciled because of changes.
    pub changes_applied: u64,
    /// Attempts at the cut-over.
    pub cut_over_attempts: u64,
    /// The longest time that one of them held the application's statements.
    pub longest_hold: Duration,
    /// Why the row copy stands still.
    pub throttle: Option<String>,
    /// How long it has been going on.
    pub age: Duration,
    /// How it ended, where it ended badly.
    pub message: Option<String>,
}

/// The names of the columns of [`Status::cells`].
pub const COLUMNS: [&str; 18] = [
    "id",
    "table",
    "statement",
    "way",
    "phase",
    "percent",
    "rows_copied",
    "rows_estimated",
    "rows_per_second",
    "eta_seconds",
    "throttle",
    "age_seconds",
    "changes_applied",
    "rows_repaired",
    "cut_over_attempts",
    "longest_hold_ms",
    "message",
    "reason",
];

/// Copying is most of the work, comparing the rest: the share of each in `percent`.
const COPY_SHARE: f64 = 80.0;
const VERIFY_SHARE: f64 = 19.0;

impl Status {
    /// How much is done, 0 to 100.
    pub fn percent(&self) -> f64 {
        match self.phase {
            Phase::Preparing | Phase::Failed | Phase::Cancelled => 0.0,
            Phase::Copying => COPY_SHARE * fraction(self.rows_copied, self.rows_estimated),
            Phase::Indexing => COPY_SHARE,
            Phase::Verifying => COPY_SHARE + VERIFY_SHARE * fraction(self.rows_verified, self.rows_estimated),
            Phase::CuttingOver => COPY_SHARE + VERIFY_SHARE,
            Phase::Swapped | Phase::Done => 100.0,
        }
    }

    /// Seconds until the phase at work ends, where its rate is known.
    pub fn eta_seconds(&self) -> Option<u64> {
        let done = match self.phase {
            Phase::Copying => self.rows_copied,
            Phase::Verifying => self.rows_verified,
            _ => return None,
        };
        let rate = self.rows_per_second.filter(|rate| *rate > 0)?;
        Some(self.rows_estimated.saturating_sub(done).div_ceil(rate))
    }

    /// The row as text, in the order of [`COLUMNS`].
    pub fn cells(&self) -> Vec<Option<String>> {
        vec![
            Some(self.id.to_string()),
            Some(match self.table.schema.as_str() {
                "" => self.table.table.as_str().to_owned(),
                schema => format!("{schema}.{}", self.table.table.as_str()),
            }),
            Some(self.statement.clone()),
            Some(self.way.to_string()),
            Some(self.phase.to_string()),
            Some(format!("{:.1}", self.percent())),
            Some(self.rows_copied.to_string()),
            Some(self.rows_estimated.to_string()),
            self.rows_per_second.map(|rate| rate.to_string()),
            self.eta_seconds().map(|seconds| seconds.to_string()),
            self.throttle.clone(),
            Some(self.age.as_secs().to_string()),
            Some(self.changes_applied.to_string()),
            Some(self.rows_repaired.to_string()),
            Some(self.cut_over_attempts.to_string()),
            Some(format!("{:.1}", self.longest_hold.as_secs_f64() * 1000.0)),
            self.message.clone(),
            self.reason.clone(),
        ]
    }
}

fn fraction(done: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        (done as f64 / all as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(phase: Phase, copied: u64, verified: u64) -> Status {
        Status {
            id: 1,
            table: TableName::new("app", "t"),
            statement: "ALTER TABLE t FORCE".into(),
            way: Way::Ghost,
            reason: None,
            phase,
            rows_copied: copied,
            rows_estimated: 1000,
            rows_per_second: Some(100),
            rows_verified: verified,
            rows_repaired: 0,
            changes_applied: 0,
            cut_over_attempts: 0,
            longest_hold: Duration::ZERO,
            throttle: None,
            age: Duration::from_secs(5),
            message: None,
        }
    }

    #[test]
    fn percent_only_grows_along_the_way() {
        let way = [
            status(Phase::Preparing, 0, 0),
            status(Phase::Copying, 500, 0),
            status(Phase::Copying, 1200, 0),
            status(Phase::Verifying, 1000, 100),
            status(Phase::CuttingOver, 1000, 1000),
            status(Phase::Done, 1000, 1000),
        ];
        assert!(way.windows(2).all(|pair| pair[0].percent() <= pair[1].percent()));
    }

    #[test]
    fn eta_follows_the_rate() {
        assert_eq!(status(Phase::Copying, 500, 0).eta_seconds(), Some(5));
        assert_eq!(status(Phase::Verifying, 1000, 900).eta_seconds(), Some(1));
        assert_eq!(status(Phase::Done, 1000, 900).eta_seconds(), None);
        assert_eq!(COLUMNS.len(), status(Phase::Done, 0, 0).cells().len());
    }
}
