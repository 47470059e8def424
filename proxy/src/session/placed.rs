//! The login of a client whose server is chosen by what it says when it logs in.
//!
//! The client is greeted by the proxy, with a challenge of the proxy's own. Its answer to that is never used and never sent
//! on; the server is opened when the response is known, gets the response without an answer, and asks the client anew with
//! a challenge of its own (`protocol::response`). So the proxy needs no password here either, and a client hears of its
//! account from the server.
//!
//! *Invariants:* the server is asked by nothing but its `AuthSwitchRequest`: what else it might say to an answer it has not
//! got is not relayed (`Exchange::begin_unanswered`). The client was offered nothing its server does not have.

use std::sync::Arc;

use rand::Rng;

use super::auth::{Exchange, check_size, login_arrival};
use super::handshake::{LoggedIn, respond, secure_upstream, unsafe_server};
use super::wire::Wire;
use super::{Common, End, Entered, origin};
use crate::peer::Peer;
use crate::protocol::answer;
use crate::protocol::capabilities::{Capabilities, SSL};
use crate::protocol::frame::{HEADER_BYTES, Header, peek_packet};
use crate::protocol::greeting::{Greeting, NONCE_BYTES, OwnGreeting};
use crate::protocol::ok::Error;
use crate::protocol::response::Response;
use crate::routing::ids::{self, Seat};
use crate::routing::{Facts, Offer, Placed, Plan};
use crate::upstream::{self, UNREACHABLE};

/// `ER_NOT_SUPPORTED_AUTH_MODE`.
const NOT_SUPPORTED_AUTH_MODE: u16 = 1251;
/// The bytes of a request for TLS, which is a response up to the user's name.
const TLS_REQUEST_BYTES: usize = 32;

/// Where a client comes from.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) listener: Arc<str>,
    pub(super) peer: Peer,
    /// Its number among all clients of the process.
    pub(super) number: u64,
}

/// The client's response, as far as answering it goes.
#[derive(Clone, Copy, Debug)]
struct Asker {
    header: Header,
    asked: Capabilities,
}

/// Greets the client, places it and relays its login; `None` when the server refused it, in its own words.
pub(super) async fn login(
    wire: &mut Wire,
    common: &Common,
    origin: &mut Origin,
) -> Result<Option<Entered>, End> {
    let config = &common.config;
    let plan = common.router.plan();
    let offer = plan.offer(&origin.listener);
    let offer = offer.ok_or(End::Protocol("nothing is known of this listener"))?;
    greet(wire, offer, origin.number, config.client_tls.identity().is_some());
    origin::hear(wire, config, &mut origin.peer).await?;
    let (header, login) = respond(wire, &config.client_tls, offer.is_mariadb).await?;
    let asker = Asker {
        header,
        asked: login.asked,
    };
    let response =
        peek_packet(wire.up.undecided()).and_then(|(_, payload)| Response::parse(payload, asker.asked));
    let Some(response) = response else {
        let message = "Client does not support authentication protocol requested by server; consider upgrading MySQL client";
        return Err(refuse(wire, asker, NOT_SUPPORTED_AUTH_MODE, "08004", message));
    };
    let placed = reach(wire, common, &plan, &facts(origin, &response), asker).await?;
    origin::say(wire, config, &origin.peer);
    let Some(greeting) = hear(wire, asker).await? else {
        return Ok(None);
    };
    let agreed = agree(wire, offer, &greeting, &placed, asker)?;
    let status = enter(wire, common, &placed, &greeting, (&response, offer, asker)).await?;
    let seat = Seat {
        upstream: placed.upstream.clone(),
        id: greeting.connection_id,
    };
    Ok(status.map(|status| Entered {
        logged_in: LoggedIn {
            greeting,
            capabilities: agreed,
            status,
        },
        shared: common.within(placed.group, placed.access),
        guest: Some(placed.guest),
        noted: Some(common.router.ids().note(ids::told(origin.number), seat)),
        upstream: Some(placed.upstream),
    }))
}

fn greet(wire: &mut Wire, offer: &Offer, number: u64, offers_tls: bool) {
    let tls = if offers_tls { SSL } else { 0 };
    let greeting = OwnGreeting {
        version: &offer.version,
        connection_id: ids::told(number),
        nonce: &nonce(),
        charset: offer.charset,
        offered: Capabilities {
            base: offer.capabilities.base | tls,
            ..offer.capabilities
        },
        // Neither sends a password before it was asked for one.
        plugin: match offer.is_mariadb {
            true => "mysql_native_password",
            false => "caching_sha2_password",
        },
    };
    wire.down.send(0, &greeting.payload());
}

/// A challenge: no NUL, which would end it, and no `$`, which separates in what servers keep.
fn nonce() -> [u8; NONCE_BYTES] {
    let mut bytes = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes.map(|byte| match byte & 0x7f {
        0 | b'$' => b'x',
        byte => byte,
    })
}

fn facts(origin: &Origin, response: &Response) -> Facts {
    Facts {
        listener: origin.listener.to_string(),
        peer: origin.peer.ip(),
        user: response.user.clone(),
        schema: response.schema.clone(),
        attributes: response.attributes.clone(),
    }
}

/// Chooses a server and connects to it. Where another would do, one that does not answer is passed over.
async fn reach<'a>(
    wire: &mut Wire,
    common: &'a Common,
    plan: &Plan,
    facts: &Facts,
    asker: Asker,
) -> Result<Placed<'a>, End> {
    let mut tried = Vec::new();
    let mut failure = None;
    loop {
        let placed = match common.router.place(plan, facts, &tried) {
            Ok(placed) => placed,
            Err(reason) => {
                let message = match failure {
                    Some(failure) => format!("{reason}: {failure}"),
                    None => reason.to_string(),
                };
                tracing::warn!("a client is not placed: {message}");
                return Err(refuse(wire, asker, UNREACHABLE, "HY000", &message));
            }
        };
        match upstream::connect(&placed.upstream, common.config.connect_timeout).await {
            Ok(stream) => {
                wire.open_upstream(stream);
                return Ok(placed);
            }
            Err(message) => {
                tracing::warn!(group = placed.group.name, "{message}");
                tried.push(placed.member);
                failure = Some(message);
            }
        }
    }
}

/// The server's greeting; `None` when it was an ERR packet, which the client gets.
async fn hear(wire: &mut Wire, asker: Asker) -> Result<Option<Greeting>, End> {
    loop {
        if let Some((header, payload)) = peek_packet(wire.down.undecided()) {
            let refusal = Error::parse(payload).filter(|_| payload.first() == Some(&0xff));
            let greeting = Greeting::parse(payload);
            wire.down.discard(HEADER_BYTES + header.length);
            if let Some(error) = refusal {
                refuse(wire, asker, error.code, &error.state, &error.message);
                return Ok(None);
            }
            return greeting
                .map(Some)
                .ok_or(End::Protocol("the server's greeting is not understood"));
        }
        check_size(wire.down.undecided())?;
        login_arrival(wire).await?;
    }
}

/// What client and server agree upon, if the server is as it was when the client's greeting was made.
fn agree(
    wire: &mut Wire,
    offer: &Offer,
    greeting: &Greeting,
    placed: &Placed<'_>,
    asker: Asker,
) -> Result<Capabilities, End> {
    let agreed = offer.capabilities.both(asker.asked);
    if greeting.is_mariadb() == offer.is_mariadb && greeting.relayed().both(agreed) == agreed {
        return Ok(agreed);
    }
    let message = format!(
        "the server at {} ({}) has changed since alterego was started and can less than clients are told; alterego has to be restarted",
        placed.upstream, greeting.version
    );
    tracing::warn!("{message}");
    Err(refuse(wire, asker, UNREACHABLE, "HY000", &message))
}

/// Relays the login with a server that has greeted; `Some` are the status flags of its OK.
async fn enter(
    wire: &mut Wire,
    common: &Common,
    placed: &Placed<'_>,
    greeting: &Greeting,
    (response, offer, asker): (&Response, &Offer, Asker),
) -> Result<Option<u16>, End> {
    let at = &placed.upstream;
    let connector = match placed.group.tls.connector(greeting.offers_tls()) {
        Ok(connector) => connector,
        Err(reason) => {
            let message = unsafe_server(at, &reason);
            return Err(refuse(wire, asker, UNREACHABLE, "HY000", &message));
        }
    };
    let packet = response.unanswered(offer.capabilities, greeting.relayed(), connector.is_some());
    if let Some(connector) = connector {
        let request = packet.get(..TLS_REQUEST_BYTES).unwrap_or_default();
        secure_upstream(wire, &connector, at, request, (asker.header, asker.asked)).await?;
    }
    let (client_tls, upstream_tls) = (wire.client().is_tls(), wire.upstream().is_tls());
    let ahead = u8::from(client_tls).wrapping_sub(u8::from(upstream_tls));
    let mut exchange = Exchange::new(greeting.nonce.clone(), &common.password_key, ahead);
    exchange.begin_unanswered(wire, asker.header, &packet);
    exchange.run(wire).await
}

fn refuse(wire: &mut Wire, asker: Asker, code: u16, state: &str, message: &str) -> End {
    let packet = answer::err(asker.asked, code, state, message);
    wire.down.send(asker.header.sequence.wrapping_add(1), &packet);
    End::Refused("no server for this client")
}
