//! From the server's greeting to the end of the login.
//!
//! Greeting and response are forwarded as they are but for capability bits, which are patched in place: what the proxy does
//! not relay is cleared, and TLS is said to be there where the proxy has it. The server's challenge reaches the client, so
//! the proxy needs no password.
//!
//! Whoever begins TLS sends a packet more, so the sequence numbers of the two sides may differ by one from then on.

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::auth::{Exchange, SECURE_TRANSPORT_REQUIRED, check_client_size, check_size, login_arrival};
use super::wire::Wire;
use super::{Common, End, origin};
use crate::config::{ProxyConfig, Upstream};
use crate::peer::Peer;
use crate::protocol::answer;
use crate::protocol::capabilities::{Capabilities, PROTOCOL_41};
use crate::protocol::frame::{HEADER_BYTES, Header, peek_packet};
use crate::protocol::greeting::Greeting;
use crate::protocol::login::Login;
use crate::tls::ClientTls;
use crate::upstream::{self, UNREACHABLE};

/// What a session knows after its login.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) greeting: Greeting,
    /// What client and server agreed upon.
    pub(crate) capabilities: Capabilities,
    pub(crate) status: u16,
}

/// Relays the login; `None` when the server refused it, in its own words.
pub(crate) async fn login(
    wire: &mut Wire,
    common: &Common,
    upstream: &Upstream,
    mut peer: Peer,
) -> Result<Option<LoggedIn>, End> {
    let config = &common.config;
    let is_open = origin::is_open(config, &peer);
    if !is_open {
        origin::say(wire, config, &peer);
    }
    let Some((greeting, connector)) = greet(wire, config, upstream).await? else {
        return Ok(None);
    };
    origin::hear(wire, config, &mut peer).await?;
    if is_open {
        origin::say(wire, config, &peer);
    }
    let (header, login) = respond(wire, &config.client_tls, greeting.is_mariadb()).await?;
    let capabilities = greeting.relayed().both(login.asked);
    if let Some(connector) = connector {
        let response = peek_packet(wire.up.undecided()).map(|(_, payload)| payload);
        let request = response
            .filter(|_| login.asked.has(PROTOCOL_41))
            .and_then(Login::tls_request);
        let request = request.ok_or(End::Protocol("the client's dialect is too old for TLS"))?;
        secure_upstream(wire, &connector, upstream, &request, (header, login.asked)).await?;
    }
    let (client_tls, upstream_tls) = (wire.client().is_tls(), wire.upstream().is_tls());
    if let Some(payload) = wire.up.undecided_mut().get_mut(HEADER_BYTES..) {
        Login::patch(payload, upstream_tls);
    }
    let ahead = u8::from(client_tls).wrapping_sub(u8::from(upstream_tls));
    let mut exchange = Exchange::new(greeting.nonce.clone(), &common.password_key, ahead);
    exchange.begin(wire, login.first).await?;
    let status = exchange.run(wire).await?;
    Ok(status.map(|status| LoggedIn {
        greeting,
        capabilities,
        status,
    }))
}

/// Forwards the greeting, and says with what the server's connection is to be encrypted; `None` when it was an ERR packet.
async fn greet(
    wire: &mut Wire,
    config: &ProxyConfig,
    upstream: &Upstream,
) -> Result<Option<(Greeting, Option<TlsConnector>)>, End> {
    loop {
        if let Some((header, payload)) = peek_packet(wire.down.undecided()) {
            let bytes = HEADER_BYTES + header.length;
            if payload.first() == Some(&0xff) {
                wire.down.approve(bytes);
                return Ok(None);
            }
            let greeting =
                Greeting::parse(payload).ok_or(End::Protocol("the server's greeting is not understood"))?;
            let connector = match config.upstream_tls.connector(greeting.offers_tls()) {
                Ok(connector) => connector,
                Err(reason) => {
                    wire.down.discard(bytes);
                    let message = unsafe_server(upstream, &reason);
                    wire.down.send(0, &answer::early_err(UNREACHABLE, &message));
                    return Err(End::Refused(reason));
                }
            };
            if let Some(payload) = wire.down.undecided_mut().get_mut(HEADER_BYTES..bytes) {
                greeting.patch(payload, config.client_tls.identity().is_some());
            }
            wire.down.approve(bytes);
            return Ok(Some((greeting, connector)));
        }
        check_size(wire.down.undecided())?;
        login_arrival(wire).await?;
    }
}

/// What is said about a server that cannot be reached safely, to the log and to the client.
pub(super) fn unsafe_server(upstream: &Upstream, reason: &dyn std::fmt::Display) -> String {
    let message = upstream::failure(upstream, reason);
    tracing::warn!("{message}");
    message
}

/// Waits for the client's response, inside TLS if the client asks for it. The response stays where it is.
pub(super) async fn respond(
    wire: &mut Wire,
    tls: &ClientTls,
    is_mariadb: bool,
) -> Result<(Header, Login), End> {
    loop {
        if let Some((header, payload)) = peek_packet(wire.up.undecided()) {
            let login =
                Login::parse(payload).ok_or(End::Protocol("the client's response is not understood"))?;
            let by_tls = wire.client().is_tls();
            if by_tls || !login.wants_tls {
                if tls.is_required() && !by_tls && !wire.client().is_unix() {
                    let state = if is_mariadb { "08004" } else { "HY000" };
                    return Err(refuse_plain(wire, header, login.asked, state));
                }
                return Ok((header, login));
            }
            begin_tls(wire, tls, header).await?;
            continue;
        }
        check_client_size(wire)?;
        login_arrival(wire).await?;
    }
}

async fn begin_tls(wire: &mut Wire, tls: &ClientTls, header: Header) -> Result<(), End> {
    let Some(identity) = tls.identity() else {
        let message = "Bad handshake: TLS is not offered on this address";
        wire.down
            .send(header.sequence.wrapping_add(1), &answer::early_err(1043, message));
        return Err(End::Protocol("the client asked for TLS, which was not offered"));
    };
    wire.up.discard(HEADER_BYTES + header.length);
    wire.secure_client(&identity.acceptor()).await.map_err(|error| {
        tracing::debug!("TLS with a client failed: {error}");
        End::ClientTls
    })
}

/// Refuses a client as a server with `require_secure_transport` does it.
fn refuse_plain(wire: &mut Wire, header: Header, asked: Capabilities, state: &str) -> End {
    let message = "Connections using insecure transport are prohibited while --require_secure_transport=ON.";
    let packet = answer::err(asked, SECURE_TRANSPORT_REQUIRED, state, message);
    wire.down.send(header.sequence.wrapping_add(1), &packet);
    End::Refused("the client did not use TLS")
}

/// Begins TLS with the server by this request, in the name of the client whose response came with `header`.
pub(super) async fn secure_upstream(
    wire: &mut Wire,
    connector: &TlsConnector,
    upstream: &Upstream,
    request: &[u8],
    (header, asked): (Header, Capabilities),
) -> Result<(), End> {
    wire.up.send(1, request);
    let secured = match ServerName::try_from(upstream.host.clone()) {
        Ok(name) => wire.secure_upstream(name, connector).await,
        Err(_) => Err(std::io::Error::other("no certificate can have this name")),
    };
    secured.map_err(|error| {
        let message = unsafe_server(upstream, &format_args!("TLS: {error}"));
        let packet = answer::err(asked, UNREACHABLE, "HY000", &message);
        wire.down.send(header.sequence.wrapping_add(1), &packet);
        End::Refused("no TLS with the server")
    })
}
