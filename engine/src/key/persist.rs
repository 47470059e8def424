//! Keys as text, for the state table: `i-5,u7,x6162,t31302E35`.
//!
//! The letter tells the variant of [`KeyValue`]; strings are hexadecimal, so that the text needs no escaping.

use super::{Key, KeyValue};
use crate::{Error, Result};

/// The text of `key`.
pub fn encode(key: &Key) -> String {
    let values = key.0.iter().map(|value| match value {
        KeyValue::Int(value) => format!("i{value}"),
        KeyValue::Uint(value) => format!("u{value}"),
        KeyValue::Bytes(bytes) => format!("x{}", to_hex(bytes)),
        KeyValue::Text(text) => format!("t{}", to_hex(text.as_bytes())),
    });
    values.collect::<Vec<_>>().join(",")
}

/// The key that [`encode`] wrote.
///
/// # Errors
/// [`Error::Fatal`] for any other text.
pub fn decode(text: &str) -> Result<Key> {
    text.split(',')
        .map(decode_value)
        .collect::<Option<Vec<_>>>()
        .map(Key)
        .ok_or_else(|| Error::fatal(format!("`{text}` is not a key that was saved here")))
}

fn decode_value(text: &str) -> Option<KeyValue> {
    let mut chars = text.chars();
    let kind = chars.next()?;
    let rest = chars.as_str();
    match kind {
        'i' => rest.parse().ok().map(KeyValue::Int),
        'u' => rest.parse().ok().map(KeyValue::Uint),
        'x' => from_hex(rest.as_bytes()).map(KeyValue::Bytes),
        't' => String::from_utf8(from_hex(rest.as_bytes())?)
            .ok()
            .map(KeyValue::Text),
        _ => None,
    }
}

/// `bytes` in upper-case hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)])
        .collect()
}

/// The bytes that `digits` spell; `None` if they do not.
pub(super) fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = KeyValue> {
        prop_oneof![
            any::<i64>().prop_map(KeyValue::Int),
            any::<u64>().prop_map(KeyValue::Uint),
            any::<Vec<u8>>().prop_map(KeyValue::Bytes),
            any::<String>().prop_map(KeyValue::Text),
        ]
    }

    proptest! {
        #[test]
        fn saved_keys_are_read_back(values in proptest::collection::vec(value(), 1..5)) {
            let key = Key(values);
            let text = encode(&key);
            prop_assert!(text.is_ascii());
            prop_assert_eq!(decode(&text).unwrap(), key);
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "5", "i", "ix", "u-1", "x0", "x0g", "i1,", "tFF"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
