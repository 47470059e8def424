//! A handshake response, and a change of user, made such that the server challenges the client anew.
//!
//! A client whose server was not known yet has answered a challenge of the proxy's own, which is of no use to any server. So
//! its response is sent on without that answer and in the name of a plugin no account has: servers then ask for the
//! account's own plugin, with a challenge of their own (`AuthSwitchRequest`).
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods.html>

use bytes::{BufMut, BytesMut};

use super::capabilities::{
    CONNECT_ATTRS, CONNECT_WITH_DB, Capabilities, PLUGIN_AUTH, PLUGIN_AUTH_LENENC, RESPONSE_FIELDS,
    SECURE_CONNECTION, SSL,
};
use super::command;
use super::reader::Reader;

/// The plugin that no account has.
pub(crate) const NO_PLUGIN: &[u8] = b"alterego_asks_anew";
/// The bytes before the user's name.
const FIXED_BYTES: usize = 32;
/// A client that says more of itself than this is placed by what fits.
const ATTRIBUTES_MAX: usize = 128;

/// A handshake response, read as far as it decides where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) user: String,
    /// The default schema, unless it is empty.
    pub(crate) schema: Option<String>,
    pub(crate) attributes: Vec<(String, String)>,
    /// The plugin the client has answered for.
    pub(crate) plugin: Option<String>,
    asked: Capabilities,
    fixed: Vec<u8>,
    user_bytes: Vec<u8>,
    schema_bytes: Option<Vec<u8>>,
    /// All that stands behind the plugin's name.
    tail: Vec<u8>,
}

impl Response {
    /// Reads a response of a client that asked for this; `None` if it is cut short, or in a dialect without plugins.
    pub(crate) fn parse(payload: &[u8], asked: Capabilities) -> Option<Self> {
        if !asked.has(PLUGIN_AUTH) {
            return None;
        }
        let mut reader = Reader::new(payload);
        let fixed = reader.take(FIXED_BYTES)?.to_vec();
        let user_bytes = reader.until_nul()?.to_vec();
        if asked.has(PLUGIN_AUTH_LENENC) {
            reader.lenenc_bytes()?;
        } else if asked.has(SECURE_CONNECTION) {
            let length = usize::from(reader.u8()?);
            reader.take(length)?;
        } else {
            reader.until_nul()?;
        }
        let schema_bytes = match asked.has(CONNECT_WITH_DB) {
            true => Some(reader.until_nul()?.to_vec()),
            false => None,
        };
        let plugin = reader.until_nul().map(text);
        let tail = reader.rest().to_vec();
        let attributes = match asked.has(CONNECT_ATTRS) {
            true => attributes(&mut reader).unwrap_or_default(),
            false => Vec::new(),
        };
        Some(Self {
            user: text(&user_bytes),
            schema: schema_bytes.as_deref().filter(|name| !name.is_empty()).map(text),
            attributes,
            plugin,
            asked,
            fixed,
            user_bytes,
            schema_bytes,
            tail,
        })
    }

    /// The response for a server that offers `server`, where the client was offered `own`: no answer in it, and nothing asked
    /// for that client and proxy did not agree upon.
    pub(crate) fn unanswered(&self, own: Capabilities, server: Capabilities, with_tls: bool) -> BytesMut {
        let tls = if with_tls { SSL } else { 0 };
        // A bit the server does not know means nothing to it, and clients have some for themselves.
        let kept = own.base | !server.base | RESPONSE_FIELDS;
        let base = self.asked.base & kept & !SSL | tls;
        let mut out = BytesMut::new();
        out.put_u32_le(base);
        out.put_slice(self.fixed.get(4..FIXED_BYTES - 4).unwrap_or_default());
        let extended = self.fixed.get(FIXED_BYTES - 4..).unwrap_or_default();
        let masks = own.extended.to_le_bytes();
        out.extend(extended.iter().zip(masks).map(|(byte, mask)| byte & mask));
        out.put_slice(&self.user_bytes);
        out.put_u8(0);
        // No answer: this is so in all three ways to write it.
        out.put_u8(0);
        if let Some(schema) = &self.schema_bytes {
            out.put_slice(schema);
            out.put_u8(0);
        }
        out.put_slice(NO_PLUGIN);
        out.put_u8(0);
        out.put_slice(&self.tail);
        out
    }
}

fn attributes(reader: &mut Reader<'_>) -> Option<Vec<(String, String)>> {
    let mut pairs = Reader::new(reader.lenenc_bytes()?);
    let mut found = Vec::new();
    while !pairs.rest().is_empty() && found.len() < ATTRIBUTES_MAX {
        found.push((text(pairs.lenenc_bytes()?), text(pairs.lenenc_bytes()?)));
    }
    Some(found)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A change of user without its answer; `None` if it names no plugin, and for every other command.
pub(crate) fn unanswered_change_user(payload: &[u8], agreed: Capabilities) -> Option<BytesMut> {
    let mut reader = Reader::new(payload);
    if reader.u8()? != command::CHANGE_USER || !agreed.has(PLUGIN_AUTH) {
        return None;
    }
    let user = reader.until_nul()?;
    let length = usize::from(reader.u8()?);
    reader.take(length)?;
    let schema = reader.until_nul()?;
    let charset = reader.u16()?;
    reader.until_nul()?;
    let mut out = BytesMut::new();
    out.put_u8(command::CHANGE_USER);
    out.put_slice(user);
    out.put_slice(&[0, 0]);
    out.put_slice(schema);
    out.put_u8(0);
    out.put_u16_le(charset);
    out.put_slice(NO_PLUGIN);
    out.put_u8(0);
    out.put_slice(reader.rest());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::capabilities::{COMPRESS, MYSQL, PROTOCOL_41, QUERY_ATTRIBUTES};

    const BASE: u32 = PROTOCOL_41 | PLUGIN_AUTH | SECURE_CONNECTION | CONNECT_WITH_DB | CONNECT_ATTRS;

    fn asked(base: u32) -> Capabilities {
        Capabilities { base, extended: 0 }
    }

    /// A response with this answer, which is written as `base` says.
    fn response(base: u32, answer: &[u8], plugin: &[u8]) -> Vec<u8> {
        let mut bytes = base.to_le_bytes().to_vec();
        bytes.extend([0, 0, 0, 1, 45]);
        bytes.extend([0; 19]);
        bytes.extend([0x1f, 0, 0, 0]);
        bytes.extend(b"app\0");
        bytes.push(answer.len() as u8);
        bytes.extend(answer);
        if base & CONNECT_WITH_DB != 0 {
            bytes.extend(b"shop\0");
        }
        bytes.extend(plugin);
        bytes.extend(b"\0\x11\x0cprogram_name\x03cli\x07");
        bytes
    }

    #[test]
    fn reads_what_places_a_connection() {
        for base in [BASE, BASE | PLUGIN_AUTH_LENENC] {
            let payload = response(base, b"abc", b"mysql_native_password");
            let read = Response::parse(&payload, asked(base)).unwrap();
            assert_eq!(
                (read.user.as_str(), read.schema.as_deref()),
                ("app", Some("shop"))
            );
            assert_eq!(read.attributes, [("program_name".to_owned(), "cli".to_owned())]);
            assert_eq!(read.plugin.as_deref(), Some("mysql_native_password"));
        }
        let payload = response(BASE & !CONNECT_WITH_DB, b"", b"p");
        let read = Response::parse(&payload, asked(BASE & !CONNECT_WITH_DB)).unwrap();
        assert_eq!((read.schema, read.plugin), (None, Some("p".to_owned())));
        assert_eq!(Response::parse(&payload, asked(BASE & !PLUGIN_AUTH)), None);
    }

    #[test]
    fn the_answer_is_left_out_and_the_rest_stays() {
        for base in [BASE, BASE | PLUGIN_AUTH_LENENC, BASE & !CONNECT_WITH_DB] {
            let payload = response(base | COMPRESS | SSL, b"secret", b"caching_sha2_password");
            let read = Response::parse(&payload, asked(base | COMPRESS | SSL)).unwrap();
            let all = asked(u32::MAX);
            let own = Capabilities {
                base: !(COMPRESS | SSL),
                extended: u32::MAX,
            };
            assert_eq!(
                read.unanswered(own, all, false)[..],
                response(base, b"", NO_PLUGIN)
            );
            assert_eq!(
                read.unanswered(own, all, true)[..],
                response(base | SSL, b"", NO_PLUGIN)
            );
        }
    }

    #[test]
    fn what_was_not_offered_is_not_asked_for() {
        let payload = response(BASE | QUERY_ATTRIBUTES | MYSQL, b"", b"p");
        let read = Response::parse(&payload, asked(BASE | QUERY_ATTRIBUTES | MYSQL)).unwrap();
        // The server knows the one and not the other.
        let out = read.unanswered(asked(0), asked(QUERY_ATTRIBUTES | BASE), false);
        let mut expected = response(BASE | MYSQL, b"", NO_PLUGIN);
        expected[28] = 0;
        assert_eq!(out[..], expected);
    }

    #[test]
    fn a_change_of_user_is_sent_without_its_answer() {
        let payload = b"\x11app\0\x02abdb\0\x2d\0sha256_password\0attributes";
        let out = unanswered_change_user(payload, asked(PLUGIN_AUTH)).unwrap();
        assert_eq!(
            out[..],
            b"\x11app\0\0db\0\x2d\0alterego_asks_anew\0attributes"[..]
        );
        assert_eq!(unanswered_change_user(payload, asked(0)), None);
        for short in 0..payload.len() - b"attributes".len() {
            assert_eq!(
                unanswered_change_user(&payload[..short], asked(PLUGIN_AUTH)),
                None,
                "cut at {short}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120), base: u32) {
            let mut payload = response(base, b"", b"");
            payload.truncate(32);
            payload.extend(bytes);
            let _ = Response::parse(&payload, asked(base | PLUGIN_AUTH));
            let _ = unanswered_change_user(&payload, asked(base));
        }
    }
}
