//! Where the client comes from, said and heard by the PROXY protocol.
//!
//! *Heard* as MariaDB hears it: behind the server's greeting, before the client's first packet; from the configured networks
//! only, where it is not required; and refused in MariaDB's words. A greeting that waited for a header would keep a client
//! that sends none waiting for ever.
//!
//! *Said* to the server before the client's first packet: at once, unless the client may still have somebody else's address.

use super::End;
use super::auth::login_arrival;
use super::wire::Wire;
use crate::config::ProxyConfig;
use crate::peer::Peer;
use crate::protocol::answer;
use crate::protocol::capabilities::{Capabilities, PROTOCOL_41};
use crate::protocol::proxy_header::Beginning;

/// `ER_HOST_NOT_PRIVILEGED`.
const HOST_NOT_PRIVILEGED: u16 = 1130;
/// `ER_HANDSHAKE_ERROR`.
const HANDSHAKE_ERROR: u16 = 1043;
/// So many bytes tell a header from a packet.
const TELLING_BYTES: usize = 4;

/// Reads the header the client's bytes begin with, if they do, and takes over what it says.
pub(super) async fn hear(wire: &mut Wire, config: &ProxyConfig, peer: &mut Peer) -> Result<(), End> {
    loop {
        let bytes = wire.up.undecided();
        let beginning = Beginning::read(bytes);
        if beginning == Beginning::Other {
            return Ok(());
        }
        if bytes.len() >= TELLING_BYTES && !config.proxy_networks.contain(peer.ip()) {
            let ip = peer
                .ip()
                .map_or_else(|| "localhost".to_owned(), |ip| ip.to_string());
            let message = format!("Proxy header is not accepted from {ip}");
            return Err(refuse(wire, HOST_NOT_PRIVILEGED, "HY000", &message));
        }
        match beginning {
            Beginning::Header(said, length) => {
                peer.believe(said);
                wire.up.discard(length);
                return Ok(());
            }
            Beginning::Malformed => {
                return Err(refuse(wire, HANDSHAKE_ERROR, "08S01", "Bad handshake"));
            }
            Beginning::Other | Beginning::Unfinished => login_arrival(wire).await?,
        }
    }
}

/// Says to the server where the client comes from, if it is to be told.
pub(super) fn say(wire: &mut Wire, config: &ProxyConfig, peer: &Peer) {
    if config.upstream_proxy_protocol {
        let header = peer.said().header();
        wire.up.send_with(|out| out.extend_from_slice(&header));
    }
}

/// Whether the client may still turn out to come from somewhere else.
pub(super) fn is_open(config: &ProxyConfig, peer: &Peer) -> bool {
    config.proxy_networks.contain(peer.ip())
}

fn refuse(wire: &mut Wire, code: u16, state: &str, message: &str) -> End {
    let capabilities = Capabilities {
        base: PROTOCOL_41,
        extended: 0,
    };
    tracing::warn!("a client's PROXY header is refused: {message}");
    wire.down
        .send(1, &answer::err(capabilities, code, state, message));
    End::Refused("its PROXY header is not taken")
}
