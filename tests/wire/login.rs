//! Logging in, and answering whatever a server asks on the way.

use anyhow::{Context, Result, ensure};
use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use mysql_common::crypto;

use crate::client::Client;
use crate::dialect::{CONNECT_ATTRS, CONNECT_WITH_DB, Dialect, PLUGIN_AUTH_LENENC};
use crate::packet::{Frame, put_lenenc, put_lenenc_bytes};

/// The methods whose names tell an `AuthSwitchRequest` from everything else that begins with 0xfe.
pub(crate) const PLUGINS: [&str; 5] = [
    "mysql_native_password",
    "caching_sha2_password",
    "sha256_password",
    "client_ed25519",
    "parsec",
];

/// Who logs in.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    /// The method the client begins with.
    pub(crate) plugin: &'static str,
}

impl Account {
    /// The method of the first packet. Where the proxy places connections every login is asked anew, so it has to be asked
    /// anew by the server itself, too: no account has this method.
    fn first_plugin(&self) -> &'static str {
        if is_placed() {
            "no_such_method"
        } else {
            self.plugin
        }
    }
}

/// Whether the proxy has a configuration file, and so chooses a server for each connection.
pub(crate) fn is_placed() -> bool {
    std::env::var_os("ALTEREGO_WIRE_PLACED").is_some()
}

/// Has no password.
pub(crate) const ROOT: Account = Account {
    user: "root",
    password: "",
    plugin: "mysql_native_password",
};

/// One exchange, in which the server has the first word.
#[derive(Debug)]
struct Exchange<'a> {
    account: &'a Account,
    plugin: String,
    nonce: Vec<u8>,
}

/// What a packet of the server's asks for.
enum Reaction {
    Send(Vec<u8>),
    Wait,
    Over,
}

impl Exchange<'_> {
    fn hear(&mut self, payload: &[u8]) -> Result<Reaction> {
        Ok(match payload {
            [0x00 | 0xff, ..] => Reaction::Over,
            [0xfe, switch @ ..] => {
                let end = switch.iter().position(|byte| *byte == 0).context("no plugin")?;
                self.plugin = String::from_utf8_lossy(&switch[..end]).into_owned();
                let nonce = &switch[end + 1..];
                self.nonce = nonce.strip_suffix(b"\0").unwrap_or(nonce).to_vec();
                Reaction::Send(self.scramble())
            }
            [1, 3] => Reaction::Wait,
            [1, 4] => Reaction::Send(vec![2]),
            [1, key @ ..] if key.starts_with(b"-----BEGIN") => {
                let mut secret = self.account.password.as_bytes().to_vec();
                secret.push(0);
                for (byte, mask) in secret.iter_mut().zip(self.nonce.iter().cycle()) {
                    *byte ^= mask;
                }
                Reaction::Send(crypto::encrypt(&secret, key)?)
            }
            // Parsec's second step: the account's salt. The signature is none, so the server refuses it in the end.
            _ => Reaction::Send(vec![7; 32 + 64]),
        })
    }

    /// The answer to a challenge. MariaDB's own methods are answered with a signature that is none: their steps are walked to
    /// the server's refusal.
    fn scramble(&self) -> Vec<u8> {
        let password = self.account.password.as_bytes();
        match self.plugin.as_str() {
            "mysql_native_password" => {
                scramble_native(&self.nonce, password).map_or(vec![], |scramble| scramble.to_vec())
            }
            "caching_sha2_password" => {
                let nonce = self.nonce.first_chunk::<20>();
                nonce
                    .and_then(|nonce| scramble_sha256(nonce, password))
                    .map_or(vec![], |scramble| scramble.to_vec())
            }
            // By TCP without TLS the key is asked for.
            "sha256_password" => vec![1],
            "client_ed25519" => vec![7; 64],
            _ => vec![],
        }
    }
}

/// Walks through an exchange; what was received is kept.
async fn exchange(client: &mut Client, mut exchange: Exchange<'_>) -> Result<Vec<Frame>> {
    let mut heard = Vec::new();
    while let Some(frame) = client.frame().await? {
        let reaction = exchange.hear(&frame.payload)?;
        let sequence = frame.sequence.wrapping_add(1);
        heard.push(frame);
        match reaction {
            Reaction::Send(payload) => client.send_whole(sequence, &payload).await,
            Reaction::Wait => {}
            Reaction::Over => break,
        }
    }
    Ok(heard)
}

/// Logs in to the schema `app`.
pub(crate) async fn login(client: &mut Client, dialect: &Dialect, account: &Account) -> Result<Vec<Frame>> {
    let greeting = client.frame().await?.context("no greeting")?;
    ensure!(!greeting.is_error(), "turned away: {greeting:?}");
    client
        .send_whole(greeting.sequence + 1, &response(dialect, account))
        .await;
    let started = Exchange {
        account,
        plugin: account.plugin.to_owned(),
        nonce: Vec::new(),
    };
    let mut heard = vec![greeting];
    heard.extend(exchange(client, started).await?);
    Ok(heard)
}

/// The response to a greeting, with no answer to its challenge: the server asks again, in the account's own way.
fn response(dialect: &Dialect, account: &Account) -> Vec<u8> {
    let mut payload = dialect.base.to_le_bytes().to_vec();
    payload.extend([0, 0, 0, 64, 45]);
    payload.extend([0; 19]);
    payload.extend(dialect.extended.to_le_bytes());
    payload.extend(account.user.as_bytes());
    payload.push(0);
    if dialect.has(PLUGIN_AUTH_LENENC) {
        put_lenenc(&mut payload, 0);
    } else {
        payload.push(0);
    }
    if dialect.has(CONNECT_WITH_DB) {
        payload.extend(b"app\0");
    }
    payload.extend(account.first_plugin().as_bytes());
    payload.push(0);
    put_attributes(&mut payload, dialect);
    payload
}

fn put_attributes(payload: &mut Vec<u8>, dialect: &Dialect) {
    if dialect.has(CONNECT_ATTRS) {
        let mut attributes = Vec::new();
        for text in [
            "_client_name",
            "bare packets",
            "empty",
            "",
            "long",
            &"x".repeat(300),
        ] {
            put_lenenc_bytes(&mut attributes, text.as_bytes());
        }
        put_lenenc_bytes(payload, &attributes);
    }
}

/// A `COM_CHANGE_USER` without an answer to any challenge.
pub(crate) fn change_user_payload(dialect: &Dialect, account: &Account) -> Vec<u8> {
    let mut payload = vec![0x11];
    payload.extend(account.user.as_bytes());
    payload.extend(b"\0\0app\0\x2d\0");
    payload.extend(account.first_plugin().as_bytes());
    payload.push(0);
    put_attributes(&mut payload, dialect);
    payload
}

/// Changes the user in mid-session.
pub(crate) async fn change_user(
    client: &mut Client,
    dialect: &Dialect,
    account: &Account,
) -> Result<Vec<Frame>> {
    client.send_whole(0, &change_user_payload(dialect, account)).await;
    let started = Exchange {
        account,
        plugin: account.plugin.to_owned(),
        nonce: Vec::new(),
    };
    exchange(client, started).await
}
