//! The client's answer to the greeting, and the packets of an authentication exchange.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use std::ops::Range;

use bytes::BytesMut;

use super::answer::put_lenenc_bytes;
use super::capabilities::{CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION};
use super::capabilities::{Capabilities, MYSQL, NOT_RELAYED, PLUGIN_AUTH, PLUGIN_AUTH_LENENC, SSL};
use super::command;
use super::reader::Reader;

/// The length of a request to start TLS, which is a response without its user.
const SSL_REQUEST_BYTES: usize = 32;

/// What the proxy needs of a handshake response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) asked: Capabilities,
    /// The client's first answer; `None` if it is not understood, and in the oldest dialect.
    pub(crate) first: Option<First>,
    /// The client asks for TLS instead of logging in.
    pub(crate) wants_tls: bool,
}

impl Login {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let base = reader.u32()?;
        if base & PROTOCOL_41 == 0 {
            let asked = Capabilities {
                base: base & 0xffff,
                extended: 0,
            };
            return Some(Self {
                asked,
                first: None,
                wants_tls: base & SSL != 0,
            });
        }
        reader.take(4 + 1 + 19)?;
        let extended = reader.u32()?;
        let asked = Capabilities {
            base,
            extended: if base & MYSQL == 0 { extended } else { 0 },
        };
        let wants_tls = base & SSL != 0 && payload.len() <= SSL_REQUEST_BYTES;
        Some(Self {
            asked,
            first: First::of_response(payload, reader, asked),
            wants_tls,
        })
    }

    /// Clears in `payload` what the client was not offered (a client that asks for it all the same would be
    /// understood by the server and by nobody between), and says whether the server is reached by TLS.
    pub(crate) fn patch(payload: &mut [u8], with_tls: bool) {
        let own = if with_tls { SSL } else { 0 };
        let masks = (!NOT_RELAYED).to_le_bytes().into_iter().zip(own.to_le_bytes());
        for (byte, (mask, own)) in payload.iter_mut().zip(masks) {
            *byte = *byte & mask | own;
        }
    }

    /// The request for TLS that the client of this response would have sent; `None` for the oldest dialect.
    pub(crate) fn tls_request(response: &[u8]) -> Option<Vec<u8>> {
        let mut request = response.get(..SSL_REQUEST_BYTES)?.to_vec();
        Self::patch(&mut request, true);
        Some(request)
    }
}

/// The client's first answer, inside the packet that begins a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct First {
    /// The plugin it is for, if the client says so.
    pub(crate) plugin: Option<String>,
    /// Where the answer and the length before it stand in the packet.
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    whole: Range<usize>,
    answer: Range<usize>,
    lenenc: bool,
}

impl First {
    /// In a handshake response; `reader` stands before the user's name.
    fn of_response(payload: &[u8], mut reader: Reader<'_>, asked: Capabilities) -> Option<Self> {
        reader.until_nul()?;
        let place = if asked.has(PLUGIN_AUTH_LENENC) || asked.has(SECURE_CONNECTION) {
            Some(Place::read(payload, &mut reader, asked.has(PLUGIN_AUTH_LENENC))?)
        } else {
            reader.until_nul()?;
            None
        };
        if asked.has(CONNECT_WITH_DB) {
            reader.until_nul()?;
        }
        Some(Self {
            plugin: plugin(&mut reader, asked),
            place,
        })
    }

    /// In a change of user, from its command byte on.
    pub(crate) fn of_change_user(payload: &[u8], agreed: Capabilities) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != command::CHANGE_USER {
            return None;
        }
        reader.until_nul()?;
        let place = Some(Place::read(payload, &mut reader, false)?);
        reader.until_nul()?;
        // The character set; a client may leave it out with everything behind it.
        let plugin = reader.u16().and_then(|_| plugin(&mut reader, agreed));
        Some(Self { plugin, place })
    }

    /// The answer itself.
    pub(crate) fn answer<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        let place = self.place.as_ref();
        place
            .and_then(|place| payload.get(place.answer.clone()))
            .unwrap_or_default()
    }

    /// The packet with another answer in it; `None` if it has no place for one as long.
    pub(crate) fn replaced(&self, payload: &[u8], answer: &[u8]) -> Option<Vec<u8>> {
        let place = self.place.as_ref()?;
        let mut out = BytesMut::from(payload.get(..place.whole.start)?);
        if place.lenenc {
            put_lenenc_bytes(&mut out, answer);
        } else {
            out.extend_from_slice(&[u8::try_from(answer.len()).ok()?]);
            out.extend_from_slice(answer);
        }
        out.extend_from_slice(payload.get(place.whole.end..)?);
        Some(out.to_vec())
    }
}

impl Place {
    fn read(payload: &[u8], reader: &mut Reader<'_>, lenenc: bool) -> Option<Self> {
        let offset = |reader: &Reader<'_>| payload.len() - reader.rest().len();
        let start = offset(reader);
        let length = if lenenc {
            usize::try_from(reader.lenenc()?).ok()?
        } else {
            usize::from(reader.u8()?)
        };
        let begin = offset(reader);
        reader.take(length)?;
        let end = offset(reader);
        Some(Self {
            whole: start..end,
            answer: begin..end,
            lenenc,
        })
    }
}

fn plugin(reader: &mut Reader<'_>, agreed: Capabilities) -> Option<String> {
    if !agreed.has(PLUGIN_AUTH) {
        return None;
    }
    reader
        .until_nul()
        .map(|name| String::from_utf8_lossy(name).into_owned())
}

/// The server asks for another plugin, or for a further factor, with a new challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthSwitch {
    pub(crate) plugin: String,
    pub(crate) nonce: Vec<u8>,
}

impl AuthSwitch {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if !matches!(reader.u8()?, 0xfe | 0x02) {
            return None;
        }
        let plugin = String::from_utf8_lossy(reader.until_nul()?).into_owned();
        let mut nonce = reader.rest().to_vec();
        if nonce.last() == Some(&0) {
            nonce.pop();
        }
        Some(Self { plugin, nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(base: u32) -> Vec<u8> {
        let mut bytes = base.to_le_bytes().to_vec();
        bytes.extend([0, 0, 0, 1, 45]);
        bytes.extend([0; 19]);
        bytes.extend([0x1f, 0, 0, 0]);
        bytes.extend(b"root\0\x03abcapp\0mysql_native_password\0rest");
        bytes
    }

    #[test]
    fn reads_capabilities_and_plugin() {
        let base = PROTOCOL_41 | PLUGIN_AUTH | PLUGIN_AUTH_LENENC | CONNECT_WITH_DB;
        let login = Login::parse(&response(base)).unwrap();
        assert_eq!(login.asked, Capabilities { base, extended: 0x1f });
        assert_eq!(
            login.first.as_ref().unwrap().plugin.as_deref(),
            Some("mysql_native_password")
        );
        assert_eq!(login.first.unwrap().answer(&response(base)), b"abc");
        assert!(!login.wants_tls);
        assert_eq!(Login::parse(&response(base | MYSQL)).unwrap().asked.extended, 0);
    }

    #[test]
    fn every_cut_is_survived() {
        let whole = response(PROTOCOL_41 | PLUGIN_AUTH | CONNECT_WITH_DB);
        for short in 0..whole.len() {
            let login = Login::parse(&whole[..short]);
            assert_eq!(login.is_some(), short >= 32, "cut at {short}");
        }
    }

    #[test]
    fn a_request_for_tls_is_recognised() {
        let login = Login::parse(&response(PROTOCOL_41 | SSL)[..32]).unwrap();
        assert!(login.wants_tls);
    }

    #[test]
    fn bits_that_were_not_offered_are_cleared() {
        let mut payload = response(0xffff_ffff);
        Login::patch(&mut payload, false);
        assert_eq!(payload, response(!NOT_RELAYED));
        Login::patch(&mut payload, true);
        assert_eq!(payload, response(!NOT_RELAYED | SSL));
        Login::patch(&mut [], true);
    }

    #[test]
    fn a_response_makes_a_request_for_tls() {
        let request = Login::tls_request(&response(PROTOCOL_41)).unwrap();
        assert_eq!(request, response(PROTOCOL_41 | SSL)[..32]);
        assert_eq!(Login::tls_request(&response(PROTOCOL_41)[..31]), None);
    }

    #[test]
    fn a_first_answer_is_replaced_where_it_stands() {
        let base = PROTOCOL_41 | PLUGIN_AUTH | SECURE_CONNECTION | CONNECT_WITH_DB;
        for lenenc in [0, PLUGIN_AUTH_LENENC] {
            let payload = response(base | lenenc);
            let first = Login::parse(&payload).unwrap().first.unwrap();
            assert_eq!(first.replaced(&payload, b"abc").unwrap(), payload);
            let other = first.replaced(&payload, b"wxyz").unwrap();
            let again = Login::parse(&other).unwrap().first.unwrap();
            assert_eq!(
                (again.answer(&other), &again.plugin),
                (&b"wxyz"[..], &first.plugin)
            );
            assert_eq!(other.len(), payload.len() + 1);
            assert_eq!(first.replaced(&payload, &[1; 300]).is_some(), lenenc != 0);
        }
        assert_eq!(First::default().answer(b"abc"), b"");
        assert_eq!(First::default().replaced(b"abc", b"x"), None);
    }

    #[test]
    fn a_change_of_user_has_one_too() {
        let agreed = Capabilities {
            base: PLUGIN_AUTH,
            extended: 0,
        };
        let payload = b"\x11app\0\x02abdb\0\x2d\0sha256_password\0attributes";
        let first = First::of_change_user(payload, agreed).unwrap();
        assert_eq!(first.plugin.as_deref(), Some("sha256_password"));
        assert_eq!(first.answer(payload), b"ab");
        let replaced = first.replaced(payload, b"").unwrap();
        assert_eq!(replaced, b"\x11app\0\x00db\0\x2d\0sha256_password\0attributes");
        for short in 0..11 {
            assert_eq!(
                First::of_change_user(&payload[..short], agreed),
                None,
                "cut at {short}"
            );
        }
    }

    #[test]
    fn switches() {
        let switch = AuthSwitch::parse(b"\xfeed25519\0nonce\0").unwrap();
        assert_eq!(
            (switch.plugin.as_str(), &switch.nonce[..]),
            ("ed25519", &b"nonce"[..])
        );
        assert_eq!(AuthSwitch::parse(b"\xfe"), None);
    }
}
