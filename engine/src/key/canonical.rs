//! The one form of a decimal or temporal value.
//!
//! A column's declared scale pads values with zeros (`1.50`, `10:00:00.000`), ZEROFILL with more of them, and the
//! ghost's scale may differ from the source's: the canonical form has no padding at all.

/// A decimal number without leading zeros, trailing fraction zeros or a sign before zero.
pub(crate) fn decimal(text: &str) -> String {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let mut canonical = String::with_capacity(text.len() + 1);
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        canonical.push('-');
    }
    canonical.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        canonical.push('.');
        canonical.push_str(fraction);
    }
    canonical
}

/// A date or time as the server writes it, without trailing zeros in its fraction.
pub(crate) fn temporal(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        },
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_lose_their_padding() {
        let check = |text: &str, expected: &str| assert_eq!(decimal(text), expected);
        check("0", "0");
        check("0.00", "0");
        check("-0.00", "0");
        check("1.50", "1.5");
        check("0001.50", "1.5");
        check("-0.05", "-0.05");
        check(".5", "0.5");
        check("100", "100");
        check("-100.010", "-100.01");
    }

    #[test]
    fn times_lose_their_padding() {
        let check = |text: &str, expected: &str| assert_eq!(temporal(text), expected);
        check("2024-01-31", "2024-01-31");
        check("2024-01-31 10:00:00", "2024-01-31 10:00:00");
        check("2024-01-31 10:00:00.000", "2024-01-31 10:00:00");
        check("-838:59:59.500000", "-838:59:59.5");
    }
}
