//! A MariaDB GTID position: the last transaction of each replication domain, `0-1-100,1-3-20`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// One of MariaDB's GTIDs, without its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainGtid {
    /// The server that wrote it first.
    pub server_id: u32,
    /// Its number in the domain.
    pub sequence: u64,
}

/// The last GTID of every domain.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Domains(BTreeMap<u32, DomainGtid>);

impl Domains {
    /// Notes that `gtid` of `domain` has happened.
    pub fn advance(&mut self, domain: u32, gtid: DomainGtid) {
        self.0.insert(domain, gtid);
    }

    /// The part of this position that `other` has not reached.
    pub fn ahead_of(&self, other: &Self) -> Self {
        let reached = |domain: &u32, gtid: &DomainGtid| {
            other
                .0
                .get(domain)
                .is_some_and(|other| other.sequence >= gtid.sequence)
        };
        let ahead = self.0.iter().filter(|(domain, gtid)| !reached(domain, gtid));
        Self(ahead.map(|(domain, gtid)| (*domain, *gtid)).collect())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Domains {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let read = |gtid: &str| {
            let mut parts = gtid.split('-');
            let domain = parts.next()?.parse().ok()?;
            let server_id = parts.next()?.parse().ok()?;
            let sequence = parts.next()?.parse().ok()?;
            let gtid = DomainGtid { server_id, sequence };
            parts.next().is_none().then_some((domain, gtid))
        };
        let gtids = text.split(',').map(str::trim).filter(|gtid| !gtid.is_empty());
        gtids
            .map(read)
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| Error::fatal(format!("`{text}` is not a MariaDB GTID position")))
    }
}

impl fmt::Display for Domains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (domain, gtid)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{domain}-{}-{}", gtid.server_id, gtid.sequence)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_and_written() {
        for text in ["", "0-1-100", "0-1-100,7-3-18446744073709551615"] {
            assert_eq!(text.parse::<Domains>().unwrap().to_string(), text);
        }
        for text in ["0", "0-1", "0-1-2-3", "a-1-2"] {
            assert!(text.parse::<Domains>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let check = |a: &str, b: &str, expected: &str| {
            let ahead = a.parse::<Domains>().unwrap().ahead_of(&b.parse().unwrap());
            assert_eq!(ahead.to_string(), expected);
        };
        check("0-1-100", "0-1-100", "");
        check("0-1-100", "0-2-101", "");
        check("0-1-100,1-1-5", "0-1-99", "0-1-100,1-1-5");
    }
}
