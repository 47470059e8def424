//! The authentication exchange: relayed packet by packet until the server says OK or ERR.
//!
//! One exchange is not relayed as it is. A client on the proxy's unix socket takes its side for secure and answers
//! `caching_sha2_password`'s request for full authentication with the password in clear text; a server reached by TCP wants it
//! encrypted with its RSA key. The proxy then asks for the key itself, which makes the server's last packet two numbers
//! further on than the client expects. The password is in memory for that moment only and is never logged.

use mysql_common::crypto;

use super::End;
use super::wire::{Arrival, Wire};
use crate::protocol::frame::{HEADER_BYTES, Header, peek_packet};
use crate::protocol::login::{AuthSwitch, mix_with_nonce};
use crate::protocol::ok::Ok as OkPacket;

/// The largest packet of a login; the limit keeps an unknown client from filling the memory.
pub(crate) const LOGIN_PACKET_MAX_BYTES: usize = 1 << 20;
const CACHING_SHA2: &str = "caching_sha2_password";
const FULL_AUTHENTICATION: &[u8] = &[0x01, 0x04];
const ASK_FOR_KEY: &[u8] = &[0x02];

/// How far the proxy's own part in an exchange has come.
#[derive(Debug)]
enum Own {
    /// Everything is relayed.
    Relay,
    /// The client's next packet is its password.
    Password,
    /// The server's next packet is its key.
    Key { password: Vec<u8> },
    /// The server's next packet is its last, two numbers too far.
    Shifted,
}

/// The state of one exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    plugin: String,
    nonce: Vec<u8>,
    own: Own,
    /// The server has spoken and the client may answer. What it sends unasked behind a change of user is the next command.
    asked: bool,
}

impl Exchange {
    pub(crate) fn new(plugin: String, nonce: Vec<u8>) -> Self {
        Self {
            plugin,
            nonce,
            own: Own::Relay,
            asked: false,
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
                    self.heard_client(wire, header, payload);
                    self.asked = false;
                }
                check_size(wire.up.undecided())?;
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
        let bytes = HEADER_BYTES + header.length;
        if let Own::Key { password } = &self.own
            && let Some((0x01, key)) = payload.split_first().map(|(first, rest)| (*first, rest))
        {
            let secret = mix_with_nonce(password, &self.nonce);
            let block = crypto::encrypt(&secret, key)
                .map_err(|_| End::Protocol("the server's RSA key is unusable"))?;
            wire.down.discard(bytes);
            wire.up.send(header.sequence.wrapping_add(1), &block);
            self.own = Own::Shifted;
            return Ok(None);
        }
        if matches!(self.own, Own::Key { .. } | Own::Shifted)
            && let Some(sequence) = wire.down.undecided_mut().get_mut(HEADER_BYTES - 1)
        {
            let ahead = if matches!(self.own, Own::Shifted) { 2 } else { 0 };
            *sequence = sequence.wrapping_sub(ahead);
        }
        wire.down.approve(bytes);
        self.asked = true;
        match payload.first() {
            Some(0x00) => return Ok(Some(Some(OkPacket::parse(payload).unwrap_or_default().status))),
            Some(0xff) => return Ok(Some(None)),
            Some(0xfe) => {
                if let Some(switch) = AuthSwitch::parse(payload) {
                    (self.plugin, self.nonce) = (switch.plugin, switch.nonce);
                }
            }
            _ if payload == FULL_AUTHENTICATION
                && self.plugin == CACHING_SHA2
                && wire.is_secure_for_client_only() =>
            {
                self.own = Own::Password;
            }
            _ => {}
        }
        Ok(None)
    }

    fn heard_client(&mut self, wire: &mut Wire, header: Header, payload: Vec<u8>) {
        if !matches!(self.own, Own::Password) {
            wire.up.approve(HEADER_BYTES + header.length);
            return;
        }
        wire.up.discard(HEADER_BYTES + header.length);
        wire.up.send(header.sequence, ASK_FOR_KEY);
        self.own = Own::Key { password: payload };
    }
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

/// What arrives during a login; neither side may leave then.
pub(crate) async fn login_arrival(wire: &mut Wire) -> Result<(), End> {
    match wire.arrival().await {
        Arrival::Client(_) | Arrival::Upstream(_) => Ok(()),
        Arrival::ClientEnded | Arrival::ClientGone => Err(End::ClientLeft),
        Arrival::UpstreamEnded => Err(End::UpstreamLost),
    }
}
