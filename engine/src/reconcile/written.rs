//! What a write to the ghost came to.

use std::time::Duration;

use mysql_async::Row;

use super::batch::Reply;
use super::message::{rename_ghost, shift_row};
use crate::plan::Plan;

/// The warning MySQL gives on the engine's own way of noting a conflict: not the client's business.
const DEPRECATED_SYNTAX: u16 = 1287;

/// One line of `SHOW WARNINGS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `Note`, `Warning` or `Error`.
    pub level: String,
    /// The error number.
    pub code: u16,
    /// The text; an `at row N` counts from the first row of the set written.
    pub message: String,
}

impl Warning {
    /// The warning as it reads with `rows_before` rows in front of the set.
    pub(crate) fn shifted(self, rows_before: u64) -> Self {
        Self {
            message: shift_row(&self.message, rows_before),
            ..self
        }
    }
}

/// The rows written for one set, and what the server remarked on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows the source held of the set.
    pub rows: u64,
    /// How many warnings there were; may exceed `warnings.len()`, as the server keeps only so many.
    pub warning_count: u64,
    /// The warnings the server kept.
    pub warnings: Vec<Warning>,
    /// How long the transactions that wrote it took: so long its rows were locked. What was tried in vain, and the
    /// wait for a turn, are not in it.
    pub took: Duration,
    /// How often a lock was in the way.
    pub lock_conflicts: u64,
}

impl Written {
    /// Adds what was written right behind this.
    pub(super) fn append(&mut self, next: Self) {
        let rows_before = self.rows;
        self.rows += next.rows;
        self.warning_count += next.warning_count;
        self.took += next.took;
        self.lock_conflicts += next.lock_conflicts;
        let shifted = next.warnings.into_iter().map(|w| w.shifted(rows_before));
        self.warnings.extend(shifted);
    }
}

/// Reads the replies to a batch with one INSERT … SELECT and a SHOW WARNINGS behind it.
pub(super) fn written(replies: Vec<Reply>, plan: &Plan) -> Written {
    let mut written = Written::default();
    for reply in replies {
        if let Some(records) = reply.records {
            written.rows = records;
            written.warning_count = u64::from(reply.warnings);
        }
        let listed = reply.rows.into_iter().filter_map(|row| warning(row, plan));
        written.warnings.extend(listed);
    }
    let listed = written.warnings.len();
    written
        .warnings
        .retain(|warning| warning.code != DEPRECATED_SYNTAX);
    let own = listed - written.warnings.len();
    written.warning_count = written.warning_count.saturating_sub(own as u64);
    written
}

/// A row of SHOW WARNINGS; `None` for a row of another result set.
fn warning(row: Row, plan: &Plan) -> Option<Warning> {
    let (level, code, message) = mysql_async::from_row_opt::<(String, u16, String)>(row).ok()?;
    Some(Warning {
        level,
        code,
        message: rename_ghost(&message, plan),
    })
}
