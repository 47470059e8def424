//! Events in, keys and transaction ends out. Knows nothing of connections.
//!
//! # Invariants
//! - A position leaves here only when [`transaction::next`] says that a transaction ended, or outside every
//!   transaction, and behind all keys before it.
//! - An event that could change rows and is not understood ends the stream: what is passed over is listed.

use std::collections::HashMap;

use mysql_async::binlog::events::Event;

use super::event::{RawEvent, kind};
use super::gtids::{self, Gtid, Gtids};
use super::reader::{Reader, Truncated};
use super::rows::{Change, DUMMY_TABLE_ID, RowsHead, RowsLayout};
use super::statement::{Names, Query, Statement};
use super::table_map::{TableHead, TableMap};
use super::transaction::{self, State, Step};
use super::{StreamEnd, StreamItem, StreamRequest, compressed};
use crate::key::KeyColumn;
use crate::position::Position;
use crate::{Flavor, Result};

/// No file is longer: the server keeps offsets in 64 bits with a sign.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// Follows one stream of events, from one connection.
#[derive(Debug)]
pub(super) struct Decoder {
    names: Names,
    columns: usize,
    key: Vec<KeyColumn>,
    state: State,
    gtids: Gtids,
    /// The GTID of the transaction being read.
    gtid: Gtid,
    /// The tables of the log by their ids; `None` for all but the source.
    tables: HashMap<u64, Option<TableMap>>,
    file: String,
    offset: u64,
    /// The last position that left here.
    last: Position,
    /// Whether the library may now yield the events of a payload that was read here.
    after_payload: bool,
    items: Vec<StreamItem>,
}

impl Decoder {
    /// A decoder for the stream that goes on from `request.start` on the server `server`.
    pub(super) fn new(
        request: &StreamRequest,
        flavor: Flavor,
        server: String,
        ignore_case: bool,
    ) -> Result<Self> {
        let start = &request.start;
        let mut last = start.clone();
        if server != start.server {
            // Nothing of this server's log has been delivered yet.
            last = Position {
                server,
                file: String::new(),
                offset: 0,
                gtids: last.gtids,
            };
        }
        Ok(Self {
            names: Names::new(request.source.clone(), ignore_case),
            columns: request.columns,
            key: request.key.columns.clone(),
            state: State::Outside,
            gtids: Gtids::starting(flavor, start.gtids.as_deref())?,
            gtid: Gtid::Anonymous,
            tables: HashMap::new(),
            file: start.file.clone(),
            offset: start.offset,
            last,
            after_payload: false,
            items: Vec::new(),
        })
    }

    /// What came out since the last call.
    pub(super) fn take(&mut self) -> Vec<StreamItem> {
        std::mem::take(&mut self.items)
    }

    /// The server whose log is read.
    pub(super) fn server(&self) -> &str {
        &self.last.server
    }

    /// The file being read.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Takes in the next event.
    pub(super) fn decode(&mut self, event: &Event) -> Result<(), StreamEnd> {
        let of_payload = !event.footer().get_checksum_enabled();
        if self.after_payload && of_payload {
            // The library unpacks payloads, too, but drops what it cannot unpack.
            return Ok(());
        }
        self.after_payload = false;
        let raw = RawEvent::checked(event)?;
        if raw.kind == kind::GTID_TAGGED {
            self.gtid = gtids::mysql_tagged(event)?;
            self.move_to(raw.log_pos);
            return self.step(Step::Gtid);
        }
        self.decode_raw(&raw)
    }

    pub(super) fn decode_raw(&mut self, event: &RawEvent<'_>) -> Result<(), StreamEnd> {
        let in_file = !matches!(event.kind, kind::ROTATE | kind::HEARTBEAT | kind::HEARTBEAT_V2);
        if in_file && !event.is_artificial() {
            self.move_to(event.log_pos);
        }
        match event.kind {
            kind::ROTATE => self.rotate(event.data),
            kind::FORMAT_DESCRIPTION => {
                self.tables.clear();
                self.step(Step::NewFile)?;
                self.header_read(event);
                Ok(())
            }
            kind::PREVIOUS_GTIDS | kind::MARIADB_GTID_LIST | kind::MARIADB_BINLOG_CHECKPOINT => {
                self.header_read(event);
                Ok(())
            }
            kind::GTID => {
                self.gtid = gtids::mysql(event)?;
                self.step(Step::Gtid)
            }
            kind::ANONYMOUS_GTID => {
                self.gtid = Gtid::Anonymous;
                self.step(Step::Gtid)
            }
            kind::MARIADB_GTID => {
                let (gtid, step) = gtids::mariadb(event)?;
                self.gtid = gtid;
                self.step(step)
            }
            kind::QUERY => self.query(event.data, false),
            kind::MARIADB_QUERY_COMPRESSED => self.query(event.data, true),
            kind::XID | kind::XA_PREPARE => self.step(Step::End),
            kind::TABLE_MAP => self.table_map(event.data),
            kind::TRANSACTION_PAYLOAD => self.payload(event),
            kind::STOP
            | kind::INTVAR
            | kind::RAND
            | kind::USER_VAR
            | kind::APPEND_BLOCK
            | kind::BEGIN_LOAD_QUERY
            | kind::HEARTBEAT
            | kind::HEARTBEAT_V2
            | kind::IGNORABLE
            | kind::ROWS_QUERY
            | kind::TRANSACTION_CONTEXT
            | kind::VIEW_CHANGE
            | kind::MARIADB_ANNOTATE_ROWS
            | kind::MARIADB_START_ENCRYPTION => Ok(()),
            kind::EXECUTE_LOAD_QUERY => Err(not_understood("LOAD DATA was logged as a statement")),
            kind::INCIDENT => Err(not_understood(
                "the server reports an incident: events may be missing from the binary log",
            )),
            other => match rows_layout(other) {
                Some(layout) => self.rows(layout, event.data),
                None if event.is_ignorable() => Ok(()),
                None => Err(not_understood(&format!("an event of the unknown type {other}"))),
            },
        }
    }

    /// Moves to where the next event begins. The log tells the lower 32 bits of it, and positions only grow.
    fn move_to(&mut self, log_pos: u32) {
        const CARRY: u64 = 1 << 32;
        if log_pos == 0 {
            return;
        }
        let here = self.offset / CARRY * CARRY + u64::from(log_pos);
        let carried = if here + CARRY / 2 < self.offset {
            here + CARRY
        } else {
            here
        };
        self.offset = self.offset.max(carried);
    }

    fn rotate(&mut self, data: &[u8]) -> Result<(), StreamEnd> {
        let mut reader = Reader::new(data);
        let offset = reader.little(8)?;
        if offset > OFFSET_MAX {
            return Err(not_understood("a position beyond the end of any file"));
        }
        let file = String::from_utf8(reader.rest().to_vec())
            .map_err(|_| not_understood("the name of a binary log is not UTF-8"))?;
        (self.file, self.offset) = (file, offset);
        self.step(Step::NewFile)
    }

    /// The head of a file moves the end of the log, too: an idle server that rotates would otherwise never be
    /// caught up with.
    fn header_read(&mut self, event: &RawEvent<'_>) {
        if event.log_pos == 0 || event.is_artificial() || self.state != State::Outside {
            return;
        }
        let position = self.position();
        // With GTIDs the server starts at the head of a file and skips what is known; that is no way back.
        if !self.last.at_or_after(&position) {
            self.deliver(position);
        }
    }

    fn position(&self) -> Position {
        Position {
            server: self.last.server.clone(),
            file: self.file.clone(),
            offset: self.offset,
            gtids: self.gtids.text(),
        }
    }

    fn deliver(&mut self, position: Position) {
        self.last = position.clone();
        self.items.push(StreamItem::TransactionEnd(position));
    }

    fn step(&mut self, step: Step) -> Result<(), StreamEnd> {
        let (state, ended) = transaction::next(self.state, step)
            .ok_or_else(|| not_understood("a transaction begins inside another in the binary log"))?;
        self.state = state;
        if ended {
            self.gtids
                .add(&std::mem::replace(&mut self.gtid, Gtid::Anonymous));
            let position = self.position();
            self.deliver(position);
        }
        Ok(())
    }

    fn query(&mut self, data: &[u8], compressed: bool) -> Result<(), StreamEnd> {
        let (head, sql) = query_parts(data)?;
        let unpacked;
        let sql = if compressed {
            unpacked = compressed::mariadb(sql)?;
            unpacked.as_slice()
        } else {
            sql
        };
        match self.names.classify(Query { sql, ..head }) {
            Statement::Control(step) => self.step(step),
            Statement::Unrelated => self.step(Step::Statement),
            Statement::Alters => Err(StreamEnd::Altered {
                statement: shown(sql),
            }),
            Statement::Changes => Err(not_understood(&format!(
                "a statement that may change the table was logged without its rows: {}",
                shown(sql)
            ))),
        }
    }

    fn table_map(&mut self, data: &[u8]) -> Result<(), StreamEnd> {
        let head = TableHead::read(data)?;
        let id = head.id;
        let table = if self.names.are(head.schema, head.table) {
            let table = head.columns()?;
            if table.columns.len() != self.columns {
                return Err(StreamEnd::Altered {
                    statement: format!(
                        "the table has {} columns in the binary log, not {}",
                        table.columns.len(),
                        self.columns
                    ),
                });
            }
            Some(table)
        } else {
            None
        };
        self.tables.insert(id, table);
        self.step(Step::Part)
    }

    fn rows(&mut self, layout: RowsLayout, data: &[u8]) -> Result<(), StreamEnd> {
        self.step(Step::Part)?;
        let mut head = RowsHead::read(layout, data)?;
        let table = match self.tables.get(&head.table_id) {
            Some(Some(table)) => table,
            Some(None) => return Ok(()),
            None if head.table_id == DUMMY_TABLE_ID => return Ok(()),
            None => return Err(not_understood("a row event without its table")),
        };
        let row_data = head.row_data();
        let unpacked;
        let row_data = if layout.compressed {
            unpacked = compressed::mariadb(row_data)?;
            unpacked.as_slice()
        } else {
            row_data
        };
        let items = &mut self.items;
        head.keys(row_data, layout, table, &self.key, |key| {
            items.push(StreamItem::Key(key));
        })
    }

    /// Reads the whole transaction here, under the position of the payload around it.
    fn payload(&mut self, event: &RawEvent<'_>) -> Result<(), StreamEnd> {
        let payload = compressed::transaction_payload(event.data)?;
        let mut reader = Reader::new(&payload);
        while !reader.is_empty() {
            let inner = RawEvent::read_next(&mut reader)?;
            if inner.kind == kind::TRANSACTION_PAYLOAD {
                return Err(not_understood("a payload inside a payload"));
            }
            self.decode_raw(&RawEvent { log_pos: 0, ..inner })?;
        }
        self.after_payload = true;
        if self.state == State::Outside {
            Ok(())
        } else {
            self.step(Step::End)
        }
    }
}

/// The head of a query event, and its text.
fn query_parts(data: &[u8]) -> Result<(Query<'_>, &[u8]), Truncated> {
    let mut reader = Reader::new(data);
    reader.bytes(8)?;
    let schema_length = reader.length(1)?;
    reader.bytes(2)?;
    let variables_length = reader.length(2)?;
    let variables = reader.bytes(variables_length)?;
    let schema = reader.bytes(schema_length)?;
    reader.u8()?;
    let sql = reader.rest();
    let query = Query {
        schema,
        sql,
        sql_mode: sql_mode(variables).unwrap_or(0),
    };
    Ok((query, sql))
}

/// The `sql_mode` in a query event's status variables, where it is always the second.
fn sql_mode(variables: &[u8]) -> Result<u64, Truncated> {
    const FLAGS: u8 = 0;
    const SQL_MODE: u8 = 1;
    let mut reader = Reader::new(variables);
    let mut code = reader.u8()?;
    if code == FLAGS {
        reader.bytes(4)?;
        code = reader.u8()?;
    }
    if code == SQL_MODE {
        reader.little(8)
    } else {
        Err(Truncated)
    }
}

fn rows_layout(event_kind: u8) -> Option<RowsLayout> {
    let (change, extra_data, compressed) = match event_kind {
        kind::WRITE_ROWS_V1 => (Change::Write, false, false),
        kind::UPDATE_ROWS_V1 => (Change::Update, false, false),
        kind::DELETE_ROWS_V1 => (Change::Delete, false, false),
        kind::WRITE_ROWS => (Change::Write, true, false),
        kind::UPDATE_ROWS => (Change::Update, true, false),
        kind::DELETE_ROWS => (Change::Delete, true, false),
        kind::PARTIAL_UPDATE_ROWS => (Change::PartialUpdate, true, false),
        kind::MARIADB_WRITE_ROWS_COMPRESSED_V1 => (Change::Write, false, true),
        kind::MARIADB_UPDATE_ROWS_COMPRESSED_V1 => (Change::Update, false, true),
        kind::MARIADB_DELETE_ROWS_COMPRESSED_V1 => (Change::Delete, false, true),
        kind::MARIADB_WRITE_ROWS_COMPRESSED => (Change::Write, true, true),
        kind::MARIADB_UPDATE_ROWS_COMPRESSED => (Change::Update, true, true),
        kind::MARIADB_DELETE_ROWS_COMPRESSED => (Change::Delete, true, true),
        _ => return None,
    };
    Some(RowsLayout {
        change,
        extra_data,
        compressed,
    })
}

/// A statement as far as it is worth showing.
fn shown(sql: &[u8]) -> String {
    String::from_utf8_lossy(sql).chars().take(500).collect()
}

fn not_understood(text: &str) -> StreamEnd {
    StreamEnd::NotUnderstood(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::fuzzing::request;
    use crate::key::{Key, KeyKind, KeyValue};
    use proptest::prelude::*;

    /// `app.t (id MEDIUMINT, v VARCHAR(10))`, as MySQL logs it.
    const TABLE_MAP: &[u8] = b"\xb2\0\0\0\0\0\x01\0\x03app\0\x01t\0\x02\x09\x0f\x02\x28\0\x02";
    const WRITE: &[u8] = b"\xb2\0\0\0\0\0\x01\0\x02\0\x02\xff\0\xff\xff\xff\x01a";
    const MOVE: &[u8] = b"\xb2\0\0\0\0\0\x01\0\x02\0\x02\xff\xff\0\x02\0\0\x01a\0\x03\0\0\x01a";
    const MINIMAL: &[u8] = b"\xb2\0\0\0\0\0\x01\0\x02\0\x02\x01\x02\0\x02\0\0\0\x01b";
    const KEYLESS: &[u8] = b"\xb2\0\0\0\0\0\x01\0\x02\0\x02\x02\x02\0\x01a\0\x01b";
    const NO_ROWS: &[u8] = b"\xb2\0\0\0\0\0\x01\0\x02\0\x02\xff";

    fn decoder() -> Decoder {
        let kind = KeyKind::Int {
            unsigned: false,
            bytes: 3,
        };
        Decoder::new(&request(kind, None), Flavor::MySql, "s".to_owned(), false).unwrap()
    }

    fn decode(events: &[(u8, &[u8])]) -> Result<Vec<StreamItem>, StreamEnd> {
        let mut decoder = decoder();
        for (kind, data) in events {
            decoder.decode_raw(&RawEvent::of(*kind, data))?;
        }
        Ok(decoder.take())
    }

    #[test]
    fn rows_name_their_keys() {
        let check = |kind: u8, data: &[u8], expected: &[i64]| {
            let items = decode(&[(kind::TABLE_MAP, TABLE_MAP), (kind, data)]).unwrap();
            let keys = expected
                .iter()
                .map(|id| StreamItem::Key(Key(vec![KeyValue::Int(*id)])));
            assert_eq!(items, keys.collect::<Vec<_>>());
        };
        check(kind::WRITE_ROWS, WRITE, &[-1]);
        check(kind::DELETE_ROWS, WRITE, &[-1]);
        check(kind::UPDATE_ROWS, MOVE, &[3, 2]);
        check(kind::UPDATE_ROWS, MINIMAL, &[2]);
        check(kind::DELETE_ROWS, NO_ROWS, &[]);
    }

    #[test]
    fn what_is_not_understood_ends_the_stream() {
        let check = |events: &[(u8, &[u8])]| {
            assert!(
                matches!(decode(events), Err(StreamEnd::NotUnderstood(_))),
                "{events:?}"
            );
        };
        check(&[(kind::WRITE_ROWS, WRITE)]);
        check(&[(kind::TABLE_MAP, TABLE_MAP), (kind::UPDATE_ROWS, KEYLESS)]);
        check(&[(kind::INCIDENT, &[])]);
        check(&[(kind::EXECUTE_LOAD_QUERY, &[])]);
        check(&[(172, &[])]);
        for cut in 0..TABLE_MAP.len() - 1 {
            let table_map = TABLE_MAP.get(..cut).unwrap();
            assert!(decode(&[(kind::TABLE_MAP, table_map), (kind::WRITE_ROWS, WRITE)]).is_err());
        }
        for cut in NO_ROWS.len() + 1..WRITE.len() {
            check(&[
                (kind::TABLE_MAP, TABLE_MAP),
                (kind::WRITE_ROWS, WRITE.get(..cut).unwrap()),
            ]);
        }
    }

    #[test]
    fn offsets_grow_past_32_bits() {
        let check = |offset: u64, log_pos: u32, expected: u64| {
            let mut decoder = decoder();
            decoder.offset = offset;
            decoder.move_to(log_pos);
            assert_eq!(decoder.offset, expected);
        };
        check(4, 120, 120);
        check(120, 0, 120);
        check(0xFFFF_FF00, 0x10, 0x1_0000_0010);
        check(0x1_0000_0010, 0x20, 0x1_0000_0020);
        check(200, 120, 200);
    }

    proptest! {
        /// Nothing a server could send makes the decoder panic.
        #[test]
        fn any_bytes_are_read(
            events in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..8),
            damage in proptest::collection::vec((0..60_usize, any::<u8>()), 0..4),
        ) {
            let events: Vec<(u8, &[u8])> = events.iter().map(|(kind, data)| (*kind, data.as_slice())).collect();
            let _ = decode(&events);
            let damaged = |data: &[u8]| {
                let mut data = data.to_vec();
                for (place, byte) in &damage {
                    if let Some(old) = data.get_mut(*place) {
                        *old = *byte;
                    }
                }
                data
            };
            let (table_map, rows) = (damaged(TABLE_MAP), damaged(MOVE));
            for kind in [kind::UPDATE_ROWS, kind::UPDATE_ROWS_V1, kind::PARTIAL_UPDATE_ROWS, kind::WRITE_ROWS] {
                let _ = decode(&[(kind::TABLE_MAP, TABLE_MAP), (kind, &rows)]);
                let _ = decode(&[(kind::TABLE_MAP, &table_map), (kind, MOVE)]);
            }
        }
    }
}
