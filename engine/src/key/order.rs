//! The order of keys, where it is the server's own.
//!
//! # Why this is correct
//! Integers, decimals, temporal values and byte strings have one order everywhere. BINARY values are padded to one
//! length, and VARBINARY compares like `[u8]`: a prefix comes first. ENUM, SET and BIT are indexed by their number.
//! Text is ordered by a collation, which only the server knows.

use std::cmp::Ordering;

use super::{Key, KeyColumn, KeyKind, KeyValue};

impl KeyColumn {
    /// Whether [`compare`] orders this column's values exactly as the server does.
    pub fn orderable(&self) -> bool {
        !matches!(self.kind, KeyKind::Text)
    }
}

/// The order of `a` and `b`; `None` where it takes a collation to tell.
///
/// Columns after the first difference do not count, and neither do text columns whose values are the same bytes.
pub fn compare(columns: &[KeyColumn], a: &Key, b: &Key) -> Option<Ordering> {
    for ((column, a), b) in columns.iter().zip(&a.0).zip(&b.0) {
        if a == b {
            continue;
        }
        if !column.orderable() {
            return None;
        }
        return order(column.kind, a, b);
    }
    Some(Ordering::Equal)
}

/// The order of two different values of one column; `None` for values that are not of the column's kind.
fn order(kind: KeyKind, a: &KeyValue, b: &KeyValue) -> Option<Ordering> {
    match (a, b) {
        (KeyValue::Int(a), KeyValue::Int(b)) => Some(a.cmp(b)),
        (KeyValue::Uint(a), KeyValue::Uint(b)) => Some(a.cmp(b)),
        (KeyValue::Bytes(a), KeyValue::Bytes(b)) => Some(a.cmp(b)),
        (KeyValue::Text(a), KeyValue::Text(b)) => match kind {
            KeyKind::Decimal => Some(order_signed(a, b, order_digits)),
            KeyKind::Time => Some(order_signed(a, b, order_times)),
            // Fixed width up to the fraction, and a canonical fraction orders as text does.
            _ => Some(a.cmp(b)),
        },
        _ => None,
    }
}

fn order_signed(a: &str, b: &str, magnitude: fn(&str, &str) -> Ordering) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (None, None) => magnitude(a, b),
        (Some(a), Some(b)) => magnitude(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

/// Canonical numbers without a sign: more whole digits is more, and equally many order as text.
fn order_digits(a: &str, b: &str) -> Ordering {
    let (whole_a, fraction_a) = a.split_once('.').unwrap_or((a, ""));
    let (whole_b, fraction_b) = b.split_once('.').unwrap_or((b, ""));
    whole_a
        .len()
        .cmp(&whole_b.len())
        .then_with(|| whole_a.cmp(whole_b))
        .then_with(|| fraction_a.cmp(fraction_b))
}

/// Canonical times without a sign: hours have two or three digits, the rest is of fixed width.
fn order_times(a: &str, b: &str) -> Ordering {
    let hours = |text: &str| text.split(':').next().map_or(0, str::len);
    hours(a).cmp(&hours(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ident;

    fn column(kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: Ident::new("k"),
            ordinal: 0,
            kind,
            charset: None,
        }
    }

    #[test]
    fn values_are_ordered_as_the_server_orders_them() {
        let check = |kind: KeyKind, ascending: &[&str]| {
            let keys: Vec<Key> = ascending
                .iter()
                .map(|text| Key(vec![KeyValue::Text((*text).to_owned())]))
                .collect();
            for (i, a) in keys.iter().enumerate() {
                for (j, b) in keys.iter().enumerate() {
                    assert_eq!(compare(&[column(kind)], a, b), Some(i.cmp(&j)), "{a:?} {b:?}");
                }
            }
        };
        check(
            KeyKind::Decimal,
            &[
                "-100", "-99.5", "-1", "-0.5", "-0.25", "0", "0.05", "0.5", "1", "1.5", "9", "10", "100.01",
            ],
        );
        check(
            KeyKind::Time,
            &[
                "-838:59:59",
                "-100:00:00",
                "-99:00:00",
                "-00:00:01.5",
                "-00:00:01",
                "00:00:00",
                "00:00:00.25",
                "00:00:00.5",
                "99:00:00",
                "100:00:00",
                "838:59:59",
            ],
        );
        check(
            KeyKind::DateTime,
            &[
                "0000-00-00 00:00:00",
                "2024-01-31 10:00:00",
                "2024-01-31 10:00:00.25",
                "2024-01-31 10:00:00.5",
                "2024-01-31 10:00:01",
            ],
        );
    }

    #[test]
    fn text_is_ordered_by_the_server_only() {
        let columns = [
            column(KeyKind::Text),
            column(KeyKind::Int {
                unsigned: false,
                bytes: 4,
            }),
        ];
        let key = |text: &str, n: i64| Key(vec![KeyValue::Bytes(text.into()), KeyValue::Int(n)]);
        assert_eq!(compare(&columns, &key("a", 1), &key("b", 1)), None);
        assert_eq!(
            compare(&columns, &key("a", 1), &key("a", 2)),
            Some(Ordering::Less)
        );
        assert_eq!(
            compare(&columns, &key("a", 2), &key("a", 2)),
            Some(Ordering::Equal)
        );
    }
}
