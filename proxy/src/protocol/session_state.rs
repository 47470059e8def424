//! What an OK packet tells of the session: entries behind the info text, each a type and its data.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#a_protocol_basic_ok_packet_sessinfo>

use bytes::{BufMut, Bytes, BytesMut};

use super::answer::{put_lenenc, put_lenenc_bytes};
use super::ok::status;
use super::reader::Reader;

/// A flag that anything has changed.
const STATE_CHANGE: u8 = 2;
/// Where a transaction stands.
const TRANSACTION_STATE: u8 = 5;

/// One entry: its type, and all its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    kind: u8,
    bytes: Bytes,
}

impl Entry {
    /// Whether it is about the transaction.
    pub(crate) fn is_transaction(&self) -> bool {
        self.kind == TRANSACTION_STATE
    }

    /// Whether it tells of what the proxy's own statements do: they set this one variable.
    fn is_of_ours(&self) -> bool {
        const VARIABLE: &[u8] = b"lock_wait_timeout";
        self.kind == STATE_CHANGE
            || self
                .bytes
                .windows(VARIABLE.len())
                .any(|window| window == VARIABLE)
    }
}

/// Adds to `told` what an OK packet, the answer to a statement of the proxy's own, tells the client. The newest entry of a type
/// is the one that counts.
pub(crate) fn collect(told: &mut Vec<Entry>, payload: &[u8]) {
    let entries = Parts::of(payload).map_or(&[][..], |parts| parts.entries);
    for entry in split(entries).filter(|entry| !entry.is_of_ours()) {
        put(told, entry);
    }
}

/// An OK packet, the answer to a statement of the proxy's own, as the client may have it: it tells of these entries, too, unless
/// it knows better, and not of what the proxy did. One that is not understood stays as it is.
pub(crate) fn for_client(payload: &[u8], told: Vec<Entry>) -> BytesMut {
    let Some(parts) = Parts::of(payload) else {
        return BytesMut::from(payload);
    };
    if told.is_empty() && !split(parts.entries).any(|entry| entry.is_of_ours()) {
        return BytesMut::from(payload);
    }
    let mut entries = told;
    collect(&mut entries, payload);
    entries.sort_by_key(|entry| entry.kind);
    let length: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
    let flag = if length > 0 {
        status::SESSION_STATE_CHANGED
    } else {
        0
    };
    let mut out = BytesMut::with_capacity(payload.len() + length + 12);
    out.put_slice(parts.counters);
    out.put_u16_le(parts.flags & !status::SESSION_STATE_CHANGED | flag);
    out.put_u16_le(parts.warnings);
    if length > 0 || !parts.info.is_empty() {
        put_lenenc_bytes(&mut out, parts.info);
    }
    if length > 0 {
        put_lenenc(&mut out, length as u64);
        entries.iter().for_each(|entry| out.put_slice(&entry.bytes));
    }
    out
}

/// Adds newer entries to `told`.
pub(crate) fn merge(told: &mut Vec<Entry>, newer: Vec<Entry>) {
    newer.into_iter().for_each(|entry| put(told, entry));
}

fn put(entries: &mut Vec<Entry>, entry: Entry) {
    entries.retain(|older| older.kind != entry.kind);
    entries.push(entry);
}

fn split(entries: &[u8]) -> impl Iterator<Item = Entry> {
    let mut reader = Reader::new(entries);
    std::iter::from_fn(move || {
        let start = reader.rest();
        let kind = reader.u8()?;
        reader.lenenc_bytes()?;
        let bytes = start.get(..start.len() - reader.rest().len())?;
        Some(Entry {
            kind,
            bytes: Bytes::copy_from_slice(bytes),
        })
    })
}

/// An OK packet, taken apart.
struct Parts<'a> {
    /// The header, the affected rows and the last id.
    counters: &'a [u8],
    flags: u16,
    warnings: u16,
    info: &'a [u8],
    entries: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        reader.u8()?;
        reader.lenenc()?;
        reader.lenenc()?;
        let counters = payload.get(..payload.len() - reader.rest().len())?;
        let flags = reader.u16()?;
        let warnings = reader.u16()?;
        let info = if reader.rest().is_empty() {
            &[]
        } else {
            reader.lenenc_bytes()?
        };
        let entries = if flags & status::SESSION_STATE_CHANGED == 0 {
            &[]
        } else {
            reader.lenenc_bytes()?
        };
        Some(Self {
            counters,
            flags,
            warnings,
            info,
            entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[u8] = b"\0\0\0\x02\x40\x01\0\x02hi\x06\x01\x04\x03app";
    const ENDED: &[u8] = b"\0\0\0\x02\x40\0\0\0\x0b\x05\x09\x08________";

    fn collected(payloads: &[&[u8]]) -> Vec<Entry> {
        let mut told = Vec::new();
        payloads.iter().for_each(|payload| collect(&mut told, payload));
        told
    }

    #[test]
    fn entries_are_collected_and_passed_on() {
        let silent = b"\0\0\0\x02\0\0\0";
        let told = collected(&[silent, ENDED]);
        assert!(matches!(&told[..], [entry] if entry.is_transaction()));
        assert_eq!(&for_client(silent, told.clone())[..], ENDED);
        let both = b"\0\0\0\x02\x40\x01\0\x02hi\x11\x01\x04\x03app\x05\x09\x08________";
        assert_eq!(&for_client(SCHEMA, told.clone())[..], both);
        assert_eq!(&for_client(both, told.clone())[..], both);
        assert_eq!(&for_client(b"\0", told)[..], b"\0");
        assert_eq!(&for_client(silent, Vec::new())[..], silent);
        assert_eq!(collected(&[both]).len(), 2);
        for short in 0..both.len() {
            assert!(collected(&[&both[..short]]).is_empty(), "cut at {short}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let told = collected(&[ENDED, &payload]);
            for_client(&payload, told);
        }
    }

    #[test]
    fn what_we_did_ourselves_is_not_told() {
        let ours = b"\0\0\0\x02\x40\0\0\0\x19\x00\x14\x11lock_wait_timeout\x011\x02\x01\x01";
        assert_eq!(collected(&[ours]), []);
        assert_eq!(&for_client(ours, Vec::new())[..], b"\0\0\0\x02\0\0\0");
    }
}
