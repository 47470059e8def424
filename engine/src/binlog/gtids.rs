//! The GTIDs a stream has delivered: the start's, and those of every transaction since.

use mysql_async::binlog::events::{Event, GtidEvent};

use super::StreamEnd;
use super::event::RawEvent;
use super::reader::Reader;
use super::transaction::Step;
use crate::position::{DomainGtid, Domains, GtidSet};
use crate::{Flavor, Result};

/// The GTIDs so far, in the server's own kind.
#[derive(Clone, Debug)]
pub(super) enum Gtids {
    /// The start was given by file and offset alone.
    Off,
    MySql(GtidSet),
    MariaDb(Domains),
}

/// One transaction's GTID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gtid {
    Anonymous,
    MySql { uuid: String, tag: String, number: u64 },
    MariaDb { domain: u32, gtid: DomainGtid },
}

impl Gtids {
    pub(super) fn starting(flavor: Flavor, gtids: Option<&str>) -> Result<Self> {
        Ok(match (flavor, gtids) {
            (_, None) => Self::Off,
            (Flavor::MySql, Some(gtids)) => Self::MySql(gtids.parse()?),
            (Flavor::MariaDb, Some(gtids)) => Self::MariaDb(gtids.parse()?),
        })
    }

    pub(super) fn add(&mut self, gtid: &Gtid) {
        match (self, gtid) {
            (Self::MySql(set), Gtid::MySql { uuid, tag, number }) => set.insert(uuid, tag, *number),
            (Self::MariaDb(domains), Gtid::MariaDb { domain, gtid }) => domains.advance(*domain, *gtid),
            _ => {}
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::MySql(set) => Some(set.to_string()),
            Self::MariaDb(domains) => Some(domains.to_string()),
        }
    }
}

/// Reads MySQL's GTID event.
pub(super) fn mysql(event: &RawEvent<'_>) -> Result<Gtid, StreamEnd> {
    let mut reader = Reader::new(event.data);
    reader.u8()?;
    let uuid = uuid_text(reader.bytes(16)?);
    let number = reader.little(8)?;
    Ok(Gtid::MySql {
        uuid,
        tag: String::new(),
        number,
    })
}

/// Reads MySQL's tagged GTID event, whose layout is the library's to know.
pub(super) fn mysql_tagged(event: &Event) -> Result<Gtid, StreamEnd> {
    let gtid = event
        .read_event::<GtidEvent>()
        .map_err(|error| StreamEnd::NotUnderstood(format!("a tagged GTID event: {error}")))?;
    Ok(Gtid::MySql {
        uuid: uuid_text(&gtid.sid()),
        tag: gtid.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default(),
        number: gtid.gno(),
    })
}

/// Reads MariaDB's GTID event, which also tells what kind of group it opens.
pub(super) fn mariadb(event: &RawEvent<'_>) -> Result<(Gtid, Step), StreamEnd> {
    const SINGLE_STATEMENT: u8 = 1;
    let mut reader = Reader::new(event.data);
    let sequence = reader.little(8)?;
    let domain = u32::try_from(reader.little(4)?).unwrap_or_default();
    let single = reader.u8()? & SINGLE_STATEMENT != 0;
    let gtid = DomainGtid {
        server_id: event.server_id,
        sequence,
    };
    Ok((Gtid::MariaDb { domain, gtid }, Step::GtidOf { single }))
}

fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
