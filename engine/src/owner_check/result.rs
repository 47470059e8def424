//! What a check gave, and whether it gave the same on both tables.
//!
//! A check is about values, not about how a type shows them: `10.50` of a DECIMAL(10,2) is `10.5000` of a DECIMAL(12,4),
//! and `1e18` of a DOUBLE is `1000000000000000000` of a BIGINT. Text is compared to the byte.

use mysql_async::consts::ColumnType;
use mysql_async::{Row, Value};

use crate::key::decimal;

/// One value of one row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Null,
    /// A number without a point that floats, as its shortest text.
    Exact(String),
    /// A FLOAT or DOUBLE, as the server writes it.
    Float(String),
    Bytes(Vec<u8>),
}

impl Cell {
    fn of(kind: ColumnType, value: &Value) -> Self {
        let Value::Bytes(bytes) = value else {
            return match value {
                Value::NULL => Self::Null,
                other => Self::Bytes(other.as_sql(true).into_bytes()),
            };
        };
        let text = || String::from_utf8_lossy(bytes).into_owned();
        match kind {
            ColumnType::MYSQL_TYPE_FLOAT | ColumnType::MYSQL_TYPE_DOUBLE => Self::Float(text()),
            ColumnType::MYSQL_TYPE_TINY
            | ColumnType::MYSQL_TYPE_SHORT
            | ColumnType::MYSQL_TYPE_INT24
            | ColumnType::MYSQL_TYPE_LONG
            | ColumnType::MYSQL_TYPE_LONGLONG
            | ColumnType::MYSQL_TYPE_YEAR
            | ColumnType::MYSQL_TYPE_DECIMAL
            | ColumnType::MYSQL_TYPE_NEWDECIMAL => Self::Exact(decimal(&text())),
            _ => Self::Bytes(bytes.clone()),
        }
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            // A floating number is as exact as the type it is converted to allows.
            (Self::Float(a), Self::Float(b) | Self::Exact(b)) | (Self::Exact(a), Self::Float(b)) => {
                a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
            }
            _ => self == other,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Exact(text) | Self::Float(text) => text.clone(),
            Self::Bytes(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
        }
    }
}

/// All rows of one check on one table. Their order means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer(Vec<Vec<Cell>>);

impl Answer {
    pub(super) fn of(rows: Vec<Row>) -> Self {
        let rows = rows.into_iter().map(|row| {
            let kinds: Vec<ColumnType> = row
                .columns_ref()
                .iter()
                .map(|column| column.column_type())
                .collect();
            let values = row.unwrap();
            kinds
                .iter()
                .zip(&values)
                .map(|(kind, value)| Cell::of(*kind, value))
                .collect()
        });
        let mut rows: Vec<Vec<Cell>> = rows.collect();
        rows.sort();
        Self(rows)
    }

    #[cfg(test)]
    fn equals(&self, other: &Self) -> bool {
        self.first_difference(other).is_none()
    }

    /// The first row of each in which they differ, as text.
    pub(super) fn first_difference(&self, other: &Self) -> Option<(String, String)> {
        let rows = self.0.len().max(other.0.len());
        let place = (0..rows).find(|place| match (self.0.get(*place), other.0.get(*place)) {
            (Some(a), Some(b)) => a.len() != b.len() || !a.iter().zip(b).all(|(a, b)| a.equals(b)),
            _ => true,
        })?;
        Some((self.show(place), other.show(place)))
    }

    fn show(&self, place: usize) -> String {
        let row = self
            .0
            .get(place)
            .map(|row| row.iter().map(Cell::show).collect::<Vec<_>>().join(", "));
        row.unwrap_or_else(|| "no row".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_and_not_their_looks() {
        let cell = |kind, text: &str| Cell::of(kind, &Value::Bytes(text.into()));
        let check = |a: Cell, b: Cell, expected: bool| {
            let answers = (Answer(vec![vec![a]]), Answer(vec![vec![b]]));
            assert_eq!(answers.0.equals(&answers.1), expected, "{answers:?}");
            assert_eq!(answers.1.equals(&answers.0), expected, "{answers:?}");
        };
        use ColumnType::{
            MYSQL_TYPE_DOUBLE as DOUBLE, MYSQL_TYPE_LONGLONG as BIGINT, MYSQL_TYPE_NEWDECIMAL as DECIMAL,
            MYSQL_TYPE_VAR_STRING as TEXT,
        };
        check(cell(DECIMAL, "10.50"), cell(DECIMAL, "10.5000"), true);
        check(cell(DECIMAL, "10.50"), cell(DECIMAL, "10.51"), false);
        check(cell(BIGINT, "5"), cell(DECIMAL, "5.00"), true);
        check(cell(DOUBLE, "1e18"), cell(BIGINT, "1000000000000000000"), true);
        check(cell(DOUBLE, "0.1"), cell(DOUBLE, "0.2"), false);
        check(cell(TEXT, "1.0"), cell(TEXT, "1.00"), false);
        check(cell(TEXT, "5"), cell(BIGINT, "5"), false);
        check(Cell::Null, cell(BIGINT, "0"), false);
        check(Cell::Null, Cell::Null, true);
    }

    #[test]
    fn every_row_counts_and_their_order_does_not() {
        let row = |n: i64| vec![Cell::Exact(n.to_string())];
        let answer = |numbers: &[i64]| {
            let mut rows: Vec<_> = numbers.iter().copied().map(row).collect();
            rows.sort();
            Answer(rows)
        };
        assert!(answer(&[1, 2]).equals(&answer(&[2, 1])));
        assert!(!answer(&[1, 2]).equals(&answer(&[1])));
        assert!(!answer(&[1]).equals(&answer(&[1, 1])));
        let difference = answer(&[1, 2]).first_difference(&answer(&[1, 3]));
        assert_eq!(difference, Some(("2".to_owned(), "3".to_owned())));
    }
}
