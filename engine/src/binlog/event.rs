//! One event of the binary log: its header and its data, checked.

use mysql_async::binlog::BinlogChecksumAlg;
use mysql_async::binlog::events::Event;

use super::StreamEnd;
use super::reader::{Reader, Truncated};

/// The type codes of events.
pub(super) mod kind {
    pub(crate) const QUERY: u8 = 2;
    pub(crate) const STOP: u8 = 3;
    pub(crate) const ROTATE: u8 = 4;
    pub(crate) const INTVAR: u8 = 5;
    pub(crate) const APPEND_BLOCK: u8 = 9;
    pub(crate) const RAND: u8 = 13;
    pub(crate) const USER_VAR: u8 = 14;
    pub(crate) const FORMAT_DESCRIPTION: u8 = 15;
    pub(crate) const XID: u8 = 16;
    pub(crate) const BEGIN_LOAD_QUERY: u8 = 17;
    pub(crate) const EXECUTE_LOAD_QUERY: u8 = 18;
    pub(crate) const TABLE_MAP: u8 = 19;
    pub(crate) const WRITE_ROWS_V1: u8 = 23;
    pub(crate) const UPDATE_ROWS_V1: u8 = 24;
    pub(crate) const DELETE_ROWS_V1: u8 = 25;
    pub(crate) const INCIDENT: u8 = 26;
    pub(crate) const HEARTBEAT: u8 = 27;
    pub(crate) const IGNORABLE: u8 = 28;
    pub(crate) const ROWS_QUERY: u8 = 29;
    pub(crate) const WRITE_ROWS: u8 = 30;
    pub(crate) const UPDATE_ROWS: u8 = 31;
    pub(crate) const DELETE_ROWS: u8 = 32;
    pub(crate) const GTID: u8 = 33;
    pub(crate) const ANONYMOUS_GTID: u8 = 34;
    pub(crate) const PREVIOUS_GTIDS: u8 = 35;
    pub(crate) const TRANSACTION_CONTEXT: u8 = 36;
    pub(crate) const VIEW_CHANGE: u8 = 37;
    pub(crate) const XA_PREPARE: u8 = 38;
    pub(crate) const PARTIAL_UPDATE_ROWS: u8 = 39;
    pub(crate) const TRANSACTION_PAYLOAD: u8 = 40;
    pub(crate) const HEARTBEAT_V2: u8 = 41;
    pub(crate) const GTID_TAGGED: u8 = 42;
    pub(crate) const MARIADB_ANNOTATE_ROWS: u8 = 160;
    pub(crate) const MARIADB_BINLOG_CHECKPOINT: u8 = 161;
    pub(crate) const MARIADB_GTID: u8 = 162;
    pub(crate) const MARIADB_GTID_LIST: u8 = 163;
    pub(crate) const MARIADB_START_ENCRYPTION: u8 = 164;
    pub(crate) const MARIADB_QUERY_COMPRESSED: u8 = 165;
    pub(crate) const MARIADB_WRITE_ROWS_COMPRESSED_V1: u8 = 166;
    pub(crate) const MARIADB_UPDATE_ROWS_COMPRESSED_V1: u8 = 167;
    pub(crate) const MARIADB_DELETE_ROWS_COMPRESSED_V1: u8 = 168;
    pub(crate) const MARIADB_WRITE_ROWS_COMPRESSED: u8 = 169;
    pub(crate) const MARIADB_UPDATE_ROWS_COMPRESSED: u8 = 170;
    pub(crate) const MARIADB_DELETE_ROWS_COMPRESSED: u8 = 171;
}

/// The event is made up by the server for this stream and stands in no file.
const ARTIFICIAL: u16 = 0x20;
/// The event may be skipped by whoever does not know it.
const IGNORABLE: u16 = 0x80;

/// The bytes of an event's header.
const HEADER_BYTES: usize = 19;

/// An event without its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawEvent<'a> {
    pub(super) kind: u8,
    pub(super) server_id: u32,
    /// Where the next event begins, in 32 bits; 0 in an event that stands in no file and, on MariaDB, inside
    /// a transaction.
    pub(super) log_pos: u32,
    pub(super) flags: u16,
    pub(super) data: &'a [u8],
}

impl<'a> RawEvent<'a> {
    /// The event the library read, once its checksum was found right.
    pub(super) fn checked(event: &'a Event) -> Result<Self, StreamEnd> {
        let header = event.header();
        let footer = event.footer();
        let checksum = event.checksum().filter(|_| footer.get_checksum_enabled());
        let algorithm = footer.get_checksum_alg().ok().flatten();
        if let Some(checksum) = checksum
            && algorithm == Some(BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32)
            && event.calc_checksum(BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32)
                != u32::from_le_bytes(checksum)
        {
            return Err(StreamEnd::NotUnderstood(
                "an event of the binary log fails its checksum".to_owned(),
            ));
        }
        let raw = Self {
            kind: header.event_type_raw(),
            server_id: header.server_id(),
            log_pos: header.log_pos(),
            flags: header.flags_raw(),
            data: event.data(),
        };
        Ok(raw.without_glued_checksum(header.timestamp(), header.event_size()))
    }

    /// The first ROTATE event comes before the one that announces checksums, and may carry one all the same.
    fn without_glued_checksum(self, timestamp: u32, size: u32) -> Self {
        let Some((data, checksum)) = self
            .data
            .split_last_chunk::<4>()
            .filter(|_| self.kind == kind::ROTATE)
        else {
            return self;
        };
        let mut crc = flate2::Crc::new();
        crc.update(&timestamp.to_le_bytes());
        crc.update(&[self.kind]);
        crc.update(&self.server_id.to_le_bytes());
        crc.update(&size.to_le_bytes());
        crc.update(&self.log_pos.to_le_bytes());
        crc.update(&self.flags.to_le_bytes());
        crc.update(data);
        if crc.sum() == u32::from_le_bytes(*checksum) {
            Self { data, ..self }
        } else {
            self
        }
    }

    /// The next of the events that stand one behind the other in `payload`, without checksums.
    pub(super) fn read_next(payload: &mut Reader<'a>) -> Result<Self, Truncated> {
        let mut header = Reader::new(payload.bytes(HEADER_BYTES)?);
        header.bytes(4)?;
        let kind = header.u8()?;
        let server_id = u32::try_from(header.little(4)?).map_err(|_| Truncated)?;
        let size = header.length(4)?;
        let log_pos = u32::try_from(header.little(4)?).map_err(|_| Truncated)?;
        let flags = u16::try_from(header.little(2)?).map_err(|_| Truncated)?;
        let data = payload.bytes(size.checked_sub(HEADER_BYTES).ok_or(Truncated)?)?;
        Ok(Self {
            kind,
            server_id,
            log_pos,
            flags,
            data,
        })
    }

    pub(super) fn is_artificial(&self) -> bool {
        self.flags & ARTIFICIAL != 0
    }

    pub(super) fn is_ignorable(&self) -> bool {
        self.flags & IGNORABLE != 0
    }
}

#[cfg(any(test, fuzzing))]
impl<'a> RawEvent<'a> {
    /// An event for tests of what reads it.
    pub(super) fn of(kind: u8, data: &'a [u8]) -> Self {
        Self {
            kind,
            server_id: 1,
            log_pos: 100,
            flags: 0,
            data,
        }
    }
}
