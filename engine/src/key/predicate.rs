//! Predicates that select rows by key: a range of keys, or a list of them.
//!
//! # Why this form
//! Row constructors order composite keys correctly, `(a, b) > (1, 2)`, but no server reads an index range for them.
//! The expanded form does, `a > 1 OR (a = 1 AND b > 2)`; the redundant `a >= 1` before it bounds the range for an
//! optimizer that gives up on the OR. A list of keys is different: both MySQL and MariaDB read index ranges for
//! `(a, b) IN ((1, 2), …)`, and faster than for an OR of ANDs.
//!
//! A range over an ENUM or SET column is exact but not indexed, on either server: where one leads the key, every
//! chunk reads the whole index. Lists of such keys are indexed.

use super::sql::qualified;
use super::{Key, KeyColumn};
use crate::{Ident, TableName};

/// How many keys one IN list names. From 1,000 on (`in_predicate_conversion_threshold`) MariaDB turns the list into
/// a derived table, whose values lose the column's type.
const LIST_KEYS: usize = 900;

/// The keys in `(after, through]`; `None` leaves that side open.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Range {
    /// The greatest key below the range.
    pub after: Option<Key>,
    /// The last key in the range.
    pub through: Option<Key>,
}

/// A key column where it is used: its name in the table at hand, and a literal of one key.
struct Term {
    column: String,
    literal: String,
}

fn terms(columns: &[KeyColumn], names: &[Ident], table: &TableName, key: &Key) -> Vec<Term> {
    let terms = columns.iter().zip(names).zip(&key.0);
    terms
        .map(|((column, name), value)| Term {
            column: qualified(table, name),
            literal: column.literal(value),
        })
        .collect()
}

/// The rows of `table` in `range`; `names` are the key columns' names there.
pub fn range_predicate(columns: &[KeyColumn], names: &[Ident], table: &TableName, range: &Range) -> String {
    let bound = |key: &Option<Key>, direction: char, inclusive: bool| {
        key.as_ref()
            .map(|key| beyond(&terms(columns, names, table, key), direction, inclusive))
    };
    let lower = bound(&range.after, '>', false);
    let upper = bound(&range.through, '<', true);
    match (lower, upper) {
        (Some(lower), Some(upper)) => format!("{lower} AND {upper}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "1=1".to_owned(),
    }
}

/// The keys on one side of a key, with it if `inclusive`.
fn beyond(terms: &[Term], direction: char, inclusive: bool) -> String {
    let last = terms.len().saturating_sub(1);
    let alternatives = terms.iter().enumerate().map(|(place, term)| {
        let equal = terms.iter().take(place).map(equals);
        let equality = if inclusive && place == last { "=" } else { "" };
        let beyond = format!("{}{direction}{equality}{}", term.column, term.literal);
        let all: Vec<String> = equal.chain([beyond]).collect();
        all.join(" AND ")
    });
    let alternatives: Vec<String> = alternatives.collect();
    match (terms.first(), alternatives.as_slice()) {
        (_, [only]) => only.clone(),
        (Some(first), several) => format!(
            "{}{direction}={} AND ({})",
            first.column,
            first.literal,
            several
                .iter()
                .map(|alternative| format!("({alternative})"))
                .collect::<Vec<_>>()
                .join(" OR ")
        ),
        (None, _) => "1=1".to_owned(),
    }
}

/// The rows of `table` with these keys; `names` are the key columns' names there. No key, no row.
pub fn keys_predicate(columns: &[KeyColumn], names: &[Ident], table: &TableName, keys: &[Key]) -> String {
    let column_list = names
        .iter()
        .map(|name| qualified(table, name))
        .collect::<Vec<_>>()
        .join(",");
    let lists = keys.chunks(LIST_KEYS).map(|keys| {
        let rows = keys.iter().map(|key| {
            let values = columns
                .iter()
                .zip(&key.0)
                .map(|(column, value)| column.literal(value));
            parenthesised(columns, values.collect::<Vec<_>>().join(","))
        });
        let list = rows.collect::<Vec<_>>().join(",");
        format!("{} IN ({list})", parenthesised(columns, column_list.clone()))
    });
    match lists.collect::<Vec<_>>().as_slice() {
        [] => "1=0".to_owned(),
        [only] => only.clone(),
        several => format!("({})", several.join(" OR ")),
    }
}

/// A composite key is a row constructor, a single column is written bare.
fn parenthesised(columns: &[KeyColumn], list: String) -> String {
    if columns.len() == 1 {
        list
    } else {
        format!("({list})")
    }
}

fn equals(term: &Term) -> String {
    format!("{}={}", term.column, term.literal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyKind, KeyValue};

    fn columns(count: usize) -> (Vec<KeyColumn>, Vec<Ident>) {
        let names: Vec<Ident> = ["a", "b", "c"].into_iter().take(count).map(Ident::new).collect();
        let columns = names.iter().enumerate().map(|(ordinal, name)| KeyColumn {
            name: name.clone(),
            ordinal,
            kind: KeyKind::Int {
                unsigned: false,
                bytes: 4,
            },
            charset: None,
        });
        (columns.collect(), names)
    }

    fn key(values: &[i64]) -> Key {
        Key(values.iter().copied().map(KeyValue::Int).collect())
    }

    #[test]
    fn ranges_are_expanded() {
        let check = |after: Option<&[i64]>, through: Option<&[i64]>, expected: &str| {
            let width = after.or(through).map_or(1, <[i64]>::len);
            let (columns, names) = columns(width);
            let range = Range {
                after: after.map(key),
                through: through.map(key),
            };
            let sql = range_predicate(&columns, &names, &TableName::new("s", "t"), &range);
            assert_eq!(sql.replace("`s`.`t`.", "").replace('`', ""), expected);
        };
        check(None, None, "1=1");
        check(Some(&[1]), None, "a>1");
        check(None, Some(&[5]), "a<=5");
        check(Some(&[1]), Some(&[5]), "a>1 AND a<=5");
        check(Some(&[1, 2]), None, "a>=1 AND ((a>1) OR (a=1 AND b>2))");
        check(None, Some(&[1, 2]), "a<=1 AND ((a<1) OR (a=1 AND b<=2))");
        check(
            Some(&[1, 2, 3]),
            None,
            "a>=1 AND ((a>1) OR (a=1 AND b>2) OR (a=1 AND b=2 AND c>3))",
        );
    }

    #[test]
    fn lists_name_every_key() {
        let check = |keys: &[&[i64]], expected: &str| {
            let (columns, names) = columns(keys.first().map_or(1, |key| key.len()));
            let keys: Vec<Key> = keys.iter().map(|values| key(values)).collect();
            let sql = keys_predicate(&columns, &names, &TableName::new("s", "t"), &keys);
            assert_eq!(sql.replace("`s`.`t`.", "").replace('`', ""), expected);
        };
        check(&[], "1=0");
        check(&[&[1], &[-2]], "a IN (1,-2)");
        let many: Vec<[i64; 1]> = (0..901).map(|value| [value]).collect();
        let first: Vec<String> = (0..900).map(|value: i64| value.to_string()).collect();
        let many: Vec<&[i64]> = many.iter().map(|key| key.as_slice()).collect();
        check(&many, &format!("(a IN ({}) OR a IN (900))", first.join(",")));
        check(&[&[1, 2], &[3, 4]], "(a,b) IN ((1,2),(3,4))");
    }
}
