//! What an OK packet tells of the session: entries behind the info text, each a type and its data.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#a_protocol_basic_ok_packet_sessinfo>

use bytes::{BufMut, BytesMut};

use super::answer::{put_lenenc, put_lenenc_bytes};
use super::ok::status;
use super::reader::Reader;

/// The type of an entry that tells where a transaction stands.
const TRANSACTION_STATE: u8 = 5;

/// The last entry about the transaction in an OK packet, whole.
pub(crate) fn transaction(payload: &[u8]) -> Option<&[u8]> {
    let mut entries = Reader::new(Parts::of(payload)?.entries);
    let mut found = None;
    while !entries.rest().is_empty() {
        let start = entries.rest();
        let kind = entries.u8()?;
        entries.lenenc_bytes()?;
        if kind == TRANSACTION_STATE {
            found = start.get(..start.len() - entries.rest().len());
        }
    }
    found
}

/// An OK packet with one more entry; one that is not understood stays as it is.
pub(crate) fn with_entry(payload: &[u8], entry: &[u8]) -> BytesMut {
    let Some(parts) = Parts::of(payload) else {
        return BytesMut::from(payload);
    };
    let mut out = BytesMut::with_capacity(payload.len() + entry.len() + 12);
    out.put_slice(parts.counters);
    out.put_u16_le(parts.flags | status::SESSION_STATE_CHANGED);
    out.put_u16_le(parts.warnings);
    put_lenenc_bytes(&mut out, parts.info);
    put_lenenc(&mut out, (parts.entries.len() + entry.len()) as u64);
    out.put_slice(parts.entries);
    out.put_slice(entry);
    out
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

    const ENTRY: &[u8] = b"\x05\x09\x08________";

    #[test]
    fn an_entry_is_found_and_added() {
        let told = b"\0\0\0\x02\x40\0\0\0\x0b\x05\x09\x08________";
        assert_eq!(transaction(told), Some(ENTRY));
        assert_eq!(transaction(b"\0\0\0\x02\0\0\0"), None);
        assert_eq!(&with_entry(b"\0\0\0\x02\0\0\0", ENTRY)[..], told);
        let schema = b"\0\0\0\x02\x40\x01\0\x02hi\x06\x01\x04\x03app";
        assert_eq!(transaction(schema), None);
        let both = with_entry(schema, ENTRY);
        assert_eq!(&both[..], b"\0\0\0\x02\x40\x01\0\x02hi\x11\x01\x04\x03app\x05\x09\x08________");
        assert_eq!(transaction(&both), Some(ENTRY));
        for short in 0..both.len() {
            assert_eq!(transaction(&both[..short]), None, "cut at {short}");
        }
        assert_eq!(&with_entry(b"\0", ENTRY)[..], b"\0");
    }
}
