//! A place in the source's binary log, always at a transaction boundary.
//!
//! # Invariant
//! A `Position` is only ever read from the server's status or taken at the end of a transaction: one inside a
//! transaction would make a resumed stream skip the rest of it.
//!
//! # Why file and GTIDs may differ
//! Where the two are read from the server's status, the GTIDs are read first and file and offset second, so the
//! GTIDs never say more than the file. A stream that starts from the GTIDs can therefore only deliver changes
//! again, never skip one; and "applied through" is decided by file and offset, which never say less.

mod domains;
mod gtid_set;
mod resume;
mod same_log;
mod status;

pub use domains::{DomainGtid, Domains};
pub use gtid_set::GtidSet;
pub use resume::{binary_logs, can_resume};
pub(crate) use status::server_identity;

use crate::{Error, Result};

/// A transaction boundary in the binary log of one server.
///
/// File and offset give the order within one server; the GTIDs, where the server has them, allow to find
/// the same place on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which server's log: its `server_uuid` on MySQL. File and offset mean nothing on another.
    pub server: String,
    /// Name of the log file, for example `binlog.000012`.
    pub file: String,
    /// Offset in it, in bytes.
    pub offset: u64,
    /// The executed GTIDs at this place in the server's own text form (MySQL: a set; MariaDB: a position).
    /// `None` where the server has no GTIDs on.
    pub gtids: Option<String>,
}

impl Position {
    /// Whether everything before `other` in the log is before this place, too.
    ///
    /// Says no for the positions of two servers, whose logs do not compare.
    pub fn at_or_after(&self, other: &Self) -> bool {
        self.server == other.server && self.place() >= other.place()
    }

    /// File and offset as something that orders. A file's number grows past its six digits (`binlog.1000000`).
    fn place(&self) -> (u64, u64) {
        (file_number(&self.file), self.offset)
    }

    /// The position as text, for the state table.
    pub fn encode(&self) -> String {
        let gtids = self.gtids.as_deref().unwrap_or("-");
        format!("{}|{}|{gtids}|{}", self.offset, self.server, self.file)
    }

    /// The position that [`Position::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Fatal`] for any other text.
    pub fn decode(text: &str) -> Result<Self> {
        let mut parts = text.splitn(4, '|');
        let mut next = || parts.next();
        let mut read = || {
            let offset = next()?.parse().ok()?;
            let server = next()?.to_owned();
            let gtids = Some(next()?).filter(|gtids| *gtids != "-").map(str::to_owned);
            let file = next()?.to_owned();
            Some(Self {
                server,
                file,
                offset,
                gtids,
            })
        };
        read().ok_or_else(|| {
            Error::fatal(format!(
                "`{text}` is not a binary log position that was saved here"
            ))
        })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

/// The number a binary log file's name ends with. Names of one server differ in nothing else.
pub(crate) fn file_number(file: &str) -> u64 {
    file.rsplit('.')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(server: &str, file: &str, offset: u64) -> Position {
        Position {
            server: server.into(),
            file: file.into(),
            offset,
            gtids: None,
        }
    }

    #[test]
    fn positions_of_one_server_are_ordered() {
        let check = |a: Position, b: Position, expected: bool| assert_eq!(a.at_or_after(&b), expected);
        check(at("s", "b.000001", 4), at("s", "b.000001", 4), true);
        check(at("s", "b.000001", 5), at("s", "b.000001", 4), true);
        check(at("s", "b.000001", 3), at("s", "b.000001", 4), false);
        check(at("s", "b.000002", 4), at("s", "b.000001", 900), true);
        check(at("s", "b.1000000", 4), at("s", "b.999999", 900), true);
        check(at("s", "b.000002", 4), at("other", "b.000001", 4), false);
    }

    #[test]
    fn saved_positions_are_read_back() {
        for gtids in [None, Some(""), Some("0-1-5,1-1-7"), Some("aaaa:1-5:tag:1")] {
            let mut position = at("uuid/host", "my|log.000001", u64::MAX);
            position.gtids = gtids.map(str::to_owned);
            assert_eq!(Position::decode(&position.encode()).unwrap(), position);
        }
        for text in ["", "5", "x|s|-|f", "5|s|-"] {
            assert!(Position::decode(text).is_err(), "{text}");
        }
    }
}
