//! `COM_QUERY`: where the text begins behind the query attributes.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>

use bytes::{BufMut, BytesMut};

use super::capabilities::{Capabilities, QUERY_ATTRIBUTES};
use super::reader::Reader;

/// The text in a payload whose command byte is already read; `None` while (or if) the attributes before it are
/// incomplete or not understood.
pub(crate) fn text(body: &[u8], capabilities: Capabilities) -> Option<&[u8]> {
    if !capabilities.has(QUERY_ATTRIBUTES) {
        return Some(body);
    }
    let mut reader = Reader::new(body);
    let count = usize::try_from(reader.lenenc()?).ok()?;
    reader.lenenc()?;
    if count > 0 {
        skip_attributes(&mut reader, count)?;
    }
    Some(reader.rest())
}

fn skip_attributes(reader: &mut Reader<'_>, count: usize) -> Option<()> {
    let nulls = reader.take(count.checked_add(7)? / 8)?;
    if reader.u8()? != 1 {
        return None;
    }
    let mut types = Vec::new();
    for _ in 0..count {
        types.push(reader.u16()?.to_le_bytes()[0]);
        reader.lenenc_bytes()?;
    }
    for (index, kind) in types.into_iter().enumerate() {
        let null = nulls.get(index / 8)? >> (index % 8) & 1 == 1;
        if !null {
            skip_value(reader, kind)?;
        }
    }
    Some(())
}

/// Reads over one binary value of a column type.
fn skip_value(reader: &mut Reader<'_>, kind: u8) -> Option<()> {
    match kind {
        1 => reader.take(1)?,
        2 | 13 => reader.take(2)?,
        3 | 4 | 9 => reader.take(4)?,
        5 | 8 => reader.take(8)?,
        6 => &[],
        7 | 10 | 11 | 12 => {
            let length = usize::from(reader.u8()?);
            reader.take(length)?
        }
        _ => reader.lenenc_bytes()?,
    };
    Some(())
}

/// A `COM_QUERY` payload of the proxy's own.
pub(crate) fn payload(sql: &str, capabilities: Capabilities) -> BytesMut {
    let mut out = BytesMut::with_capacity(sql.len() + 3);
    out.put_u8(super::command::QUERY);
    if capabilities.has(QUERY_ATTRIBUTES) {
        out.put_slice(&[0, 1]);
    }
    out.put_slice(sql.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH: Capabilities = Capabilities {
        base: QUERY_ATTRIBUTES,
        extended: 0,
    };

    #[test]
    fn text_is_found_behind_attributes() {
        let check = |body: &[u8], expected: &[u8]| {
            assert_eq!(text(body, WITH), Some(expected));
            for short in 0..body.len() - expected.len() {
                assert_eq!(text(&body[..short], WITH), None, "cut at {short}");
            }
        };
        check(b"\0\x01ALTER", b"ALTER");
        check(b"\x01\x01\0\x01\xfe\0\x03key\x05valueSELECT 1", b"SELECT 1");
        check(
            b"\x02\x01\x02\x01\x08\0\x01n\xfe\0\x01m\x01\0\0\0\0\0\0\0DO 1",
            b"DO 1",
        );
        assert_eq!(text(b"ALTER", Capabilities::default()), Some(&b"ALTER"[..]));
        assert_eq!(text(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", WITH), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            if let Some(found) = text(&body, WITH) {
                proptest::prop_assert!(body.ends_with(found));
            }
        }
    }

    #[test]
    fn own_payloads_are_read_back() {
        for capabilities in [WITH, Capabilities::default()] {
            let payload = payload("SELECT 1", capabilities);
            assert_eq!(payload[0], 3);
            assert_eq!(text(&payload[1..], capabilities), Some(&b"SELECT 1"[..]));
        }
    }
}
