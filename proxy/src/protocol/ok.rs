//! OK, EOF and ERR packets as the server sends them.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html>

use super::reader::Reader;

/// Status flags of OK and EOF packets.
pub(crate) mod status {
    /// A transaction is open.
    pub(crate) const IN_TRANSACTION: u16 = 0x0001;
    /// Each statement commits by itself.
    pub(crate) const AUTOCOMMIT: u16 = 0x0002;
    /// Another reply to the same command follows.
    pub(crate) const MORE_RESULTS: u16 = 0x0008;
    /// A cursor was opened: no rows follow.
    pub(crate) const CURSOR_EXISTS: u16 = 0x0040;
    /// The result set holds OUT parameters.
    pub(crate) const OUT_PARAMS: u16 = 0x1000;
    /// Session state changes follow the info text.
    pub(crate) const SESSION_STATE_CHANGED: u16 = 0x4000;
}

/// The counters of an OK packet; also of one with the header `0xfe`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ok {
    pub(crate) affected: u64,
    pub(crate) status: u16,
    pub(crate) warnings: u16,
}

impl Ok {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        reader.u8()?;
        let affected = reader.lenenc()?;
        reader.lenenc()?;
        Some(Self {
            affected,
            status: reader.u16()?,
            warnings: reader.u16()?,
        })
    }
}

/// The status flags of an EOF packet.
pub(crate) fn eof_status(payload: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(payload);
    reader.take(3)?;
    reader.u16()
}

/// An ERR packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: u16,
    pub(crate) state: String,
    pub(crate) message: String,
}

impl Error {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        reader.u8()?;
        let code = reader.u16()?;
        let mut state = "HY000".to_owned();
        if reader.rest().first() == Some(&b'#') {
            reader.take(1)?;
            state = String::from_utf8_lossy(reader.take(5)?).into_owned();
        }
        Some(Self {
            code,
            state,
            message: String::from_utf8_lossy(reader.rest()).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_packets_and_every_cut() {
        let ok = b"\0\xfc\x10\x27\0\x02\0\x03\0";
        assert_eq!(
            Ok::parse(ok),
            Some(Ok {
                affected: 10_000,
                status: 2,
                warnings: 3
            })
        );
        for short in 0..ok.len() {
            assert_eq!(Ok::parse(&ok[..short]), None);
        }
        assert_eq!(eof_status(b"\xfe\0\0\x22\0"), Some(0x22));
        assert_eq!(eof_status(b"\xfe\0\0\x22"), None);
        let error = Error::parse(b"\xff\x7a\x04#42S02no table").unwrap();
        assert_eq!(
            (error.code, &*error.state, &*error.message),
            (1146, "42S02", "no table")
        );
        let early = Error::parse(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!((early.code, &*early.state), (1040, "HY000"));
        assert_eq!(Error::parse(b"\xff\x7a\x04#42"), None);
    }
}
