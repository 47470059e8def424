//! When two columns of one row are equal: to the last bit, and never by what a collation or a type's own notion
//! of equality lets pass.
//!
//! # Why each form is exact
//! - Text is compared as binary strings: no case, no accents, no padding. Both sides are in the ghost's character
//!   set by then.
//! - ENUM, SET: by number, which tells the empty error value from a member that is the empty string.
//! - JSON (MySQL): by value *and* by text. By value `1` equals `1.0`; by text a DATETIME inside a document equals
//!   the string that shows it. Both hold only for the same document.
//! - FLOAT, DOUBLE: by value, and a zero by its text, too, because `-0` equals `0`.
//! - Geometry, as binary strings: reference system and coordinates.
//! - Everything else (integers, DECIMAL, temporal types, BIT, binary strings, VECTOR, UUID, INET6) has one
//!   representation for each value, so the server's `<=>` is exact. TIMESTAMP is, because the session is in UTC.
//!
//! Every form is null-safe, and each column is a term of its own: nothing is concatenated, so a value cannot move
//! from one column to its neighbour unnoticed.

use crate::Flavor;
use crate::table::Column;

/// How the value a ghost column must have is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is the source's value.
    Same,
    /// It is the source's text in another character set, which every expected value fits.
    Transcoded(String),
    /// The server must convert it by storing it in a column of the ghost's type.
    Stored,
}

/// How the value of `ghost` follows from the one of `source`, when rows are written under `strict` mode or not.
pub(super) fn expected(source: &Column, ghost: &Column, strict: bool) -> Expected {
    // In strict mode a NULL cannot have come as far as a NOT NULL column.
    if source.nullable && !ghost.nullable && !strict {
        return Expected::Stored;
    }
    let same_charset = source.charset == ghost.charset;
    if same_charset && (source.column_type == ghost.column_type || widened(source, ghost)) {
        return Expected::Same;
    }
    match &ghost.charset {
        Some(charset) if !same_charset && longer_text(source, ghost) => Expected::Transcoded(charset.clone()),
        _ => Expected::Stored,
    }
}

/// The term that is true when `left` and `right`, both with the type of `column`, are the same value.
pub(super) fn equal(flavor: Flavor, column: &Column, left: &str, right: &str) -> String {
    match column.data_type.as_str() {
        "enum" | "set" => format!("{left}+0 <=> {right}+0"),
        "json" if flavor == Flavor::MySql => {
            let text = |side: &str| format!("CAST(CAST({side} AS CHAR CHARACTER SET utf8mb4) AS BINARY)");
            format!("{left} <=> {right} AND {} <=> {}", text(left), text(right))
        }
        "float" | "double" => {
            format!("{left} <=> {right} AND IF({left}=0, CONCAT({left}) <=> CONCAT({right}), 1)")
        }
        data_type if column.charset.is_some() || is_geometry(data_type) => {
            format!("CAST({left} AS BINARY) <=> CAST({right} AS BINARY)")
        }
        _ => format!("{left} <=> {right}"),
    }
}

fn is_geometry(data_type: &str) -> bool {
    matches!(
        data_type,
        "geometry"
            | "point"
            | "linestring"
            | "polygon"
            | "multipoint"
            | "multilinestring"
            | "multipolygon"
            | "geomcollection"
            | "geometrycollection"
    )
}

/// Whether every value of `source` is the same value in `ghost`, both in one character set or in none.
fn widened(source: &Column, ghost: &Column) -> bool {
    wider_integer(source, ghost)
        || longer_text(source, ghost)
        || longer_binary(source, ghost)
        || appended_members(source, ghost)
}

fn wider_integer(source: &Column, ghost: &Column) -> bool {
    let (Some(from), Some(to)) = (integer_bytes(source), integer_bytes(ghost)) else {
        return false;
    };
    let unsigned = |column: &Column| column.column_type.contains("unsigned");
    match (unsigned(source), unsigned(ghost)) {
        (false, false) | (true, true) => to >= from,
        (true, false) => to > from,
        (false, true) => false,
    }
}

fn integer_bytes(column: &Column) -> Option<u8> {
    match column.data_type.as_str() {
        "tinyint" => Some(1),
        "smallint" => Some(2),
        "mediumint" => Some(3),
        "int" => Some(4),
        "bigint" => Some(8),
        _ => None,
    }
}

/// A character has at most this many bytes, in any character set.
const MAX_CHAR_BYTES: u64 = 4;

/// Whether any text of `source` fits `ghost`, which keeps trailing spaces.
fn longer_text(source: &Column, ghost: &Column) -> bool {
    if source.charset.is_none() || ghost.charset.is_none() {
        return false;
    }
    match (source.data_type.as_str(), ghost.data_type.as_str()) {
        ("char", "char") | ("char" | "varchar", "varchar") => length(ghost) >= length(source),
        ("char" | "varchar", _) => {
            let bytes = length(source).map(|characters| characters * MAX_CHAR_BYTES);
            text_bytes(ghost) >= bytes && bytes.is_some()
        }
        _ => {
            let growth = if source.charset == ghost.charset {
                1
            } else {
                MAX_CHAR_BYTES
            };
            let bytes = text_bytes(source).map(|bytes| bytes * growth);
            text_bytes(ghost) >= bytes && bytes.is_some()
        }
    }
}

/// Whether any binary string of `source` fits `ghost` without being padded.
fn longer_binary(source: &Column, ghost: &Column) -> bool {
    match (source.data_type.as_str(), ghost.data_type.as_str()) {
        ("binary" | "varbinary", "varbinary") => length(ghost) >= length(source),
        ("binary" | "varbinary", _) => text_bytes(ghost) >= length(source) && is_blob(ghost),
        _ => is_blob(source) && is_blob(ghost) && text_bytes(ghost) >= text_bytes(source),
    }
}

fn is_blob(column: &Column) -> bool {
    column.data_type.ends_with("blob")
}

/// Whether `ghost` has the members of `source`, in the same places, and perhaps more behind them.
fn appended_members(source: &Column, ghost: &Column) -> bool {
    matches!(source.data_type.as_str(), "enum" | "set")
        && source
            .column_type
            .strip_suffix(')')
            .and_then(|members| ghost.column_type.strip_prefix(members))
            .is_some_and(|rest| rest.starts_with(','))
}

/// The length in parentheses: `varchar(50)` → 50.
fn length(column: &Column) -> Option<u64> {
    let (_, rest) = column.column_type.split_once('(')?;
    let (digits, _) = rest.split_once(')')?;
    digits.parse().ok()
}

fn text_bytes(column: &Column) -> Option<u64> {
    match column.data_type.as_str() {
        "tinytext" | "tinyblob" => Some((1 << 8) - 1),
        "text" | "blob" => Some((1 << 16) - 1),
        "mediumtext" | "mediumblob" => Some((1 << 24) - 1),
        "longtext" | "longblob" => Some((1 << 32) - 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ident;

    fn column(column_type: &str, charset: Option<&str>) -> Column {
        let end = column_type.find(['(', ' ']).unwrap_or(column_type.len());
        Column {
            name: Ident::new("c"),
            data_type: column_type[..end].to_owned(),
            column_type: column_type.to_owned(),
            charset: charset.map(str::to_owned),
            collation: None,
            nullable: true,
            generated: None,
            auto_increment: false,
            default: None,
            computed_default: false,
        }
    }

    #[test]
    fn values_that_stay_are_compared_directly() {
        let check = |from: &str, to: &str, charset: Option<&str>, direct: bool| {
            let outcome = expected(&column(from, charset), &column(to, charset), true);
            let wanted = if direct { Expected::Same } else { Expected::Stored };
            assert_eq!(outcome, wanted, "{from} to {to}");
        };
        let text = Some("utf8mb4");
        check("int", "bigint", None, true);
        check("bigint", "int", None, false);
        check("int unsigned", "int", None, false);
        check("int unsigned", "bigint", None, true);
        check("tinyint", "bigint unsigned", None, false);
        check("decimal(5,2)", "decimal(6,1)", None, false);
        check("datetime", "datetime(6)", None, false);
        check("varchar(10)", "varchar(20)", text, true);
        check("varchar(20)", "varchar(10)", text, false);
        check("varchar(10)", "char(20)", text, false);
        check("char(10)", "varchar(10)", text, true);
        check("varchar(16383)", "text", text, true);
        check("varchar(16384)", "text", text, false);
        check("varchar(10)", "int", text, false);
        check("text", "mediumtext", text, true);
        check("text", "tinytext", text, false);
        check("binary(4)", "binary(5)", None, false);
        check("binary(4)", "varbinary(4)", None, true);
        check("varbinary(9)", "blob", None, true);
        check("varbinary(300)", "tinyblob", None, false);
        check("blob", "longblob", None, true);
        check("enum('a','b')", "enum('a','b','c')", text, true);
        check("enum('a','b')", "enum('b','a')", text, false);
        check("enum('a')", "enum('a''b')", text, false);
        check("set('x')", "set('x','y')", text, true);
        check("enum('x')", "set('x')", text, false);
    }

    #[test]
    fn other_character_sets_are_transcoded_where_they_fit() {
        let check = |from: (&str, &str), to: (&str, &str), wanted: Expected| {
            let outcome = expected(&column(from.0, Some(from.1)), &column(to.0, Some(to.1)), true);
            assert_eq!(outcome, wanted);
        };
        let transcoded = |charset: &str| Expected::Transcoded(charset.to_owned());
        check(
            ("varchar(9)", "latin1"),
            ("varchar(9)", "utf8mb4"),
            transcoded("utf8mb4"),
        );
        check(
            ("varchar(9)", "utf8mb4"),
            ("varchar(9)", "latin1"),
            transcoded("latin1"),
        );
        check(
            ("varchar(9)", "latin1"),
            ("varchar(8)", "utf8mb4"),
            Expected::Stored,
        );
        check(("text", "latin1"), ("text", "utf8mb4"), Expected::Stored);
        check(
            ("text", "latin1"),
            ("mediumtext", "utf8mb4"),
            transcoded("utf8mb4"),
        );
        check(
            ("enum('a')", "latin1"),
            ("enum('a')", "utf8mb4"),
            Expected::Stored,
        );
    }

    #[test]
    fn nulls_are_converted_by_the_server_in_lax_mode() {
        let check = |strict: bool, wanted: Expected| {
            let ghost = Column {
                nullable: false,
                ..column("int", None)
            };
            assert_eq!(expected(&column("int", None), &ghost, strict), wanted);
        };
        check(true, Expected::Same);
        check(false, Expected::Stored);
    }
}
