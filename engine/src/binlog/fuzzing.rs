//! Events from outside: no bytes panic, keys are whole, and no more comes out than went in.

use super::decoder::Decoder;
use super::event::RawEvent;
use super::{StreamItem, StreamRequest, compressed as unpack};
use crate::key::{KeyColumn, KeyKind};
use crate::position::Position;
use crate::table::ChosenKey;
use crate::{Flavor, Ident, TableName};

/// `app.t (id MEDIUMINT, v VARCHAR(10))`, whose key is `kind`.
pub(super) fn request(kind: KeyKind, gtids: Option<&str>) -> StreamRequest {
    StreamRequest {
        source: TableName::new("app", "t"),
        columns: 2,
        key: ChosenKey {
            index: Ident::new("PRIMARY"),
            columns: vec![KeyColumn {
                name: Ident::new("id"),
                ordinal: 0,
                kind,
                charset: None,
            }],
        },
        start: Position {
            server: "s".to_owned(),
            file: "b.000001".to_owned(),
            offset: 4,
            gtids: gtids.map(str::to_owned),
        },
    }
}

/// A stream of events, each a byte for its type, one for its flags, one for its length, and its data.
pub fn binlog(data: &[u8]) {
    let Some((head, mut rest)) = data.split_first() else {
        return;
    };
    let (flavor, gtids) = match head % 4 {
        0 => (Flavor::MySql, None),
        1 => (Flavor::MySql, Some("")),
        2 => (Flavor::MariaDb, None),
        _ => (Flavor::MariaDb, Some("0-1-5")),
    };
    let kind = match head / 4 % 4 {
        0 => KeyKind::Int {
            unsigned: false,
            bytes: 3,
        },
        1 => KeyKind::Int {
            unsigned: true,
            bytes: 8,
        },
        2 => KeyKind::Binary { length: 5 },
        _ => KeyKind::Text,
    };
    let Ok(mut decoder) = Decoder::new(&request(kind, gtids), flavor, "s".to_owned(), false) else {
        return;
    };
    while let [kind, flags, length, after @ ..] = rest {
        let (event, left) = after.split_at(usize::from(*length).min(after.len()));
        rest = left;
        let raw = RawEvent {
            flags: u16::from(*flags),
            ..RawEvent::of(*kind, event)
        };
        let decoded = decoder.decode_raw(&raw);
        let items = decoder.take();
        let keys = items
            .iter()
            .filter(|item| matches!(item, StreamItem::Key(_)))
            .count();
        // A compressed event holds at most some thousand times its bytes.
        let is_compressed = *kind == 40 || *kind >= 165;
        assert!(
            is_compressed || keys <= 2 * event.len(),
            "{keys} keys of {} bytes",
            event.len()
        );
        for item in items {
            if let StreamItem::Key(key) = item {
                assert_eq!(key.0.len(), 1, "a key is not whole");
            }
        }
        if decoded.is_err() {
            return;
        }
    }
}

/// What is unpacked has the size it says.
pub fn compressed(data: &[u8]) {
    const READ_MAX_BYTES: usize = 64 << 20;
    if let Ok(bytes) = unpack::mariadb(data) {
        assert!(bytes.len() <= READ_MAX_BYTES);
    }
    if let Ok(bytes) = unpack::transaction_payload(data) {
        assert!(bytes.len() <= READ_MAX_BYTES);
    }
}
