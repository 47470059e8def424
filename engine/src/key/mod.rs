//! The key by which rows are told apart: its columns, its values, and how they cross between SQL and the
//! binary log.
//!
//! # Invariant
//! A value has one canonical form, wherever it was read (SQL, binary log, state table): so two keys are of the
//! same row whenever they are equal. The converse does not hold for text: values that differ only as far as the
//! collation does not care (`a`, `A`) are different keys of what may be one row. Whoever works on keys must
//! therefore be content with the same row named twice.

mod canonical;
mod order;
mod persist;
mod predicate;
mod sql;

pub(crate) use canonical::{decimal, temporal};
pub use order::compare;
pub use persist::{decode, encode};
pub use predicate::{Range, keys_predicate, range_predicate};
pub use sql::{from_row, order_by, select_list};

use crate::Ident;

/// What a key column holds, as far as reading, writing and ordering its values goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// TINYINT to BIGINT; `bytes` is the storage size (1, 2, 3, 4, 8), which MEDIUMINT's sign extension needs.
    Int {
        /// Whether the column is UNSIGNED.
        unsigned: bool,
        /// Storage size: 1, 2, 3, 4 or 8.
        bytes: u8,
    },
    /// DECIMAL of any precision.
    Decimal,
    /// YEAR.
    Year,
    /// DATE.
    Date,
    /// TIME with fractional digits.
    Time,
    /// DATETIME with fractional digits.
    DateTime,
    /// TIMESTAMP; values are UTC, and so is `time_zone` of every engine session that sees one.
    Timestamp,
    /// BINARY(n): values are padded to `n` bytes with zeros, which the binary log leaves out.
    Binary {
        /// The declared length.
        length: u32,
    },
    /// VARBINARY and BLOB prefixes are not: only whole columns are keys.
    VarBinary,
    /// CHAR, VARCHAR in the column's character set.
    Text,
    /// ENUM, as its number.
    Enum,
    /// SET, as its bits.
    Set,
    /// BIT, as an unsigned number.
    Bit,
}

/// One column of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// The column's name in the source.
    pub name: Ident,
    /// The column's place in the source table, counted from 0 over all columns.
    pub ordinal: usize,
    /// What it holds.
    pub kind: KeyKind,
    /// The character set of a text column.
    pub charset: Option<String>,
}

/// One value of a key column, in a form that is the same whether it came from SQL or from the binary log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyValue {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer: YEAR, ENUM, SET and BIT, too.
    Uint(u64),
    /// The bytes of a string, in the column's character set.
    Bytes(Vec<u8>),
    /// A decimal or temporal value as the server writes it (TIMESTAMP in UTC).
    Text(String),
}

/// One row's key: a value for each key column, in key order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub Vec<KeyValue>);

impl Key {
    /// About what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let value = |value: &KeyValue| {
            size_of::<KeyValue>()
                + match value {
                    KeyValue::Int(_) | KeyValue::Uint(_) => 0,
                    KeyValue::Bytes(bytes) => bytes.len(),
                    KeyValue::Text(text) => text.len(),
                }
        };
        size_of::<Self>() + self.0.iter().map(value).sum::<usize>()
    }
}
