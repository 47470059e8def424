//! Tables and figures for people.

use std::cmp::Ordering;
use std::time::Duration;

/// Prints rows in aligned columns; the first row is the heading if `headed`.
pub(crate) fn print(headed: bool, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    println!();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("  {}", cells.join("  ").trim_end());
        if headed && at == 0 {
            println!("  {}", rule.join("  "));
        }
    }
    println!();
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in the unit that suits it.
pub(crate) fn duration(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// The middle of some durations.
pub(crate) fn median(durations: &[Duration]) -> Duration {
    middle(durations.to_vec(), Duration::cmp).unwrap_or_default()
}

/// The middle of what is put into this order; none of nothing.
pub(crate) fn middle<T: Copy>(mut all: Vec<T>, order: impl FnMut(&T, &T) -> Ordering) -> Option<T> {
    all.sort_by(order);
    all.get(all.len() / 2).copied()
}

/// What this share of some durations does not exceed.
pub(crate) fn percentile(durations: &[Duration], share: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort();
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let check = |number, expected: &str| assert_eq!(thousands(number), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(1_234_567, "1,234,567");
    }

    #[test]
    fn percentiles_are_reached() {
        let hundred: Vec<Duration> = (1..=100).rev().map(Duration::from_secs).collect();
        for (share, expected) in [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)] {
            assert_eq!(percentile(&hundred, share), Duration::from_secs(expected));
        }
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let seconds: Vec<Duration> = [9, 1, 4].into_iter().map(Duration::from_secs).collect();
        assert_eq!(median(&seconds), Duration::from_secs(4));
        assert_eq!(median(&[]), Duration::ZERO);
    }
}
