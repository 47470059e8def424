//! OK and ERR packets made by the proxy, payload only.

use bytes::{BufMut, BytesMut};

use super::capabilities::{Capabilities, PROTOCOL_41};
use super::ok::status;

/// Appends a length-encoded integer.
pub(crate) fn put_lenenc(out: &mut BytesMut, value: u64) {
    match value {
        0..=0xfa => out.put_uint_le(value, 1),
        0xfb..=0xffff => {
            out.put_u8(0xfc);
            out.put_uint_le(value, 2);
        }
        0x1_0000..=0xff_ffff => {
            out.put_u8(0xfd);
            out.put_uint_le(value, 3);
        }
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(value);
        }
    }
}

/// Appends a length-encoded string.
pub(crate) fn put_lenenc_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_lenenc(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// An OK packet. `header` is `0x00`, or `0xfe` for one that ends rows. The info text is a length-encoded string with
/// and without `SESSION_TRACK`, as both servers send it.
pub(crate) fn ok(header: u8, affected: u64, flags: u16, warnings: u16, info: &str) -> BytesMut {
    let mut out = BytesMut::with_capacity(32 + info.len());
    out.put_u8(header);
    put_lenenc(&mut out, affected);
    put_lenenc(&mut out, 0);
    out.put_u16_le(flags & !(status::MORE_RESULTS | status::SESSION_STATE_CHANGED));
    out.put_u16_le(warnings);
    if !info.is_empty() {
        put_lenenc_bytes(&mut out, info.as_bytes());
    }
    out
}

/// An EOF packet.
pub(crate) fn eof(flags: u16, warnings: u16) -> BytesMut {
    let mut out = BytesMut::with_capacity(5);
    out.put_u8(0xfe);
    out.put_u16_le(warnings);
    out.put_u16_le(flags & !status::MORE_RESULTS);
    out
}

/// An ERR packet for a client that has logged in.
pub(crate) fn err(capabilities: Capabilities, code: u16, state: &str, message: &str) -> BytesMut {
    let mut out = BytesMut::with_capacity(16 + message.len());
    out.put_u8(0xff);
    out.put_u16_le(code);
    if capabilities.has(PROTOCOL_41) {
        out.put_u8(b'#');
        out.put_slice(state.as_bytes().get(..5).unwrap_or(b"HY000"));
    }
    out.put_slice(message.as_bytes());
    out
}

/// An ERR packet in the greeting's place: capabilities are not agreed upon yet, so it has no SQLSTATE.
pub(crate) fn early_err(code: u16, message: &str) -> BytesMut {
    err(Capabilities::default(), code, "", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ok::{Error, Ok};

    #[test]
    fn golden_ok() {
        let info = "Records: 0  Duplicates: 0  Warnings: 0";
        let packet = ok(0, 0, 0x0002, 0, info);
        assert_eq!(&packet[..8], b"\0\0\0\x02\0\0\0\x26");
        assert_eq!(&packet[8..], info.as_bytes());
        assert_eq!(
            Ok::parse(&ok(0, 70_000, 0x400a, 7, "")).unwrap(),
            Ok {
                affected: 70_000,
                status: 2,
                warnings: 7
            }
        );
    }

    #[test]
    fn golden_err() {
        let modern = Capabilities {
            base: PROTOCOL_41,
            extended: 0,
        };
        let packet = err(modern, 1317, "70100", "Query execution was interrupted");
        assert_eq!(&packet[..9], b"\xff\x25\x05#70100");
        assert_eq!(Error::parse(&packet).unwrap().state, "70100");
        assert_eq!(&early_err(1040, "Too many connections")[..5], b"\xff\x10\x04To");
        assert_eq!(&err(modern, 1, "x", "")[..], b"\xff\x01\0#HY000");
    }

    #[test]
    fn length_encoding_is_the_shortest() {
        for (value, bytes) in [(250u64, 1), (251, 3), (65_535, 3), (65_536, 4), (1 << 24, 9)] {
            let mut out = BytesMut::new();
            put_lenenc(&mut out, value);
            assert_eq!(out.len(), bytes);
            assert_eq!(crate::protocol::reader::Reader::new(&out).lenenc(), Some(value));
        }
    }
}
