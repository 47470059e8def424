//! A result set made by the proxy, in the client's own dialect.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html>

use bytes::{BufMut, BytesMut};

use super::answer::{eof, ok, put_lenenc, put_lenenc_bytes};
use super::capabilities::Capabilities;
use super::frame::put_packet;
use crate::hooks::Grid;

/// `utf8mb4_general_ci`, which both servers know by this number.
const COLLATION: u16 = 45;
const VAR_STRING: u8 = 0xfd;

/// Appends the packets of a text result set; the first has the number `sequence`.
pub(crate) fn put(out: &mut BytesMut, sequence: u8, grid: &Grid, capabilities: Capabilities, status: u16) {
    let mut sequence = sequence;
    let mut put = |payload: &[u8]| {
        put_packet(out, sequence, payload);
        sequence = sequence.wrapping_add(1);
    };
    put(&count(grid.columns.len(), capabilities));
    for name in &grid.columns {
        put(&definition(name, capabilities));
    }
    if !capabilities.deprecate_eof() {
        put(&eof(status, 0));
    }
    for row in &grid.rows {
        put(&text_row(row));
    }
    if capabilities.deprecate_eof() {
        put(&ok(0xfe, 0, status, 0, ""));
    } else {
        put(&eof(status, 0));
    }
}

fn count(columns: usize, capabilities: Capabilities) -> BytesMut {
    let mut out = BytesMut::new();
    put_lenenc(&mut out, columns as u64);
    if capabilities.metadata_flag() {
        out.put_u8(1);
    }
    out
}

fn definition(name: &str, capabilities: Capabilities) -> BytesMut {
    let mut out = BytesMut::new();
    put_lenenc_bytes(&mut out, b"def");
    for _ in ["schema", "table", "original table"] {
        put_lenenc_bytes(&mut out, b"");
    }
    put_lenenc_bytes(&mut out, name.as_bytes());
    put_lenenc_bytes(&mut out, b"");
    if capabilities.extended_metadata() {
        put_lenenc_bytes(&mut out, b"");
    }
    put_lenenc(&mut out, 0x0c);
    out.put_u16_le(COLLATION);
    out.put_u32_le(65_535);
    out.put_u8(VAR_STRING);
    out.put_slice(&[0, 0, 0, 0, 0]);
    out
}

/// A row of text values.
pub(crate) fn text_row(row: &[Option<String>]) -> BytesMut {
    let mut out = BytesMut::new();
    for value in row {
        match value {
            Some(text) => put_lenenc_bytes(&mut out, text.as_bytes()),
            None => out.put_u8(0xfb),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::capabilities::{DEPRECATE_EOF, OPTIONAL_METADATA};
    use crate::protocol::reply::ReplyTracker;
    use crate::protocol::shape::Expect;

    #[test]
    fn every_dialect_is_followed_by_our_own_tracker() {
        let grid = Grid {
            columns: vec!["id".into(), "table".into()],
            rows: vec![
                vec![Some("1".into()), None],
                vec![Some("x".repeat(300)), Some(String::new())],
            ],
        };
        for base in [
            0,
            DEPRECATE_EOF,
            DEPRECATE_EOF | OPTIONAL_METADATA,
            OPTIONAL_METADATA,
        ] {
            for extended in [0, 0x18] {
                let capabilities = Capabilities { base, extended };
                let mut out = BytesMut::new();
                put(&mut out, 1, &grid, capabilities, 2);
                let mut tracker = ReplyTracker::new(capabilities, 0);
                tracker.expect(Expect::Query);
                assert_eq!(tracker.feed(&mut &out[..]), None);
                assert!(tracker.is_idle());
                assert_eq!(tracker.status, 2);
            }
        }
    }

    #[test]
    fn golden_definition() {
        let expected = b"\x03def\0\0\0\x02id\0\x0c\x2d\0\xff\xff\0\0\xfd\0\0\0\0\0";
        assert_eq!(&definition("id", Capabilities::default())[..], expected);
    }
}
