//! A value as MariaDB quotes it in a warning.

/// The longest quoted value, in bytes.
const QUOTED_MAX: usize = 128;

/// A string as a warning about a number quotes it.
pub(super) fn as_text(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => return as_ascii(bytes),
    };
    shortened(text.chars().map(String::from), text.len())
}

/// A string as a warning about a date quotes it: what is not ASCII is told in hexadecimal.
pub(super) fn as_ascii(bytes: &[u8]) -> String {
    let piece = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    };
    let whole = bytes.iter().map(|byte| piece(byte).len()).sum();
    shortened(bytes.iter().map(piece), whole)
}

/// The pieces, or as many as leave room for an ellipsis.
fn shortened(pieces: impl Iterator<Item = String>, whole: usize) -> String {
    if whole <= QUOTED_MAX {
        return pieces.collect();
    }
    let mut kept = String::new();
    for piece in pieces {
        if kept.len() + piece.len() > QUOTED_MAX - 3 {
            break;
        }
        kept.push_str(&piece);
    }
    kept + "..."
}

/// What MariaDB takes a text for that is no proper date: `date` when a date is all that can be read of it, and
/// `datetime` otherwise.
pub(super) fn temporal_word(text: &str) -> &'static str {
    match date_in_front(text.trim_start()) {
        Some(rest) if !rest.starts_with(|c: char| c.is_ascii_digit() || c == ':') => "date",
        _ => "datetime",
    }
}

/// What follows the date `text` begins with, without the `T` or space in front of a time of day.
fn date_in_front(text: &str) -> Option<&str> {
    let (year, rest) = number(text)?;
    let (month, rest) = number(rest.strip_prefix('-')?)?;
    let (day, rest) = number(rest.strip_prefix('-')?)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        0..=12 => 31,
        _ => 0,
    };
    (day <= days).then(|| rest.strip_prefix([' ', 'T']).unwrap_or(rest))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// How a text reads as a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numeral {
    /// It begins with no number.
    None,
    /// Something stands behind the number.
    Leading,
    /// It is a number, perhaps between spaces.
    Whole,
}

pub(super) fn numeral(text: &str) -> Numeral {
    let text = text.trim();
    if text.parse::<f64>().is_ok() && !text.contains(['a', 'i', 'n', 'A', 'I', 'N']) {
        return Numeral::Whole;
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = digits.strip_prefix('.').unwrap_or(digits);
    match digits.starts_with(|c: char| c.is_ascii_digit()) {
        true => Numeral::Leading,
        false => Numeral::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_mariadb_does() {
        assert_eq!(as_text("1é\n".as_bytes()), "1é\n");
        assert_eq!(as_text(b"1\xff"), "1\\xFF");
        assert_eq!(as_text("é".repeat(70).as_bytes()), "é".repeat(62) + "...");
        assert_eq!(as_text("x".repeat(128).as_bytes()), "x".repeat(128));
        assert_eq!(as_text("x".repeat(129).as_bytes()), "x".repeat(125) + "...");
        assert_eq!(as_ascii("é\n".as_bytes()), "\\xC3\\xA9\\x0A");
    }

    #[test]
    fn a_date_is_told_from_a_datetime() {
        let check = |text: &str, expected: &str| assert_eq!(temporal_word(text), expected, "{text}");
        check("2024-01-01x", "date");
        check("2024-01-01 x", "date");
        check("2024-00-01x", "date");
        check("2024-02-29x", "date");
        check("2024-02-30", "datetime");
        check("2024-01-01 10:00:00x", "datetime");
        check("2024-01-01T10x", "datetime");
        check("x", "datetime");
        check("", "datetime");
        check("20240230", "datetime");
    }

    #[test]
    fn numbers_are_found() {
        let check = |text: &str, expected: Numeral| assert_eq!(numeral(text), expected, "{text}");
        check("one", Numeral::None);
        check("", Numeral::None);
        check("nan", Numeral::None);
        check("1one", Numeral::Leading);
        check("-.5x", Numeral::Leading);
        check(" 1.5e3 ", Numeral::Whole);
    }
}
