//! The values of key columns in a row image, in their canonical form.

use super::column::ColumnType;
use super::reader::{Reader, Truncated};
use super::{StreamEnd, temporal};
use crate::key::{self, KeyColumn, KeyKind, KeyValue};

/// Reads the value of the key column `key`, which the log stores as `stored`.
pub(super) fn read(key: &KeyColumn, stored: ColumnType, row: &mut Reader<'_>) -> Result<KeyValue, StreamEnd> {
    let value = match (key.kind, stored) {
        (KeyKind::Int { unsigned, bytes }, ColumnType::Int { bytes: stored })
            if usize::from(bytes) == stored =>
        {
            integer(row.little(stored)?, stored, unsigned)
        }
        (KeyKind::Decimal, ColumnType::Decimal { precision, scale }) => {
            KeyValue::Text(key::decimal(&decimal(row, precision, scale)?))
        }
        (KeyKind::Year, ColumnType::Year) => KeyValue::Uint(year(row.u8()?)),
        (KeyKind::Date, ColumnType::Date) => KeyValue::Text(temporal::date(row.little(3)?)),
        (KeyKind::Time, ColumnType::Time { fraction_bytes }) => KeyValue::Text(key::temporal(
            &temporal::time(row.big(3 + fraction_bytes)?, fraction_bytes),
        )),
        (KeyKind::DateTime, ColumnType::DateTime { fraction_bytes }) => KeyValue::Text(key::temporal(
            &temporal::datetime(row.big(5)?, row.big(fraction_bytes)?, fraction_bytes),
        )),
        (KeyKind::Timestamp, ColumnType::Timestamp { fraction_bytes }) => KeyValue::Text(key::temporal(
            &temporal::timestamp(row.big(4)?, row.big(fraction_bytes)?, fraction_bytes),
        )),
        (KeyKind::Binary { length }, ColumnType::Bytes { length_bytes }) => {
            let mut bytes = string(row, length_bytes)?;
            // The log leaves trailing zeros out.
            bytes.resize(bytes.len().max(usize::try_from(length).unwrap_or(0)), 0);
            KeyValue::Bytes(bytes)
        }
        (KeyKind::VarBinary | KeyKind::Text, ColumnType::Bytes { length_bytes }) => {
            KeyValue::Bytes(string(row, length_bytes)?)
        }
        (KeyKind::Enum, ColumnType::Enum { bytes }) | (KeyKind::Set, ColumnType::Set { bytes }) => {
            KeyValue::Uint(row.little(bytes)?)
        }
        (KeyKind::Bit, ColumnType::Bit { bytes }) => KeyValue::Uint(row.big(bytes)?),
        _ => {
            return Err(StreamEnd::NotUnderstood(format!(
                "the key column {} has another type in the binary log",
                key.name
            )));
        }
    };
    Ok(value)
}

fn integer(value: u64, bytes: usize, unsigned: bool) -> KeyValue {
    if unsigned {
        return KeyValue::Uint(value);
    }
    // Shifted to the top and back, the sign of the stored width becomes the sign of the whole.
    let unused_bits = 64_usize.saturating_sub(bytes * 8);
    KeyValue::Int(((value << unused_bits).cast_signed()) >> unused_bits)
}

fn year(stored: u8) -> u64 {
    if stored == 0 { 0 } else { 1900 + u64::from(stored) }
}

fn string(row: &mut Reader<'_>, length_bytes: usize) -> Result<Vec<u8>, Truncated> {
    let length = row.length(length_bytes)?;
    Ok(row.bytes(length)?.to_vec())
}

/// Digits in a group of four bytes.
const GROUP_DIGITS: usize = 9;

/// The bytes of a group of so many digits.
fn group_bytes(digits: usize) -> usize {
    digits.div_ceil(2).min(4)
}

/// The bytes of a DECIMAL.
pub(super) fn decimal_bytes(precision: usize, scale: usize) -> usize {
    let side = |digits: usize| digits / GROUP_DIGITS * 4 + group_bytes(digits % GROUP_DIGITS);
    side(precision.saturating_sub(scale)) + side(scale)
}

/// A DECIMAL: groups of up to nine digits on both sides of the point, the shorter group outside. The first bit is
/// set unless the number is negative, in which case all bits are inverted.
fn decimal(row: &mut Reader<'_>, precision: usize, scale: usize) -> Result<String, Truncated> {
    let mut bytes = row.bytes(decimal_bytes(precision, scale))?.to_vec();
    let negative = bytes.first().is_some_and(|first| first & 0x80 == 0);
    if let Some(first) = bytes.first_mut() {
        *first ^= 0x80;
    }
    if negative {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let mut bytes = Reader::new(&bytes);
    let mut text = String::from(if negative { "-" } else { "" });
    let whole = precision.saturating_sub(scale);
    let whole_groups =
        std::iter::once(whole % GROUP_DIGITS).chain(std::iter::repeat_n(GROUP_DIGITS, whole / GROUP_DIGITS));
    push_groups(&mut text, &mut bytes, whole_groups)?;
    text.push('.');
    let fraction_groups =
        std::iter::repeat_n(GROUP_DIGITS, scale / GROUP_DIGITS).chain(std::iter::once(scale % GROUP_DIGITS));
    push_groups(&mut text, &mut bytes, fraction_groups)?;
    Ok(text)
}

fn push_groups(
    text: &mut String,
    bytes: &mut Reader<'_>,
    groups: impl Iterator<Item = usize>,
) -> Result<(), Truncated> {
    for digits in groups.filter(|digits| *digits > 0) {
        let value = bytes.big(group_bytes(digits))?;
        text.push_str(&format!("{value:0digits$}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ident;

    fn check(kind: KeyKind, stored: ColumnType, bytes: &[u8], expected: KeyValue) {
        let key = KeyColumn {
            name: Ident::new("k"),
            ordinal: 0,
            kind,
            charset: None,
        };
        let mut row = Reader::new(bytes);
        assert_eq!(read(&key, stored, &mut row).unwrap(), expected);
        assert!(row.is_empty());
        for shorter in 0..bytes.len() {
            assert!(read(&key, stored, &mut Reader::new(&bytes[..shorter])).is_err());
        }
        let mut row = Reader::new(bytes);
        stored.skip(&mut row).unwrap();
        assert!(row.is_empty());
    }

    #[test]
    fn integers_keep_their_sign() {
        let signed = |bytes| KeyKind::Int {
            unsigned: false,
            bytes,
        };
        let unsigned = |bytes| KeyKind::Int {
            unsigned: true,
            bytes,
        };
        let stored = |bytes| ColumnType::Int { bytes };
        check(signed(1), stored(1), &[0x80], KeyValue::Int(-128));
        check(signed(3), stored(3), &[0xFF; 3], KeyValue::Int(-1));
        check(unsigned(3), stored(3), &[0xFF; 3], KeyValue::Uint(0xFF_FFFF));
        check(
            signed(8),
            stored(8),
            &[0, 0, 0, 0, 0, 0, 0, 0x80],
            KeyValue::Int(i64::MIN),
        );
        check(unsigned(8), stored(8), &[0xFF; 8], KeyValue::Uint(u64::MAX));
    }

    #[test]
    fn decimals_are_read() {
        let check = |precision, scale, bytes: &[u8], expected: &str| {
            check(
                KeyKind::Decimal,
                ColumnType::Decimal { precision, scale },
                bytes,
                KeyValue::Text(expected.to_owned()),
            );
        };
        check(10, 2, &[0x80, 0, 0, 1, 50], "1.5");
        check(10, 2, &[0x7F, 0xFF, 0xFF, 0xFE, 0xCD], "-1.5");
        check(
            14,
            4,
            &[0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2],
            "1234567890.1234",
        );
        check(
            14,
            4,
            &[0x7E, 0xF2, 0x04, 0xC7, 0x2D, 0xFB, 0x2D],
            "-1234567890.1234",
        );
        check(4, 4, &[0x80, 0x01], "0.0001");
    }

    #[test]
    fn strings_are_padded_where_the_log_leaves_zeros_out() {
        let stored = ColumnType::Bytes { length_bytes: 1 };
        let bytes = [2, b'a', 0x20];
        check(
            KeyKind::Binary { length: 4 },
            stored,
            &bytes,
            KeyValue::Bytes(b"a \0\0".to_vec()),
        );
        check(
            KeyKind::VarBinary,
            stored,
            &bytes,
            KeyValue::Bytes(b"a ".to_vec()),
        );
        check(
            KeyKind::Text,
            ColumnType::Bytes { length_bytes: 2 },
            &[1, 0, b'x'],
            KeyValue::Bytes(b"x".to_vec()),
        );
    }

    #[test]
    fn other_values_are_read() {
        check(KeyKind::Year, ColumnType::Year, &[0], KeyValue::Uint(0));
        check(KeyKind::Year, ColumnType::Year, &[255], KeyValue::Uint(2155));
        check(
            KeyKind::Enum,
            ColumnType::Enum { bytes: 2 },
            &[1, 1],
            KeyValue::Uint(257),
        );
        check(
            KeyKind::Set,
            ColumnType::Set { bytes: 1 },
            &[5],
            KeyValue::Uint(5),
        );
        check(
            KeyKind::Bit,
            ColumnType::Bit { bytes: 2 },
            &[8, 1],
            KeyValue::Uint(2049),
        );
        check(
            KeyKind::Date,
            ColumnType::Date,
            &[0x3F, 0xD0, 0x0F],
            KeyValue::Text("2024-01-31".to_owned()),
        );
    }

    #[test]
    fn another_type_is_refused() {
        let key = KeyColumn {
            name: Ident::new("k"),
            ordinal: 0,
            kind: KeyKind::Int {
                unsigned: false,
                bytes: 4,
            },
            charset: None,
        };
        let read = read(&key, ColumnType::Int { bytes: 8 }, &mut Reader::new(&[0; 8]));
        assert!(matches!(read, Err(StreamEnd::NotUnderstood(_))));
    }
}
