//! The authentication exchange: relayed packet by packet until the server says OK or ERR.
//!
//! Most methods send proofs that they know the password and are relayed whatever the two connections are.
//! `caching_sha2_password` (when the server does not remember the user) and `sha256_password` send the password itself: in
//! clear text on a connection that is secure, else encrypted with the server's RSA key, for which the client asks first.
//! Each end goes by its own connection, so where one is secure and the other is not the proxy stands in:
//!
//! | client's packet | secure server | other server |
//! |---|---|---|
//! | question for the key | the proxy's own key is the answer, the block that follows is opened | relayed |
//! | encrypted block | opened with the proxy's own key | relayed |
//! | clear text | relayed | the server is asked for its key, the password goes out encrypted |
//!
//! What the proxy says to one end only shifts the sequence numbers between the ends by two for the rest of the exchange.
//! The password is in memory for that moment only and is never logged.
//!
//! *Invariant:* from a client that takes its connection for secure (TLS, unix socket) no clear text goes to a server by a
//! connection that is not. Methods this file does not know to be safe are refused there, before the client answers. A
//! client that answers with clear text at once, inside its first packet, is refused before that packet is forwarded.

use super::End;
use super::wire::{Arrival, Wire};
use crate::protocol::answer;
use crate::protocol::capabilities::{Capabilities, PROTOCOL_41};
use crate::protocol::frame::{HEADER_BYTES, Header, peek_packet};
use crate::protocol::login::{AuthSwitch, First};
use crate::protocol::ok::Ok as OkPacket;
use crate::tls::{PasswordKey, encrypt};

/// The largest packet of a login; the limit keeps an unknown client from filling the memory.
pub(crate) const LOGIN_PACKET_MAX_BYTES: usize = 1 << 20;
/// The shortest block: an RSA key of 1024 bits. No password is as long.
const BLOCK_MIN_BYTES: usize = 128;
const FULL_AUTHENTICATION: &[u8] = &[0x01, 0x04];
/// The server has seen enough: its OK follows, and the client does not answer.
const FAST_AUTHENTICATION: &[u8] = &[0x01, 0x03];
/// What a key's PEM form stands behind.
const MORE_DATA: u8 = 0x01;
/// What a client without a plugin's name answers for.
const NATIVE: &str = "mysql_native_password";
/// `ER_NET_PACKET_TOO_LARGE`.
const PACKET_TOO_LARGE: u16 = 1153;
/// `ER_SECURE_TRANSPORT_REQUIRED`.
pub(crate) const SECURE_TRANSPORT_REQUIRED: u16 = 3159;

/// What a client sends for a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// A proof that it knows the password, or nothing.
    Proof,
    /// `caching_sha2_password`: a proof, then the password if the server asks.
    CachingSha2,
    /// `sha256_password`: the password.
    Sha256,
    /// Anything, the password in clear text for all that is known.
    Open,
}

impl Method {
    fn of(plugin: &str) -> Self {
        match plugin {
            NATIVE | "mysql_old_password" | "client_ed25519" | "parsec" | "auth_gssapi_client" => Self::Proof,
            "auth_socket" | "unix_socket" => Self::Proof,
            "caching_sha2_password" => Self::CachingSha2,
            "sha256_password" => Self::Sha256,
            _ => Self::Open,
        }
    }

    /// The client's question for the server's key.
    fn ask_for_key(self) -> &'static [u8] {
        match self {
            Self::CachingSha2 => &[0x02],
            _ => &[0x01],
        }
    }
}

/// What the client's packet holds where it has to send its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secret {
    /// There is no password.
    Empty,
    /// A question for the server's key.
    Question,
    /// The password encrypted with a key.
    Block,
    /// The password.
    Clear,
}

impl Secret {
    fn read(payload: &[u8], method: Method, by_tls: bool) -> Self {
        match payload {
            [] | [0] => Self::Empty,
            _ if payload == method.ask_for_key() => Self::Question,
            _ if !by_tls && payload.len() >= BLOCK_MIN_BYTES => Self::Block,
            _ => Self::Clear,
        }
    }
}

/// How far the proxy's own part in an exchange has come.
#[derive(Debug)]
enum Own {
    /// Everything is relayed.
    Relay,
    /// The client's next packet is its secret.
    Secret,
    /// The client's next packet is encrypted with the proxy's key.
    Block,
    /// The server's next packet is its key.
    Key { password: Vec<u8> },
}

/// The state of one exchange.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    plugin: String,
    nonce: Vec<u8>,
    key: &'a PasswordKey,
    own: Own,
    /// The packet around the client's first answer, until that answer is sent.
    envelope: Option<(First, Vec<u8>)>,
    /// How far the client's sequence numbers are before the server's.
    ahead: u8,
    /// The server, or the proxy in its place, has spoken and the client may answer. What it sends unasked behind a change of user is the next command.
    asked: bool,
    /// The client's first answer was kept back, so the server has to ask for another.
    kept_back: bool,
}

impl<'a> Exchange<'a> {
    /// An exchange that has not begun; `ahead` is how far the client's numbers are before the server's by now.
    pub(crate) fn new(nonce: Vec<u8>, key: &'a PasswordKey, ahead: u8) -> Self {
        Self {
            plugin: NATIVE.to_owned(),
            nonce,
            key,
            own: Own::Relay,
            envelope: None,
            ahead,
            asked: false,
            kept_back: false,
        }
    }

    /// Begins with `packet` in the place of the one at the front. It holds no answer of the client's: the server asks.
    pub(crate) fn begin_unanswered(&mut self, wire: &mut Wire, header: Header, packet: &[u8]) {
        wire.up.discard(HEADER_BYTES + header.length);
        wire.up.send(header.sequence.wrapping_sub(self.ahead), packet);
        self.kept_back = true;
    }

    /// Sends the packet at the front, which begins the exchange and holds the client's first answer.
    pub(crate) async fn begin(&mut self, wire: &mut Wire, first: Option<First>) -> Result<(), End> {
        let Some((header, payload)) = peek_packet(wire.up.undecided()) else {
            return Err(End::Protocol("the beginning of a login is not there"));
        };
        let payload = payload.to_vec();
        let Some(first) = first else {
            if is_crossing(wire) {
                return Err(refuse(wire, header.sequence.wrapping_add(1), "this login"));
            }
            self.relay_up(wire, header);
            return Ok(());
        };
        if let Some(plugin) = &first.plugin {
            self.plugin.clone_from(plugin);
        }
        let answer = first.answer(&payload).to_vec();
        match Method::of(&self.plugin) {
            Method::Sha256 => {
                self.envelope = Some((first, payload));
                self.heard_secret(wire, header, answer).await
            }
            Method::Open if is_crossing(wire) && !answer.is_empty() => {
                Err(refuse(wire, header.sequence.wrapping_add(1), &self.plugin))
            }
            _ => {
                self.relay_up(wire, header);
                Ok(())
            }
        }
    }

    /// Relays until the end: `Some` are the status flags of the server's OK, `None` its refusal.
    pub(crate) async fn run(mut self, wire: &mut Wire) -> Result<Option<u16>, End> {
        loop {
            while let Some((header, payload)) = peek_packet(wire.down.undecided()) {
                let payload = payload.to_vec();
                if let Some(end) = self.heard_server(wire, header, &payload)? {
                    return Ok(end);
                }
            }
            if self.asked {
                if let Some((header, payload)) = peek_packet(wire.up.undecided()) {
                    let payload = payload.to_vec();
                    self.asked = false;
                    self.heard_client(wire, header, payload).await?;
                }
                check_client_size(wire)?;
            }
            check_size(wire.down.undecided())?;
            login_arrival(wire).await?;
        }
    }

    fn heard_server(
        &mut self,
        wire: &mut Wire,
        header: Header,
        payload: &[u8],
    ) -> Result<Option<Option<u16>>, End> {
        if std::mem::take(&mut self.kept_back) && !matches!(payload.first(), Some(0x00 | 0xfe | 0xff)) {
            // The client would take it for a word on its first answer, which may be one with its password.
            return Err(End::Protocol("the server does not ask the client anew"));
        }
        let own = std::mem::replace(&mut self.own, Own::Relay);
        if let (Own::Key { password }, Some((&MORE_DATA, key))) = (&own, payload.split_first()) {
            self.send_encrypted(wire, header, password, key)?;
            return Ok(None);
        }
        self.asked = payload != FAST_AUTHENTICATION;
        match payload.first() {
            Some(0x00) => {
                self.relay_down(wire, header);
                return Ok(Some(Some(OkPacket::parse(payload).unwrap_or_default().status)));
            }
            Some(0xff) => {
                self.relay_down(wire, header);
                return Ok(Some(None));
            }
            // Another plugin, or a further factor's.
            Some(0xfe | 0x02) => self.switch(wire, header, payload)?,
            _ if payload == FULL_AUTHENTICATION && Method::of(&self.plugin) == Method::CachingSha2 => {
                self.own = Own::Secret;
            }
            _ => {}
        }
        self.relay_down(wire, header);
        Ok(None)
    }

    fn switch(&mut self, wire: &mut Wire, header: Header, payload: &[u8]) -> Result<(), End> {
        let Some(switch) = AuthSwitch::parse(payload) else {
            return Ok(());
        };
        (self.plugin, self.nonce) = (switch.plugin, switch.nonce);
        match Method::of(&self.plugin) {
            Method::Sha256 => self.own = Own::Secret,
            Method::Open if is_crossing(wire) => {
                let sequence = header.sequence.wrapping_add(self.ahead);
                return Err(refuse(wire, sequence, &self.plugin));
            }
            _ => {}
        }
        Ok(())
    }

    async fn heard_client(&mut self, wire: &mut Wire, header: Header, payload: Vec<u8>) -> Result<(), End> {
        match std::mem::replace(&mut self.own, Own::Relay) {
            Own::Secret => self.heard_secret(wire, header, payload).await,
            Own::Block => self.send_opened(wire, header, &payload).await,
            own => {
                self.own = own;
                self.relay_up(wire, header);
                Ok(())
            }
        }
    }

    /// Sends the client's secret on as the server's connection wants it.
    async fn heard_secret(&mut self, wire: &mut Wire, header: Header, answer: Vec<u8>) -> Result<(), End> {
        let method = Method::of(&self.plugin);
        let secret = Secret::read(&answer, method, wire.client().is_tls());
        match (secret, wire.upstream().is_tls()) {
            (Secret::Question, true) => {
                let pair = self.key.pair().await.ok_or(NO_KEY)?;
                let packet = [&[MORE_DATA], pair.public_pem().as_bytes()].concat();
                wire.up.discard(HEADER_BYTES + header.length);
                wire.down.send(header.sequence.wrapping_add(1), &packet);
                self.ahead = self.ahead.wrapping_add(2);
                self.own = Own::Block;
                self.asked = true;
                Ok(())
            }
            (Secret::Block, true) => self.send_opened(wire, header, &answer).await,
            (Secret::Clear, false) => {
                self.send_answer(wire, header, method.ask_for_key())?;
                self.own = Own::Key { password: answer };
                Ok(())
            }
            (Secret::Empty, _) | (Secret::Clear, true) | (Secret::Question | Secret::Block, false) => {
                self.envelope = None;
                self.relay_up(wire, header);
                Ok(())
            }
        }
    }

    /// Opens the client's block and sends the password on.
    async fn send_opened(&mut self, wire: &mut Wire, header: Header, block: &[u8]) -> Result<(), End> {
        let pair = self.key.pair().await.ok_or(NO_KEY)?;
        let password = pair.decrypt(block, &self.nonce);
        self.send_answer(wire, header, &password)
    }

    /// Sends the password on, encrypted with the key the server answered with.
    fn send_encrypted(
        &mut self,
        wire: &mut Wire,
        header: Header,
        password: &[u8],
        key: &[u8],
    ) -> Result<(), End> {
        let block = encrypt(password, &self.nonce, key).ok_or(End::Protocol(
            "the server's RSA key is unusable for this password",
        ))?;
        wire.down.discard(HEADER_BYTES + header.length);
        wire.up.send(header.sequence.wrapping_add(1), &block);
        self.ahead = self.ahead.wrapping_sub(2);
        Ok(())
    }

    /// Sends `answer` in the place of the client's packet, in its envelope if it is the first.
    fn send_answer(&mut self, wire: &mut Wire, header: Header, answer: &[u8]) -> Result<(), End> {
        wire.up.discard(HEADER_BYTES + header.length);
        let sequence = header.sequence.wrapping_sub(self.ahead);
        match self.envelope.take() {
            None => wire.up.send(sequence, answer),
            Some((first, packet)) => {
                let packet = first.replaced(&packet, answer);
                let packet = packet.ok_or(End::Protocol("a password is too long for its packet"))?;
                wire.up.send(sequence, &packet);
            }
        }
        Ok(())
    }

    fn relay_up(&self, wire: &mut Wire, header: Header) {
        wire.up.renumber(header.sequence.wrapping_sub(self.ahead));
        wire.up.approve(HEADER_BYTES + header.length);
    }

    fn relay_down(&self, wire: &mut Wire, header: Header) {
        wire.down.renumber(header.sequence.wrapping_add(self.ahead));
        wire.down.approve(HEADER_BYTES + header.length);
    }
}

const NO_KEY: End = End::Protocol("no RSA key could be made");

/// Whether what the client entrusts to its own connection would leave by one that is not secure.
fn is_crossing(wire: &Wire) -> bool {
    (wire.client().is_tls() || wire.client().is_unix()) && !wire.upstream().is_tls()
}

fn refuse(wire: &mut Wire, sequence: u8, plugin: &str) -> End {
    let message = format!(
        "Authentication plugin '{plugin}' may send the password in clear text, and the proxy reaches the server without TLS"
    );
    let capabilities = Capabilities {
        base: PROTOCOL_41,
        extended: 0,
    };
    let packet = answer::err(capabilities, SECURE_TRANSPORT_REQUIRED, "HY000", &message);
    wire.down.send(sequence, &packet);
    End::Refused("a password would have left TLS in clear text")
}

/// Refuses a packet of a login that is longer than any honest one.
pub(crate) fn check_size(undecided: &[u8]) -> Result<(), End> {
    match Header::peek(undecided) {
        Some(header) if header.length > LOGIN_PACKET_MAX_BYTES => {
            Err(End::Protocol("a login packet is too long"))
        }
        _ => Ok(()),
    }
}

/// Refuses such a packet of a client's as a server refuses it.
pub(crate) fn check_client_size(wire: &mut Wire) -> Result<(), End> {
    let Err(end) = check_size(wire.up.undecided()) else {
        return Ok(());
    };
    let sequence = Header::peek(wire.up.undecided()).map_or(1, |header| header.sequence);
    let capabilities = Capabilities {
        base: PROTOCOL_41,
        extended: 0,
    };
    let message = "Got a packet bigger than 'max_allowed_packet' bytes";
    let packet = answer::err(capabilities, PACKET_TOO_LARGE, "08S01", message);
    wire.down.send(sequence.wrapping_add(1), &packet);
    Err(end)
}

/// What arrives during a login; neither side may leave then.
pub(crate) async fn login_arrival(wire: &mut Wire) -> Result<(), End> {
    match wire.arrival().await {
        Arrival::Client(_) | Arrival::Upstream(_) => Ok(()),
        Arrival::ClientEnded | Arrival::ClientGone => Err(End::ClientLeft),
        Arrival::UpstreamEnded => {
            // It may have said why before it was asked anything: that it waited too long, or takes nobody from there.
            if peek_packet(wire.down.undecided()).is_some_and(|(_, payload)| payload.first() == Some(&0xff)) {
                wire.down.approve_all();
            }
            Err(End::UpstreamLost)
        }
    }
}
