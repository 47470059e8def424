//! Durations as an operator types them: `0`, `30s`, `10m`, `2h`, `7d`.

use std::time::Duration;

/// Reads a duration. A unit is required, so that nobody has to guess what `10` means; only `0` stands alone.
///
/// # Errors
/// A sentence that says which forms are understood.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let seconds_per_unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(usage()),
    };
    let count: u64 = digits.parse().map_err(|_| usage())?;
    let seconds = count
        .checked_mul(seconds_per_unit)
        .filter(|seconds| *seconds <= LONGEST_SECONDS)
        .ok_or_else(|| "at most 3650d".to_owned())?;
    Ok(Duration::from_secs(seconds))
}

/// Ten years: beyond any use, and far from where date arithmetic overflows.
const LONGEST_SECONDS: u64 = 3650 * 24 * 60 * 60;

fn usage() -> String {
    "a number with a unit is needed, for example 30s, 10m, 2h or 7d, or 0".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse(text).ok().map(|d| d.as_secs()), expected, "{text}");
        };
        check("0", Some(0));
        check("0s", Some(0));
        check("30s", Some(30));
        check("10m", Some(600));
        check("2h", Some(7200));
        check(" 7d ", Some(604_800));
        for wrong in [
            "",
            "10",
            "s",
            "-1s",
            "1.5h",
            "7 d",
            "1w",
            "1é",
            "99999999999999999999s",
            "3651d",
            "1h30m",
        ] {
            check(wrong, None);
        }
    }
}
