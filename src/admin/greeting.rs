//! The first packets of a login: the endpoint's greeting and the client's response to it.
//!
//! See <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets.html>.

use super::fields::Fields;
use super::password::{Method, Nonce};

/// What a client takes for the server's version. It begins like a MySQL version because drivers choose their
/// behaviour by it.
pub(super) const VERSION: &str = concat!("8.0.0-alterego-", env!("CARGO_PKG_VERSION"));

const LONG_PASSWORD: u32 = 1;
const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const CONNECT_ATTRS: u32 = 1 << 20;
const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
const DEPRECATE_EOF: u32 = 1 << 24;

const OFFERED: u32 = LONG_PASSWORD
    | CONNECT_WITH_DB
    | PROTOCOL_41
    | TRANSACTIONS
    | SECURE_CONNECTION
    | PLUGIN_AUTH
    | CONNECT_ATTRS
    | PLUGIN_AUTH_LENENC
    | DEPRECATE_EOF;

/// utf8mb4_general_ci.
const CHARSET: u8 = 45;
const AUTOCOMMIT: u16 = 2;

/// The greeting's payload.
pub(super) fn payload(connection_id: u32, nonce: &Nonce) -> Vec<u8> {
    let [low0, low1, high0, high1] = OFFERED.to_le_bytes();
    let (first, second) = nonce.split_at(8);
    let mut payload = vec![10];
    payload.extend(VERSION.as_bytes());
    payload.push(0);
    payload.extend(connection_id.to_le_bytes());
    payload.extend(first);
    payload.extend([0, low0, low1, CHARSET]);
    payload.extend(AUTOCOMMIT.to_le_bytes());
    payload.extend([high0, high1, 21]);
    payload.extend([0; 10]);
    payload.extend(second);
    payload.push(0);
    payload.extend(Method::Sha2.name().as_bytes());
    payload.push(0);
    payload
}

/// What the client says in return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// What both sides can do.
    capabilities: u32,
    /// The account.
    pub(super) user: Vec<u8>,
    /// The first try at a scramble; empty for none.
    pub(super) response: Vec<u8>,
    /// The schema it wants, if any.
    pub(super) schema: Option<Vec<u8>>,
    /// The method the scramble was made by.
    pub(super) method: Vec<u8>,
}

impl Client {
    /// Reads a response; `None` for one that is broken, too old or wants encryption, which was not offered.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields(payload);
        let wanted = fields.u32()?;
        if wanted & PROTOCOL_41 == 0 || wanted & SSL != 0 {
            return None;
        }
        // Packet size, character set, and bytes that mean nothing here.
        fields.bytes(4 + 1 + 23)?;
        let user = fields.until_nul()?.to_vec();
        let response = if wanted & PLUGIN_AUTH_LENENC != 0 {
            fields.counted()?
        } else if wanted & SECURE_CONNECTION != 0 {
            let count = fields.u8()?;
            fields.bytes(usize::from(count))?
        } else {
            fields.until_nul()?
        };
        let schema = if wanted & CONNECT_WITH_DB != 0 {
            fields.until_nul()
        } else {
            None
        };
        let method = if wanted & PLUGIN_AUTH != 0 {
            fields.until_nul()?
        } else {
            Method::Native.name().as_bytes()
        };
        Some(Self {
            capabilities: wanted & OFFERED,
            user,
            response: response.to_vec(),
            schema: schema.filter(|name| !name.is_empty()).map(<[u8]>::to_vec),
            method: method.to_vec(),
        })
    }

    /// A client with one capability or another.
    #[cfg(any(test, fuzzing))]
    pub(super) fn of_any_kind(flags: u8) -> Self {
        let ends_without_eof = if flags & 1 == 0 { 0 } else { DEPRECATE_EOF };
        Self {
            capabilities: PROTOCOL_41 | TRANSACTIONS | ends_without_eof,
            user: b"admin".to_vec(),
            response: Vec::new(),
            schema: None,
            method: Vec::new(),
        }
    }

    /// The response opensrv is shown in place of the client's: the same capabilities as far as they shape what
    /// follows, no schema, and one byte for a password so that it does not ask for another.
    pub(super) fn for_opensrv(&self) -> Vec<u8> {
        let capabilities = (self.capabilities & (LONG_PASSWORD | TRANSACTIONS | DEPRECATE_EOF))
            | PROTOCOL_41
            | SECURE_CONNECTION;
        let mut payload = capabilities.to_le_bytes().to_vec();
        payload.extend((1_u32 << 24).to_le_bytes());
        payload.push(CHARSET);
        payload.extend([0; 23]);
        payload.extend(b"admin\0\x01\x01");
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(capabilities: u32, tail: &[u8]) -> Vec<u8> {
        let mut payload = capabilities.to_le_bytes().to_vec();
        payload.extend([0; 28]);
        payload.extend(tail);
        payload
    }

    #[test]
    fn responses_are_read() {
        let full = PROTOCOL_41 | PLUGIN_AUTH | PLUGIN_AUTH_LENENC | CONNECT_WITH_DB | DEPRECATE_EOF;
        let client = Client::parse(&response(
            full,
            b"joe\0\x03abcapp\0caching_sha2_password\0\x05attrs",
        ))
        .unwrap();
        assert_eq!(
            (&client.user[..], &client.response[..]),
            (&b"joe"[..], &b"abc"[..])
        );
        assert_eq!(client.schema.as_deref(), Some(&b"app"[..]));
        assert_eq!(Method::named(&client.method), Some(Method::Sha2));
        let old = Client::parse(&response(PROTOCOL_41 | SECURE_CONNECTION, b"joe\0\x02ab")).unwrap();
        assert_eq!(Method::named(&old.method), Some(Method::Native));
        assert_eq!(Client::parse(&response(0, b"joe\0\0")), None);
        assert_eq!(Client::parse(&response(PROTOCOL_41 | SSL, b"")), None);
    }

    #[test]
    fn truncations_are_none() {
        let full = response(
            PROTOCOL_41 | PLUGIN_AUTH | SECURE_CONNECTION,
            b"joe\0\x03abcmysql_native_password\0",
        );
        for end in 0..full.len() {
            assert_eq!(Client::parse(&full[..end]), None, "{end}");
        }
        assert!(Client::parse(&full).is_some());
    }
}
