//! A row's checksum, as SQL.
//!
//! # Why equal checksums mean equal rows
//! Every value is written in a form that only it has (below), behind its length, or as `-` for NULL; so the text of a row can
//! be read back in one way only. A value that may be long is replaced by its SHA-256. The row's checksum is the SHA-256 of
//! that text; a chunk's is its number of rows and the XOR of the first 128 bits of theirs. No two rows of a chunk have the same
//! text, because it holds the key, so none is cancelled out. A value too long for `max_allowed_packet` makes the
//! checksum NULL, which is counted and never taken for equal.

use alterego_engine::Flavor;
use alterego_engine::table::Column;

/// The forms of one column's values on both servers, if they can be compared.
pub(super) fn values(
    (a, name_a): (&Column, &str),
    (b, name_b): (&Column, &str),
    flavors: (Flavor, Flavor),
) -> Option<(String, String)> {
    let both =
        |one: &dyn Fn(&str) -> String| Some((framed(name_a, &one(name_a)), framed(name_b, &one(name_b))));
    let class = class(a);
    if class != self::class(b) {
        return None;
    }
    match class {
        Class::Number => both(&|name| format!("({name}+0)")),
        Class::Float => both(&|name| format!("CAST({name} AS DOUBLE)")),
        Class::Plain => both(&|name| format!("CAST({name} AS CHAR)")),
        Class::Bytes => both(&|name| format!("SHA2({name},256)")),
        Class::Hex => both(&|name| format!("SHA2(HEX({name}),256)")),
        Class::Members => both(&|name| format!("CONCAT({name}+0,'=',CONVERT({name} USING utf8mb4))")),
        Class::Text if a.charset == b.charset => both(&|name| format!("SHA2(CAST({name} AS BINARY),256)")),
        Class::Text => both(&|name| format!("SHA2(CAST(CONVERT({name} USING utf8mb4) AS BINARY),256)")),
        // The server writes a document in its own way, the same on all of its family.
        Class::Json if flavors.0 == flavors.1 => {
            both(&|name| format!("SHA2(CAST(CAST({name} AS CHAR CHARACTER SET utf8mb4) AS BINARY),256)"))
        }
        Class::Json => None,
    }
}

/// The checksum of a row, from the forms of its values.
pub(super) fn row<'v>(values: impl Iterator<Item = &'v String>) -> String {
    format!(
        "SHA2(CONCAT({}),256)",
        values.cloned().collect::<Vec<_>>().join(",")
    )
}

/// Number and checksum of rows whose checksums are `h`: rows, those without one, and both halves of the XOR.
pub(super) const CHUNK: &str = "COUNT(*), COALESCE(SUM(h IS NULL),0), \
     COALESCE(BIT_XOR(CAST(CONV(SUBSTRING(h,1,16),16,10) AS UNSIGNED)),0), \
     COALESCE(BIT_XOR(CAST(CONV(SUBSTRING(h,17,16),16,10) AS UNSIGNED)),0)";

fn framed(name: &str, value: &str) -> String {
    format!("IF({name} IS NULL,'-',CONCAT(LENGTH({value}),':',{value}))")
}

/// Types whose values are written in the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Integers and BIT, without ZEROFILL's zeros; DECIMAL.
    Number,
    /// As DOUBLE, which shows every bit of a FLOAT, and the sign of zero.
    Float,
    /// Temporal types, UUID, INET.
    Plain,
    /// Binary strings.
    Bytes,
    /// Geometry and vectors: their stored form.
    Hex,
    /// ENUM and SET: number and name.
    Members,
    Text,
    Json,
}

fn class(column: &Column) -> Class {
    match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "bit" | "decimal" | "year" => Class::Number,
        "float" | "double" => Class::Float,
        "json" => Class::Json,
        "enum" | "set" => Class::Members,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Class::Bytes,
        _ if column.charset.is_some() => Class::Text,
        "date" | "time" | "datetime" | "timestamp" | "uuid" | "inet4" | "inet6" => Class::Plain,
        _ => Class::Hex,
    }
}
