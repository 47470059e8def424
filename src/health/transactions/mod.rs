//! The transactions a server has, and those it lacks.
//!
//! Sets are compared here and not by a server's `GTID_SUBSET` and `GTID_SUBTRACT`, because the server that would be asked
//! may be the one that is gone. The tests compare both.
//!
//! # Invariant
//! What cannot be compared (GTIDs of MySQL with those of MariaDB) is missing as a whole: a comparison fails closed.

mod gaps;
mod gtid_list;

use std::fmt;

use alterego_engine::Flavor;
use alterego_engine::position::GtidSet;

pub(crate) use gaps::Gaps;
pub(crate) use gtid_list::GtidList;

/// The transactions a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transactions {
    /// MySQL's: exact.
    MySql(GtidSet),
    /// MariaDB's: the last number of each server in each domain.
    MariaDb(GtidList),
}

impl Transactions {
    /// Reads what a server wrote, or what [`fmt::Display`] did.
    pub(crate) fn parse(flavor: Flavor, text: &str) -> Result<Self, String> {
        match flavor {
            Flavor::MySql => text.parse().map(Self::MySql).map_err(|error| format!("{error}")),
            Flavor::MariaDb => text.parse().map(Self::MariaDb),
        }
    }

    /// Whose they are.
    pub(crate) fn flavor(&self) -> Flavor {
        match self {
            Self::MySql(_) => Flavor::MySql,
            Self::MariaDb(_) => Flavor::MariaDb,
        }
    }

    /// Those of them that `other` lacks.
    pub(crate) fn missing_in(&self, other: &Self) -> Missing {
        match (self, other) {
            (Self::MySql(ours), Self::MySql(theirs)) => {
                let mut missing = ours.clone();
                missing.subtract(theirs);
                Missing::MySql(missing)
            }
            (Self::MariaDb(ours), Self::MariaDb(theirs)) => Missing::MariaDb(ours.missing_in(theirs)),
            _ => Missing::Unknown,
        }
    }

    /// Adds those of `other`; those of another kind replace nothing.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::MySql(ours), Self::MySql(theirs)) => ours.merge(theirs),
            (Self::MariaDb(ours), Self::MariaDb(theirs)) => ours.merge(theirs),
            _ => {}
        }
    }

    /// Those that the server `origin` was the first to write.
    pub(crate) fn of_origin(&self, origin: &str) -> Self {
        match self {
            Self::MySql(set) => Self::MySql(set.of_uuid(origin)),
            Self::MariaDb(list) => Self::MariaDb(list.of_server(origin)),
        }
    }

    /// Those that are not among `waived`.
    pub(crate) fn less(&self, waived: &Missing) -> Self {
        match (self, waived) {
            (Self::MySql(ours), Missing::MySql(waived)) => {
                let mut left = ours.clone();
                left.subtract(waived);
                Self::MySql(left)
            }
            (Self::MariaDb(ours), Missing::MariaDb(waived)) => Self::MariaDb(ours.less(waived)),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(set) => set.fmt(f),
            Self::MariaDb(list) => list.fmt(f),
        }
    }
}

/// Transactions that are not where they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// MySQL's.
    MySql(GtidSet),
    /// MariaDB's.
    MariaDb(Gaps),
    /// Nobody can tell which: there are no GTIDs, or not of the same kind.
    Unknown,
}

/// How [`Missing::Unknown`] is written.
const UNKNOWN: &str = "UNKNOWN";

impl Missing {
    /// Whether nothing is missing, for certain.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::MySql(set) => set.is_empty(),
            Self::MariaDb(gaps) => gaps.is_empty(),
            Self::Unknown => false,
        }
    }

    /// Whether all of `other` are among these.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, other) if other.is_empty() => true,
            (Self::MySql(ours), Self::MySql(theirs)) => {
                let mut left = theirs.clone();
                left.subtract(ours);
                left.is_empty()
            }
            (Self::MariaDb(ours), Self::MariaDb(theirs)) => ours.cover(theirs),
            (Self::Unknown, Self::Unknown) => true,
            _ => false,
        }
    }

    /// Adds those of `other`, if they are of the same kind.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::MySql(ours), Self::MySql(theirs)) => ours.merge(theirs),
            (Self::MariaDb(ours), Self::MariaDb(theirs)) => ours.merge(theirs),
            _ => {}
        }
    }

    /// Reads what [`fmt::Display`] wrote: an operator repeats it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case(UNKNOWN) {
            return Ok(Self::Unknown);
        }
        if let Ok(gaps) = text.parse() {
            return Ok(Self::MariaDb(gaps));
        }
        let set = text.parse().map(Self::MySql);
        set.map_err(|_| format!("`{text}` is neither a set of GTIDs nor {UNKNOWN}"))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(set) => set.fmt(f),
            Self::MariaDb(gaps) => gaps.fmt(f),
            Self::Unknown => f.write_str(UNKNOWN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn mysql(text: &str) -> Transactions {
        Transactions::parse(Flavor::MySql, &text.replace("$A", A)).unwrap()
    }

    #[test]
    fn what_is_missing_is_read_back() {
        let check = |missing: &Missing| {
            assert_eq!(Missing::parse(&missing.to_string()).as_ref(), Ok(missing));
        };
        check(&Missing::Unknown);
        check(&mysql("$A:1-9").missing_in(&mysql("$A:1-5")));
        let list = |text| Transactions::parse(Flavor::MariaDb, text).unwrap();
        check(&list("0-1-9,1-1-4").missing_in(&list("0-1-5,1-1-3")));
        assert!(Missing::parse("$A:1").is_err());
    }

    #[test]
    fn kinds_do_not_compare() {
        let other = Transactions::parse(Flavor::MariaDb, "0-1-9").unwrap();
        assert_eq!(mysql("$A:1").missing_in(&other), Missing::Unknown);
        assert!(!Missing::Unknown.is_empty());
    }

    #[test]
    fn covering_is_asked_of_the_whole() {
        let missing = |text: &str| mysql(text).missing_in(&mysql(""));
        let check = |given: Missing, missing: Missing, expected: bool| {
            assert_eq!(given.covers(&missing), expected, "{given} {missing}");
        };
        check(missing("$A:5-9"), missing("$A:6-7"), true);
        check(missing("$A:5-9"), missing("$A:6-10"), false);
        check(missing(""), missing(""), true);
        check(missing(""), Missing::Unknown, false);
        check(Missing::Unknown, missing("$A:1"), false);
        check(Missing::Unknown, Missing::Unknown, true);
    }
}
