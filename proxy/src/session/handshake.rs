//! From the server's greeting to the end of the login.
//!
//! Greeting and response are forwarded as they are but for the capability bits of what the proxy does not relay, which are
//! cleared in place. The server's challenge reaches the client, so the proxy needs no password.

use super::End;
use super::auth::{Exchange, check_size, login_arrival};
use super::wire::Wire;
use crate::protocol::answer;
use crate::protocol::capabilities::Capabilities;
use crate::protocol::frame::{HEADER_BYTES, Header, peek_packet};
use crate::protocol::greeting::Greeting;
use crate::protocol::login::Login;

/// What a session knows after its login.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) greeting: Greeting,
    /// What client and server agreed upon.
    pub(crate) capabilities: Capabilities,
    pub(crate) status: u16,
}

/// Relays the login; `None` when the server refused it, in its own words.
pub(crate) async fn login(wire: &mut Wire) -> Result<Option<LoggedIn>, End> {
    let Some(greeting) = greet(wire).await? else {
        return Ok(None);
    };
    let login = respond(wire).await?;
    let capabilities = greeting.relayed().both(login.asked);
    let plugin = login.plugin.unwrap_or_else(|| greeting.plugin.clone());
    let exchange = Exchange::new(plugin, greeting.nonce.clone());
    let status = exchange.run(wire).await?;
    Ok(status.map(|status| LoggedIn {
        greeting,
        capabilities,
        status,
    }))
}

/// Forwards the greeting; `None` when it was an ERR packet.
async fn greet(wire: &mut Wire) -> Result<Option<Greeting>, End> {
    loop {
        if let Some((header, payload)) = peek_packet(wire.down.undecided()) {
            let bytes = HEADER_BYTES + header.length;
            if payload.first() == Some(&0xff) {
                wire.down.approve(bytes);
                return Ok(None);
            }
            let greeting =
                Greeting::parse(payload).ok_or(End::Protocol("the server's greeting is not understood"))?;
            if let Some(payload) = wire.down.undecided_mut().get_mut(HEADER_BYTES..bytes) {
                greeting.patch(payload);
            }
            wire.down.approve(bytes);
            return Ok(Some(greeting));
        }
        check_size(wire.down.undecided())?;
        login_arrival(wire).await?;
    }
}

/// Forwards the client's response.
async fn respond(wire: &mut Wire) -> Result<Login, End> {
    loop {
        if let Some((header, payload)) = peek_packet(wire.up.undecided()) {
            let bytes = HEADER_BYTES + header.length;
            let login =
                Login::parse(payload).ok_or(End::Protocol("the client's response is not understood"))?;
            if login.wants_tls {
                refuse_tls(wire, header);
                return Err(End::Protocol("the client asked for TLS, which was not offered"));
            }
            if let Some(payload) = wire.up.undecided_mut().get_mut(HEADER_BYTES..bytes) {
                Login::patch(payload);
            }
            wire.up.approve(bytes);
            return Ok(login);
        }
        check_size(wire.up.undecided())?;
        login_arrival(wire).await?;
    }
}

fn refuse_tls(wire: &mut Wire, header: Header) {
    let message = "Bad handshake: TLS is not offered on this address";
    wire.down
        .send(header.sequence.wrapping_add(1), &answer::early_err(1043, message));
}
