//! The client's answer to the greeting, and the packets of an authentication exchange.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use super::capabilities::{CONNECT_WITH_DB, PROTOCOL_41};
use super::capabilities::{Capabilities, MYSQL, NOT_RELAYED, PLUGIN_AUTH, PLUGIN_AUTH_LENENC, SSL};
use super::reader::Reader;

/// The length of a request to start TLS, which is a response without its user.
const SSL_REQUEST_BYTES: usize = 32;

/// What the proxy needs of a handshake response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) asked: Capabilities,
    /// The plugin the client's first answer is for, if it says so.
    pub(crate) plugin: Option<String>,
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
                plugin: None,
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
            plugin: plugin(reader, asked),
            wants_tls,
        })
    }

    /// Clears in `payload` what the client was not offered: a client that asks for it all the same would be
    /// understood by the server and by nobody between.
    pub(crate) fn patch(payload: &mut [u8]) {
        let [low0, low1, high0, high1] = (!NOT_RELAYED).to_le_bytes();
        for (byte, mask) in payload.iter_mut().zip([low0, low1, high0, high1]) {
            *byte &= mask;
        }
    }
}

fn plugin(mut reader: Reader<'_>, asked: Capabilities) -> Option<String> {
    reader.until_nul()?;
    if asked.has(PLUGIN_AUTH_LENENC) {
        reader.lenenc_bytes()?;
    } else {
        let length = usize::from(reader.u8()?);
        reader.take(length)?;
    }
    if asked.has(CONNECT_WITH_DB) {
        reader.until_nul()?;
    }
    if !asked.has(PLUGIN_AUTH) {
        return None;
    }
    reader
        .until_nul()
        .map(|name| String::from_utf8_lossy(name).into_owned())
}

/// The server asks for another plugin, with a new challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthSwitch {
    pub(crate) plugin: String,
    pub(crate) nonce: Vec<u8>,
}

impl AuthSwitch {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != 0xfe {
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

/// The password as `caching_sha2_password` wants it inside an RSA block: NUL-terminated, mixed with the challenge.
pub(crate) fn mix_with_nonce(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let terminated = if password.last() == Some(&0) {
        None
    } else {
        Some(&0)
    };
    let bytes = password.iter().chain(terminated);
    if nonce.is_empty() {
        return bytes.copied().collect();
    }
    bytes
        .zip(nonce.iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
        .collect()
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
        assert_eq!(login.plugin.as_deref(), Some("mysql_native_password"));
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
        Login::patch(&mut payload);
        assert_eq!(payload, response(!NOT_RELAYED));
        Login::patch(&mut []);
    }

    #[test]
    fn switches_and_secrets() {
        let switch = AuthSwitch::parse(b"\xfeed25519\0nonce\0").unwrap();
        assert_eq!(
            (switch.plugin.as_str(), &switch.nonce[..]),
            ("ed25519", &b"nonce"[..])
        );
        assert_eq!(AuthSwitch::parse(b"\xfe"), None);
        assert_eq!(mix_with_nonce(b"ab\0", b"\x01"), [b'a' ^ 1, b'b' ^ 1, 1]);
        assert_eq!(mix_with_nonce(b"ab", b""), b"ab\0");
    }
}
