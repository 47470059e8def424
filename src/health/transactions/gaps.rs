//! Transactions that a MariaDB server lacks: `0-1-100`, or `0-1-98..0-1-100` for all of that server in between.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Who gave a GTID its number: a server within a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Writer {
    pub(super) domain: u32,
    pub(super) server: u32,
}

impl Writer {
    /// Reads a GTID as its writer and its number.
    pub(super) fn parse(gtid: &str) -> Option<(Self, u64)> {
        let mut parts = gtid.split('-');
        let domain = parts.next()?.parse().ok()?;
        let server = parts.next()?.parse().ok()?;
        let number = parts.next()?.parse().ok()?;
        parts
            .next()
            .is_none()
            .then_some((Self { domain, server }, number))
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.domain, self.server)
    }
}

/// The numbers `first..=last` of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// At most one gap for each writer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Gaps(BTreeMap<Writer, Gap>);

impl Gaps {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The gap of this writer.
    pub(super) fn of(&self, writer: Writer) -> Option<Gap> {
        self.0.get(&writer).copied()
    }

    /// Whether each gap of `other` lies in one of these.
    pub(super) fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|(writer, theirs)| {
            let ours = self.0.get(writer);
            ours.is_some_and(|ours| ours.first <= theirs.first && theirs.last <= ours.last)
        })
    }

    /// Adds the gaps of `other`; two of one writer become one that spans both.
    pub(super) fn merge(&mut self, other: &Self) {
        for (writer, theirs) in &other.0 {
            let ours = self.0.entry(*writer).or_insert(*theirs);
            ours.first = ours.first.min(theirs.first);
            ours.last = ours.last.max(theirs.last);
        }
    }
}

impl FromIterator<(Writer, Gap)> for Gaps {
    fn from_iter<T: IntoIterator<Item = (Writer, Gap)>>(gaps: T) -> Self {
        Self(gaps.into_iter().collect())
    }
}

impl FromStr for Gaps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut gaps = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (writer, gap) =
                parse(part).ok_or_else(|| format!("`{part}` is not a range of MariaDB's GTIDs"))?;
            gaps.merge(&Self::from_iter([(writer, gap)]));
        }
        Ok(gaps)
    }
}

fn parse(part: &str) -> Option<(Writer, Gap)> {
    let (first, last) = part.split_once("..").unwrap_or((part, part));
    let (writer, first) = Writer::parse(first.trim())?;
    let (other, last) = Writer::parse(last.trim())?;
    (writer == other && first <= last).then_some((writer, Gap { first, last }))
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (writer, Gap { first, last })) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{writer}-{first}")?;
            if first != last {
                write!(f, "..{writer}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written() {
        for text in ["", "0-1-100", "0-1-98..0-1-100,1-1-4"] {
            assert_eq!(text.parse::<Gaps>().unwrap().to_string(), text);
        }
        for text in ["0", "0-1-5..0-1-4", "0-1-5..0-2-6", "0-1-5..", "x"] {
            assert!(text.parse::<Gaps>().is_err(), "{text}");
        }
    }

    #[test]
    fn covering() {
        let check = |ours: &str, theirs: &str, expected: bool| {
            let gaps = |text: &str| text.parse::<Gaps>().unwrap();
            assert_eq!(gaps(ours).cover(&gaps(theirs)), expected, "{ours} {theirs}");
        };
        check("0-1-98..0-1-100", "0-1-99", true);
        check("0-1-98..0-1-100", "0-1-98..0-1-101", false);
        check("0-1-98..0-1-100", "0-2-99", false);
        check("", "", true);
    }
}
