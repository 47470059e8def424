//! The server's first packet: read where it must be, and patched in place. A client that is greeted before its server is
//! known gets one of the proxy's own.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>

use bytes::{BufMut, BytesMut};

use super::capabilities::{Capabilities, MYSQL, NOT_RELAYED, PLUGIN_AUTH, SSL};
use super::ok::status;
use super::reader::Reader;

/// What the proxy needs of a greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) version: String,
    pub(crate) connection_id: u32,
    /// The challenge, without its trailing NUL.
    pub(crate) nonce: Vec<u8>,
    /// What the server offers, before patching.
    pub(crate) offered: Capabilities,
    /// The default authentication plugin.
    pub(crate) plugin: String,
    /// The server's character set.
    pub(crate) charset: u8,
    low_offset: usize,
    high_offset: usize,
}

impl Greeting {
    /// Reads a greeting of protocol 10.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != 10 {
            return None;
        }
        let version = String::from_utf8_lossy(reader.until_nul()?).into_owned();
        let connection_id = reader.u32()?;
        let mut nonce = reader.take(8)?.to_vec();
        reader.take(1)?;
        let low_offset = payload.len() - reader.rest().len();
        let low = u32::from(reader.u16()?);
        let charset = reader.u8()?;
        reader.take(2)?;
        let high_offset = payload.len() - reader.rest().len();
        let base = low | u32::from(reader.u16()?) << 16;
        let nonce_bytes = usize::from(reader.u8()?);
        reader.take(6)?;
        let extended = reader.u32()?;
        nonce.extend_from_slice(reader.take(nonce_bytes.saturating_sub(8).max(13))?);
        if nonce.last() == Some(&0) {
            nonce.pop();
        }
        let offered = Capabilities {
            base,
            extended: if base & MYSQL == 0 { extended } else { 0 },
        };
        let plugin = if offered.has(PLUGIN_AUTH) {
            reader.until_nul().unwrap_or(reader.rest())
        } else {
            b""
        };
        let plugin = String::from_utf8_lossy(plugin).into_owned();
        Some(Self {
            version,
            connection_id,
            nonce,
            offered,
            plugin,
            charset,
            low_offset,
            high_offset,
        })
    }

    /// The greeting of a server that is not there.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn offline(is_mariadb: bool) -> Self {
        let version = if is_mariadb { "11.8.6-MariaDB" } else { "9.7.4" };
        Self {
            version: version.to_owned(),
            connection_id: 1,
            nonce: Vec::new(),
            offered: Capabilities {
                base: MYSQL,
                extended: 0,
            },
            plugin: String::new(),
            charset: 0,
            low_offset: 0,
            high_offset: 0,
        }
    }

    /// Whether the server is a MariaDB.
    pub(crate) fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB") || self.offered.base & MYSQL == 0
    }

    /// Whether the server speaks TLS.
    pub(crate) fn offers_tls(&self) -> bool {
        self.offered.has(SSL)
    }

    /// What is relayed of that. TLS never is: it ends here on each side.
    pub(crate) fn relayed(&self) -> Capabilities {
        Capabilities {
            base: self.offered.base & !NOT_RELAYED,
            ..self.offered
        }
    }

    /// Clears in `payload`, the bytes this greeting was read from, what the proxy does not relay, and says whether the proxy
    /// speaks TLS.
    pub(crate) fn patch(&self, payload: &mut [u8], offers_tls: bool) {
        let own = if offers_tls { SSL } else { 0 };
        let [low0, low1, high0, high1] = (self.relayed().base | own).to_le_bytes();
        for (offset, bytes) in [
            (self.low_offset, [low0, low1]),
            (self.high_offset, [high0, high1]),
        ] {
            if let Some(place) = payload.get_mut(offset..offset + 2) {
                place.copy_from_slice(&bytes);
            }
        }
    }
}

/// A greeting of the proxy's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnGreeting<'a> {
    pub(crate) version: &'a str,
    pub(crate) connection_id: u32,
    /// The challenge, none of whose bytes is NUL.
    pub(crate) nonce: &'a [u8; NONCE_BYTES],
    pub(crate) charset: u8,
    pub(crate) offered: Capabilities,
    pub(crate) plugin: &'a str,
}

/// The length of a challenge without its trailing NUL.
pub(crate) const NONCE_BYTES: usize = 20;

impl OwnGreeting<'_> {
    /// Its payload.
    pub(crate) fn payload(&self) -> BytesMut {
        const SHORT: usize = 8;
        let (first, second) = self.nonce.split_at(SHORT);
        let base = self.offered.base.to_le_bytes();
        let (low, high) = base.split_at(2);
        let mut out = BytesMut::new();
        out.put_u8(10);
        out.put_slice(self.version.as_bytes());
        out.put_u8(0);
        out.put_u32_le(self.connection_id);
        out.put_slice(first);
        out.put_u8(0);
        out.put_slice(low);
        out.put_u8(self.charset);
        out.put_u16_le(status::AUTOCOMMIT);
        out.put_slice(high);
        // The challenge's length with its NUL.
        out.put_u8(21);
        out.put_bytes(0, 6);
        out.put_u32_le(self.offered.extended);
        out.put_slice(second);
        out.put_u8(0);
        out.put_slice(self.plugin.as_bytes());
        out.put_u8(0);
        out
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::protocol::capabilities::{COMPRESS, SSL, ZSTD};

    pub(crate) fn golden(base: u32, extended: u32) -> Vec<u8> {
        let mut bytes = b"\x0a9.7.4\0\x2a\0\0\0abcdefgh\0".to_vec();
        bytes.extend(&base.to_le_bytes()[..2]);
        bytes.extend(b"\xff\x02\0");
        bytes.extend(&base.to_le_bytes()[2..]);
        bytes.extend(b"\x15\0\0\0\0\0\0");
        bytes.extend(extended.to_le_bytes());
        bytes.extend(b"ijklmnopqrst\0caching_sha2_password\0");
        bytes
    }

    #[test]
    fn reads_what_it_needs_and_clears_only_what_is_not_relayed() {
        let mut payload = golden(0xffff_ffff, 0);
        let greeting = Greeting::parse(&payload).unwrap();
        assert_eq!(greeting.connection_id, 42);
        assert_eq!(greeting.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.plugin, "caching_sha2_password");
        assert!(!greeting.is_mariadb());
        greeting.patch(&mut payload, false);
        assert_eq!(payload, golden(!(SSL | COMPRESS | ZSTD), 0));
        greeting.patch(&mut payload, true);
        assert_eq!(payload, golden(!(COMPRESS | ZSTD), 0));
    }

    #[test]
    fn extended_capabilities_are_mariadbs_alone() {
        assert_eq!(
            Greeting::parse(&golden(0xffff_ffff, 9)).unwrap().offered.extended,
            0
        );
        assert_eq!(
            Greeting::parse(&golden(0xffff_fffe, 9)).unwrap().offered.extended,
            9
        );
    }

    #[test]
    fn an_own_greeting_is_as_a_servers() {
        let own = OwnGreeting {
            version: "9.7.4",
            connection_id: 42,
            nonce: b"abcdefghijklmnopqrst",
            charset: 0xff,
            offered: Capabilities {
                base: 0xdead_bef1,
                extended: 0,
            },
            plugin: "caching_sha2_password",
        };
        assert_eq!(own.payload(), golden(0xdead_bef1, 0));
        let mariadb = OwnGreeting {
            offered: Capabilities {
                base: 0xdead_bef0,
                extended: 9,
            },
            ..own
        };
        assert_eq!(mariadb.payload(), golden(0xdead_bef0, 9));
    }

    #[test]
    fn a_cut_greeting_is_none() {
        let payload = golden(0xffff_ffff, 0);
        let needed = payload.len() - "caching_sha2_password\0".len();
        for short in 0..payload.len() {
            assert_eq!(
                Greeting::parse(&payload[..short]).is_some(),
                short >= needed,
                "cut at {short}"
            );
        }
    }
}
