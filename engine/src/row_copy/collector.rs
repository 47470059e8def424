//! What the chunks had to say, in key order.

use std::collections::BTreeMap;

use crate::Error;
use crate::error::ServerError;
use crate::reconcile::{Warning, Written, shift_row};

/// Puts the outcomes of chunks, which arrive in any order, into key order.
#[derive(Debug)]
pub(super) struct Collector {
    warnings_max: usize,
    next_ordinal: u64,
    ahead: BTreeMap<u64, Written>,
    rows_in_order: u64,
    warning_count: u64,
    warnings: Vec<Warning>,
    failure: Option<(u64, Error)>,
}

impl Collector {
    /// Lists at most `warnings_max` warnings and counts the others.
    pub(super) fn new(warnings_max: usize) -> Self {
        Self {
            warnings_max,
            next_ordinal: 0,
            ahead: BTreeMap::new(),
            rows_in_order: 0,
            warning_count: 0,
            warnings: Vec::new(),
            failure: None,
        }
    }

    /// Chunk `ordinal` is written.
    pub(super) fn wrote(&mut self, ordinal: u64, written: Written) {
        self.ahead.insert(ordinal, written);
        while let Some(written) = self.ahead.remove(&self.next_ordinal) {
            let room = self.warnings_max.saturating_sub(self.warnings.len());
            let rows_before = self.rows_in_order;
            let listed = written.warnings.into_iter().take(room);
            self.warnings
                .extend(listed.map(|warning| warning.shifted(rows_before)));
            self.rows_in_order += written.rows;
            self.warning_count += written.warning_count;
            self.next_ordinal += 1;
        }
    }

    /// Chunk `ordinal` cannot be written; of several, the first in key order counts.
    pub(super) fn failed(&mut self, ordinal: u64, error: Error) {
        if self.failure.as_ref().is_none_or(|(first, _)| ordinal < *first) {
            self.failure = Some((ordinal, error));
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether an ordinal will have to be told, so that the rows in front of the first chunk must be known.
    pub(super) fn tells_ordinals(&self) -> bool {
        self.has_failed() || !self.warnings.is_empty()
    }

    /// Rows written, warnings counted, warnings listed; or the first failure. To be called when every chunk that
    /// was dispatched is finished; `rows_before` lie in front of the first one.
    pub(super) fn finish(self, rows_before: u64) -> Result<(u64, u64, Vec<Warning>), Error> {
        match self.failure {
            // Every chunk in front of the first failure is written, so the rows in order end where it begins.
            Some((_, Error::Answer(error))) => Err(Error::Answer(ServerError {
                message: shift_row(&error.message, rows_before + self.rows_in_order),
                ..error
            })),
            Some((_, error)) => Err(error),
            None => {
                let warnings = self
                    .warnings
                    .into_iter()
                    .map(|warning| warning.shifted(rows_before));
                Ok((self.rows_in_order, self.warning_count, warnings.collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: u64, at_rows: &[u64]) -> Written {
        let warning = |row| Warning {
            level: "Warning".to_owned(),
            code: 1264,
            message: format!("Out of range value for column 'c' at row {row}"),
        };
        Written {
            rows,
            warning_count: at_rows.len() as u64,
            warnings: at_rows.iter().map(warning).collect(),
            ..Written::default()
        }
    }

    fn answer(row: u64) -> Error {
        Error::Answer(ServerError {
            code: 1264,
            state: "22003".to_owned(),
            message: format!("Out of range value for column 'c' at row {row}"),
        })
    }

    #[test]
    fn warnings_come_in_key_order() {
        let mut collector = Collector::new(3);
        collector.wrote(2, written(10, &[1, 2]));
        collector.wrote(0, written(10, &[5]));
        collector.wrote(1, written(4, &[2]));
        let (rows, count, warnings) = collector.finish(100).unwrap();
        let texts: Vec<&str> = warnings
            .iter()
            .filter_map(|warning| warning.message.rsplit(' ').next())
            .collect();
        assert_eq!((rows, count), (24, 4));
        assert_eq!(texts, ["105", "112", "115"]);
    }

    #[test]
    fn the_first_failure_in_key_order_wins() {
        let mut collector = Collector::new(3);
        collector.wrote(0, written(10, &[]));
        collector.failed(3, answer(1));
        collector.failed(1, answer(2));
        collector.wrote(2, written(10, &[]));
        let error = collector.finish(0).unwrap_err();
        assert!(error.to_string().ends_with("at row 12"), "{error}");
    }
}
