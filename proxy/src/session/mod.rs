//! One client: its login, then its commands until either side leaves.
//!
//! `command` decides what happens to each command, `relay` is the loop that moves bytes, `side` puts statements of the
//! proxy's own on the client's connection, `response` answers in the server's place.

mod auth;
mod command;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod handshake;
mod relay;
mod response;
mod side;
mod snapshot;
mod statements;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use command::Phase;
pub(crate) use command::{Catch, Caught};
pub(crate) use side::{Reply, Row};
use snapshot::Snapshot;
pub(crate) use statements::PreparedChange;
use statements::Statements;
use wire::Wire;

use crate::config::ProxyConfig;
use crate::gate::{Gate, Visitor};
use crate::hooks::Hooks;
use crate::intercept::Kept;
use crate::protocol::capabilities::{Capabilities, PROTOCOL_41};
use crate::protocol::reply::ReplyTracker;
use crate::protocol::session_state::Entry;
use crate::stop::Stop;
use crate::stream::Stream;
use crate::tls::PasswordKey;

/// How long a client may take to read the last bytes of a session that is over.
const FAREWELL_LIMIT: Duration = Duration::from_secs(5);

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum End {
    /// The client closed its connection.
    #[error("the client left")]
    ClientLeft,
    /// The server closed its connection.
    #[error("the server closed the connection")]
    UpstreamLost,
    /// The proxy is shutting down.
    #[error("the proxy is shutting down")]
    Stopped,
    /// The client could not begin TLS.
    #[error("TLS with the client failed")]
    ClientTls,
    /// A password would have had to travel in clear text, or the server cannot be reached as safely as it has to be.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// Bytes that no honest client or server sends, at a point where they cannot be forwarded blindly.
    #[error("{0}")]
    Protocol(&'static str),
}

/// What all sessions share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) config: Arc<ProxyConfig>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) gate: Gate,
    pub(crate) password_key: Arc<PasswordKey>,
}

/// The server's side of a session.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) is_mariadb: bool,
    pub(crate) connection_id: u32,
    /// The challenge of the greeting, where a change of user begins anew.
    nonce: Vec<u8>,
}

/// A client that has logged in.
pub(crate) struct Session {
    wire: Wire,
    pub(crate) capabilities: Capabilities,
    pub(crate) server: Server,
    pub(crate) tracker: ReplyTracker,
    phase: Phase,
    pub(crate) statements: Statements,
    /// Locks are held that outlive their statement.
    pub(crate) locks: bool,
    /// The client asked to be told of what the proxy's own statements do.
    pub(crate) tracked: bool,
    /// MySQL was asked for a cursor, which changes how later executions are answered.
    cursors: bool,
    /// What the server told of the session in replies the client did not see.
    pub(crate) untold: Vec<Entry>,
    /// The diagnostics the statement before this one left, if the server does not have them.
    pub(crate) kept: Option<Kept>,
    /// The command at the front has been held at the gate already.
    gate_passed: bool,
    /// The tables under a cut-over that this session has to do with.
    visitor: Visitor,
    snapshot: Snapshot,
    pub(crate) shared: Shared,
    stop: Arc<Stop>,
    stopping: bool,
}

/// Serves one client on its two connections.
pub(crate) async fn serve(client: Stream, upstream: Stream, shared: Shared, stop: Arc<Stop>) -> End {
    let mut wire = Wire::new(client, upstream);
    let login = timeout(shared.config.login_timeout, handshake::login(&mut wire, &shared)).await;
    let logged_in = match login {
        Ok(Ok(Some(logged_in))) => logged_in,
        Ok(Ok(None)) => return farewell(&mut wire, End::UpstreamLost).await,
        Ok(Err(end)) => return farewell(&mut wire, end).await,
        Err(_) => return End::Protocol("the login took too long"),
    };
    let mut session = Session::new(wire, logged_in, shared, stop);
    let end = session.run().await;
    farewell(&mut session.wire, end).await
}

/// Lets the client read what was meant for it.
async fn farewell(wire: &mut Wire, end: End) -> End {
    if end != End::ClientLeft {
        // A client that does not read any more is left behind; its connection closes either way.
        let _ = timeout(FAREWELL_LIMIT, async {
            wire.flush_client().await?;
            wire.end_client_tls().await;
            Ok::<(), End>(())
        })
        .await;
    }
    end
}

impl Session {
    fn new(wire: Wire, logged_in: handshake::LoggedIn, shared: Shared, stop: Arc<Stop>) -> Self {
        let handshake::LoggedIn {
            greeting,
            capabilities,
            status,
        } = logged_in;
        // The oldest dialect has other packets; nobody speaks it, and a blind relay serves it well.
        let phase = if capabilities.has(PROTOCOL_41) {
            Phase::Command
        } else {
            Phase::Blind
        };
        Self {
            wire,
            capabilities,
            tracker: ReplyTracker::new(capabilities, status),
            phase,
            statements: Statements::default(),
            locks: false,
            tracked: false,
            cursors: false,
            untold: Vec::new(),
            kept: None,
            gate_passed: false,
            visitor: shared.gate.visitor(),
            snapshot: Snapshot::default(),
            shared,
            stop,
            stopping: false,
            server: Server {
                is_mariadb: greeting.is_mariadb(),
                connection_id: greeting.connection_id,
                nonce: greeting.nonce,
            },
        }
    }
}
