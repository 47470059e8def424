//! Do the two clocks agree? Ages and rates are shown from both, so a difference is worth knowing, and no more.

use super::Finding;
use super::facts::Facts;

/// A difference below this is of no consequence.
const TOLERATED_SECONDS: f64 = 2.0;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let ahead = facts.clock_ahead_seconds;
    if ahead.abs() < TOLERATED_SECONDS {
        return Vec::new();
    }
    let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
    vec![Finding::warning(
        format!(
            "the server's clock is {:.1} s {direction} this machine's",
            ahead.abs()
        ),
        "times shown by alterego and by the server will not agree",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_only_warned_of() {
        let check = |ahead: f64, expected: Option<&str>| {
            let facts = Facts {
                clock_ahead_seconds: ahead,
                ..Facts::default()
            };
            let found = super::check(&facts);
            assert_eq!(found.len(), usize::from(expected.is_some()));
            assert!(
                found
                    .iter()
                    .all(|f| !f.fatal && f.what.contains(expected.unwrap_or_default()))
            );
        };
        check(0.3, None);
        check(-1.9, None);
        check(60.0, Some("60.0 s ahead of"));
        check(-3600.0, Some("3600.0 s behind"));
    }
}
