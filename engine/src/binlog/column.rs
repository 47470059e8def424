//! The columns of a table as the binary log describes them, and how to step over their values.

use super::reader::{Reader, Truncated};
use super::{StreamEnd, value};

/// How a column's values are stored in a row image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// TINYINT to BIGINT, the lowest byte first.
    Int { bytes: usize },
    /// One byte, years since 1900.
    Year,
    /// Three bytes.
    Date,
    /// TIME with this many fraction bytes.
    Time { fraction_bytes: usize },
    /// DATETIME with this many fraction bytes.
    DateTime { fraction_bytes: usize },
    /// TIMESTAMP with this many fraction bytes.
    Timestamp { fraction_bytes: usize },
    /// DECIMAL.
    Decimal { precision: usize, scale: usize },
    /// CHAR, VARCHAR, BINARY, VARBINARY, BLOB, JSON …: the length in so many bytes, then the value.
    Bytes { length_bytes: usize },
    /// ENUM's number.
    Enum { bytes: usize },
    /// SET's bits.
    Set { bytes: usize },
    /// BIT, the highest byte first.
    Bit { bytes: usize },
    /// FLOAT and DOUBLE.
    Float { bytes: usize },
}

/// The type codes of the protocol that a table map can carry.
mod code {
    pub(super) const TINY: u8 = 1;
    pub(super) const SHORT: u8 = 2;
    pub(super) const LONG: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const DOUBLE: u8 = 5;
    pub(super) const LONGLONG: u8 = 8;
    pub(super) const INT24: u8 = 9;
    pub(super) const DATE: u8 = 10;
    pub(super) const YEAR: u8 = 13;
    pub(super) const NEWDATE: u8 = 14;
    pub(super) const VARCHAR: u8 = 15;
    pub(super) const BIT: u8 = 16;
    pub(super) const TIMESTAMP2: u8 = 17;
    pub(super) const DATETIME2: u8 = 18;
    pub(super) const TIME2: u8 = 19;
    pub(super) const MARIADB_BLOB_COMPRESSED: u8 = 140;
    pub(super) const MARIADB_VARCHAR_COMPRESSED: u8 = 141;
    pub(super) const VECTOR: u8 = 242;
    pub(super) const JSON: u8 = 245;
    pub(super) const NEWDECIMAL: u8 = 246;
    pub(super) const ENUM: u8 = 247;
    pub(super) const SET: u8 = 248;
    pub(super) const TINY_BLOB: u8 = 249;
    pub(super) const BLOB: u8 = 252;
    pub(super) const VAR_STRING: u8 = 253;
    pub(super) const STRING: u8 = 254;
    pub(super) const GEOMETRY: u8 = 255;
}

/// Whether partial updates of a column of this type code are counted in the event's bitmap of JSON columns.
pub(super) fn is_json(code: u8) -> bool {
    code == code::JSON
}

impl ColumnType {
    /// Reads the metadata of one column of type `code`.
    pub(super) fn read(code: u8, metadata: &mut Reader<'_>) -> Result<Self, StreamEnd> {
        let column = match code {
            code::TINY => Self::Int { bytes: 1 },
            code::SHORT => Self::Int { bytes: 2 },
            code::INT24 => Self::Int { bytes: 3 },
            code::LONG => Self::Int { bytes: 4 },
            code::LONGLONG => Self::Int { bytes: 8 },
            code::YEAR => Self::Year,
            code::DATE | code::NEWDATE => Self::Date,
            code::FLOAT | code::DOUBLE => Self::Float {
                bytes: metadata.length(1)?,
            },
            code::TIME2 => Self::Time {
                fraction_bytes: fraction_bytes(metadata)?,
            },
            code::DATETIME2 => Self::DateTime {
                fraction_bytes: fraction_bytes(metadata)?,
            },
            code::TIMESTAMP2 => Self::Timestamp {
                fraction_bytes: fraction_bytes(metadata)?,
            },
            code::NEWDECIMAL => Self::Decimal {
                precision: metadata.length(1)?,
                scale: metadata.length(1)?,
            },
            code::VARCHAR | code::VAR_STRING | code::MARIADB_VARCHAR_COMPRESSED => {
                Self::bytes_up_to(metadata.length(2)?)
            }
            code::TINY_BLOB..=code::BLOB
            | code::GEOMETRY
            | code::JSON
            | code::VECTOR
            | code::MARIADB_BLOB_COMPRESSED => Self::Bytes {
                length_bytes: metadata.length(1)?,
            },
            code::BIT => Self::read_bit(metadata)?,
            code::ENUM | code::SET | code::STRING => Self::read_string(metadata)?,
            // The temporal types of servers before 5.6: MariaDB still makes them when told to, with a
            // width that the binary log does not tell.
            other => {
                return Err(StreamEnd::NotUnderstood(format!(
                    "the table has a column of type {other} of the binary log"
                )));
            }
        };
        Ok(column)
    }

    /// CHAR, ENUM and SET share a code; the real one is in the metadata, in whose spare bits a long CHAR keeps the
    /// upper part of its length.
    fn read_string(metadata: &mut Reader<'_>) -> Result<Self, StreamEnd> {
        let (real, low) = (metadata.u8()?, metadata.length(1)?);
        Ok(match real {
            code::ENUM => Self::Enum { bytes: low },
            code::SET => Self::Set { bytes: low },
            _ => Self::bytes_up_to(usize::from((real & 0x30) ^ 0x30) << 4 | low),
        })
    }

    fn read_bit(metadata: &mut Reader<'_>) -> Result<Self, StreamEnd> {
        let (bits, bytes) = (metadata.length(1)?, metadata.length(1)?);
        Ok(Self::Bit {
            bytes: bytes + usize::from(bits > 0),
        })
    }

    fn bytes_up_to(longest: usize) -> Self {
        Self::Bytes {
            length_bytes: if longest > 255 { 2 } else { 1 },
        }
    }

    /// Steps over a value.
    pub(super) fn skip(self, row: &mut Reader<'_>) -> Result<(), Truncated> {
        let bytes = match self {
            Self::Int { bytes }
            | Self::Enum { bytes }
            | Self::Set { bytes }
            | Self::Bit { bytes }
            | Self::Float { bytes } => bytes,
            Self::Year => 1,
            Self::Date => 3,
            Self::Time { fraction_bytes } => 3 + fraction_bytes,
            Self::DateTime { fraction_bytes } => 5 + fraction_bytes,
            Self::Timestamp { fraction_bytes } => 4 + fraction_bytes,
            Self::Decimal { precision, scale } => value::decimal_bytes(precision, scale),
            Self::Bytes { length_bytes } => row.length(length_bytes)?,
        };
        row.bytes(bytes).map(|_| ())
    }
}

/// The bytes a fraction of so many digits (at most 6) takes.
fn fraction_bytes(metadata: &mut Reader<'_>) -> Result<usize, StreamEnd> {
    match metadata.length(1)? {
        digits @ 0..=6 => Ok(digits.div_ceil(2)),
        digits => Err(StreamEnd::NotUnderstood(format!(
            "a column with {digits} fraction digits"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read() {
        let check = |code: u8, metadata: &[u8], expected: ColumnType| {
            let mut reader = Reader::new(metadata);
            assert_eq!(ColumnType::read(code, &mut reader).unwrap(), expected);
            assert!(reader.is_empty());
        };
        check(code::INT24, &[], ColumnType::Int { bytes: 3 });
        check(code::TIME2, &[6], ColumnType::Time { fraction_bytes: 3 });
        check(code::DATETIME2, &[0], ColumnType::DateTime { fraction_bytes: 0 });
        check(code::VARCHAR, &[0xFF, 0], ColumnType::Bytes { length_bytes: 1 });
        check(code::VARCHAR, &[0, 1], ColumnType::Bytes { length_bytes: 2 });
        check(code::STRING, &[0xFE, 4], ColumnType::Bytes { length_bytes: 1 });
        check(code::STRING, &[0xEE, 0x40], ColumnType::Bytes { length_bytes: 2 });
        check(code::STRING, &[0xF7, 2], ColumnType::Enum { bytes: 2 });
        check(code::STRING, &[0xF8, 8], ColumnType::Set { bytes: 8 });
        check(code::BIT, &[4, 1], ColumnType::Bit { bytes: 2 });
        check(code::BIT, &[0, 8], ColumnType::Bit { bytes: 8 });
        check(
            code::NEWDECIMAL,
            &[10, 2],
            ColumnType::Decimal {
                precision: 10,
                scale: 2,
            },
        );
    }

    #[test]
    fn unknown_types_are_refused() {
        for code in [7, 11, 12, 20, 99] {
            assert!(ColumnType::read(code, &mut Reader::new(&[0; 8])).is_err());
        }
    }
}
