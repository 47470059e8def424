//! What a MariaDB server has: for each domain and each server that wrote in it, the last number.
//!
//! The list joins `gtid_binlog_state` (what is in the server's own log) with `gtid_slave_pos` (where it stands in another's).
//! A position alone, one GTID a domain, would not do: after a failover the new primary's `0-2-100` says nothing of the old
//! one's `0-1-100`, although the number is the same.
//!
//! # Why comparing lists is correct
//! In one server's log the numbers of a domain ascend, and a replica takes them in that order. So whoever has `d-s-m` has
//! every `d-s-n` with n ≤ m that stands in the same history. A server that was cloned has no log from before: its list
//! names the writers since then only. Such a server has `d-s-n` if it has a later GTID of the domain that the list it is
//! compared with knows, too: a witness that it came by that history. Without a witness it lacks it. A server that knows
//! the writer `s` is never excused by a witness: it says itself how far it came.
//!
//! What MariaDB's GTIDs cannot tell, nobody can tell here: a number given twice, and a write that was skipped on the way
//! although later ones of the same server came.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::gaps::{Gap, Gaps, Writer};

/// The last number of each writer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct GtidList(BTreeMap<Writer, u64>);

impl GtidList {
    /// Adds what `other` has.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (writer, number) in &other.0 {
            let ours = self.0.entry(*writer).or_default();
            *ours = (*ours).max(*number);
        }
    }

    /// What of this `other` lacks.
    pub(crate) fn missing_in(&self, other: &Self) -> Gaps {
        let gaps = self.0.iter().filter_map(|(writer, last)| {
            let first = match other.0.get(writer) {
                Some(reached) => *reached,
                None => self.witnessed(other, *writer),
            }
            .saturating_add(1);
            (first <= *last).then_some((*writer, Gap { first, last: *last }))
        });
        gaps.collect()
    }

    /// How far `other` has come in the writer's domain by GTIDs that this list knows, too; 0 if by none.
    fn witnessed(&self, other: &Self, writer: Writer) -> u64 {
        let ours = self.0.iter().filter(|(of, _)| of.domain == writer.domain);
        let both = ours.filter_map(|(of, ours)| Some(*other.0.get(of)?.min(ours)));
        both.max().unwrap_or(0)
    }

    /// What the server with this id wrote first.
    pub(crate) fn of_server(&self, server: &str) -> Self {
        let of_it = self
            .0
            .iter()
            .filter(|(writer, _)| writer.server.to_string() == server);
        Self(of_it.map(|(writer, last)| (*writer, *last)).collect())
    }

    /// This without the gaps: a writer whose last numbers are waived ends before them.
    pub(crate) fn less(&self, waived: &Gaps) -> Self {
        let left = self.0.iter().map(|(writer, last)| match waived.of(*writer) {
            Some(gap) if gap.first <= *last && *last <= gap.last => (*writer, gap.first.saturating_sub(1)),
            _ => (*writer, *last),
        });
        Self(left.filter(|(_, last)| *last > 0).collect())
    }
}

impl FromStr for GtidList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut list = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (writer, number) =
                Writer::parse(part).ok_or_else(|| format!("`{part}` is not a MariaDB GTID"))?;
            let last = list.0.entry(writer).or_default();
            *last = (*last).max(number);
        }
        Ok(list)
    }
}

impl fmt::Display for GtidList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (writer, number)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{writer}-{number}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> GtidList {
        text.parse().unwrap()
    }

    #[test]
    fn lists_are_read_and_written() {
        for text in ["", "0-1-100", "0-1-100,0-2-105,7-3-18446744073709551615"] {
            assert_eq!(list(text).to_string(), text);
        }
        assert_eq!(list("0-1-5, 0-1-4,\n0-1-6"), list("0-1-6"));
        for text in ["0", "0-1", "0-1-2-3", "a-1-2", "0-1--2"] {
            assert!(text.parse::<GtidList>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |ours: &str, theirs: &str, expected: &str| {
            assert_eq!(
                list(ours).missing_in(&list(theirs)).to_string(),
                expected,
                "{ours} in {theirs}"
            );
        };
        check("0-1-100", "0-1-100", "");
        check("0-1-100", "0-1-101", "");
        check("0-1-100", "0-1-99", "0-1-100");
        check("0-1-100", "0-1-97", "0-1-98..0-1-100");
        check("0-1-100", "", "0-1-1..0-1-100");
        // The same number by another server is another transaction.
        check("0-1-100", "0-1-99,0-2-100", "0-1-100");
        check("0-1-100,1-1-5", "0-1-100", "1-1-1..1-1-5");
        // A clone: it knows the later writer only.
        check("0-1-99,0-2-105", "0-2-105", "");
        check("0-1-99,0-2-105", "0-2-107", "");
        check("0-1-99,0-2-105", "0-2-98", "0-1-99,0-2-99..0-2-105");
        // High numbers of a stranger witness nothing.
        check("0-1-100", "0-7-500", "0-1-1..0-1-100");
        check("0-1-99,0-2-105", "0-7-500", "0-1-1..0-1-99,0-2-1..0-2-105");
    }

    #[test]
    fn waived_numbers_are_left_out() {
        let check = |text: &str, waived: &str, expected: &str| {
            assert_eq!(list(text).less(&waived.parse().unwrap()), list(expected));
        };
        check("0-1-100", "0-1-98..0-1-100", "0-1-97");
        check("0-1-100", "0-1-1..0-1-100", "");
        check("0-1-100", "0-1-98..0-1-99", "0-1-100");
        check("0-1-100", "0-2-98..0-2-100", "0-1-100");
    }
}
