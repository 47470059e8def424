//! One client: its login, then its commands until either side leaves.
//!
//! `handshake` relays a login to the only server there is, `placed` chooses a server by what the client says.
//! `command` decides what happens to each command, `relay` is the loop that moves bytes, `side` puts statements of the
//! proxy's own on the client's connection, `response` answers in the server's place. `series` carries out a text of several
//! statements part by part.

mod auth;
mod command;
mod dynamic;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod handshake;
mod names;
mod origin;
mod placed;
mod relay;
mod response;
mod series;
mod several;
mod side;
mod snapshot;
mod spare;
mod stall;
mod statements;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::intercept::Target;
use command::Phase;
pub(crate) use command::{Catch, Caught, Suspicion};
pub(crate) use names::Learned;
use names::Names;
use series::Series;
pub(crate) use side::{Reply, Row};
use snapshot::Snapshot;
use stall::Stall;
pub(crate) use statements::PreparedChange;
use statements::Statements;
use wire::Wire;

use crate::config::{ProxyConfig, Upstream};
use crate::gate::{Gate, Visitor};
use crate::hooks::{Done, Hooks};
use crate::intercept::{Kept, Left};
use crate::peer::Peer;
use crate::protocol::answer;
use crate::protocol::capabilities::{Capabilities, MULTI_STATEMENTS, PROTOCOL_41};
use crate::protocol::reply::ReplyTracker;
use crate::protocol::session_state::Entry;
use crate::routing::ids::Noted;
use crate::routing::{Access, ForwardAll, Group, Guest, Router};
use crate::stop::Stop;
use crate::stream::Stream;
use crate::tls::PasswordKey;

/// How long a client may take nothing of the last bytes of a session that is over: a server's `net_write_timeout`.
const FAREWELL_LIMIT: Duration = Duration::from_secs(60);
/// `ER_NET_READ_INTERRUPTED`.
const READ_INTERRUPTED: u16 = 1159;
const TOO_SLOW: &str = "Got timeout reading communication packets";
/// What every client understands before it has said what it does.
const PROTOCOL: Capabilities = Capabilities {
    base: PROTOCOL_41,
    extended: 0,
};

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
    /// Bytes waited too long for somebody to take them.
    #[error("a side took nothing for too long")]
    Stalled,
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

/// What all clients share.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) config: Arc<ProxyConfig>,
    pub(crate) router: Arc<Router>,
    pub(crate) password_key: Arc<PasswordKey>,
}

/// What a session shares with others: with all, and with those of its group.
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) gate: Gate,
    pub(crate) password_key: Arc<PasswordKey>,
}

impl Common {
    /// What a session on a server of this group shares.
    fn within(&self, group: &Group, access: Access) -> Shared {
        let (hooks, gate) = match access {
            Access::Primary => (Arc::clone(&group.hooks), group.gate.clone()),
            // No cut-over has to wait for those who cannot be where it happens.
            Access::ReadOnly => (ForwardAll::over(&group.hooks), Gate::default()),
        };
        Shared {
            router: Arc::clone(&self.router),
            hooks,
            gate,
            password_key: Arc::clone(&self.password_key),
        }
    }
}

/// A client that has been accepted.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: Stream,
    /// The name of the listener it came by.
    pub(crate) listener: Arc<str>,
    /// Where it comes from, as far as it is known before its first bytes.
    pub(crate) peer: Peer,
    /// Its number among all clients of the process, from 1.
    pub(crate) number: u64,
}

/// The server's side of a session.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) is_mariadb: bool,
    pub(crate) connection_id: u32,
    /// The challenge of the greeting, where a change of user begins anew.
    nonce: Vec<u8>,
    /// Where it is, if it was chosen after the proxy had greeted the client.
    pub(crate) upstream: Option<Upstream>,
}

/// A client that has logged in.
pub(crate) struct Session {
    wire: Wire,
    pub(crate) capabilities: Capabilities,
    pub(crate) server: Server,
    pub(crate) tracker: ReplyTracker,
    phase: Phase,
    pub(crate) statements: Statements,
    /// The statements that were prepared by name.
    pub(crate) names: Names,
    /// What the variable holds that the command at the front names, once it was asked for.
    pub(crate) learned: Option<Box<Learned>>,
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
    /// What the statement before this one left, where the server would tell of a statement of the proxy's own.
    pub(crate) left: Option<Left>,
    /// The command at the front is a schema change that the server does itself.
    pub(crate) native: Option<Box<Done>>,
    /// Such changes that were let through, until each is answered.
    natives: VecDeque<Done>,
    /// Whom the last `KILL` that was let through is to hit, until it is answered.
    kills: Option<Box<Target>>,
    /// The command at the front has been held at the gate already.
    gate_passed: bool,
    /// Several statements may stand in one text.
    multi: bool,
    /// The text whose parts are under way.
    pub(crate) series: Option<Box<Series>>,
    /// The text at the front is not to be taken apart.
    pub(crate) is_left_whole: bool,
    /// The tables under a cut-over that this session has to do with.
    visitor: Visitor,
    snapshot: Snapshot,
    pub(crate) shared: Shared,
    stop: Arc<Stop>,
    stopping: bool,
    stall: Stall,
    stall_limit: Duration,
    /// Counts the client among those of its server.
    _guest: Option<Guest>,
    /// Lets others kill it by the id that the client was told.
    _noted: Option<Noted>,
}

/// Who has logged in where.
struct Entered {
    logged_in: handshake::LoggedIn,
    shared: Shared,
    guest: Option<Guest>,
    noted: Option<Noted>,
    /// The server, if it was chosen after the proxy had greeted the client.
    upstream: Option<Upstream>,
}

/// Serves one client of the only server there is.
pub(crate) async fn serve(
    client: Client,
    upstream: Stream,
    at: &Upstream,
    common: Common,
    stop: Arc<Stop>,
) -> End {
    let wire = Wire::new(client.stream, upstream);
    run(wire, common, stop, async |wire, common| {
        let logged_in = handshake::login(wire, common, at, client.peer).await?;
        let placed = common.router.only();
        Ok(logged_in.zip(placed).map(|(logged_in, placed)| Entered {
            logged_in,
            shared: common.within(placed.group, placed.access),
            guest: Some(placed.guest),
            noted: None,
            upstream: None,
        }))
    })
    .await
}

/// Serves one client whose server is chosen by what it says when it logs in.
pub(crate) async fn serve_placed(client: Client, common: Common, stop: Arc<Stop>) -> End {
    let Client {
        stream,
        listener,
        peer,
        number,
    } = client;
    let mut origin = placed::Origin {
        listener,
        peer,
        number,
    };
    run(Wire::waiting(stream), common, stop, async |wire, common| {
        placed::login(wire, common, &mut origin).await
    })
    .await
}

async fn run(
    mut wire: Wire,
    common: Common,
    stop: Arc<Stop>,
    login: impl AsyncFnOnce(&mut Wire, &Common) -> Result<Option<Entered>, End>,
) -> End {
    // Boxed, because a login is large and soon over, and its session long.
    let login = Box::pin(timeout(common.config.login_timeout, login(&mut wire, &common)));
    // Who has not logged in has nothing to finish.
    let entered = tokio::select! {
        biased;
        entered = login => entered,
        () = stop.asked() => Ok(Err(End::Stopped)),
    };
    let entered = match entered {
        Ok(Ok(Some(entered))) => entered,
        Ok(Ok(None)) => return farewell(&mut wire, End::UpstreamLost).await,
        Ok(Err(end)) => return farewell(&mut wire, end).await,
        Err(_) => {
            // What a client sent in its time is not looked at any more; the number is that of an answer to nothing.
            let packet = answer::err(PROTOCOL, READ_INTERRUPTED, "08S01", TOO_SLOW);
            wire.down.send(1, &packet);
            return farewell(&mut wire, End::Protocol("the login took too long")).await;
        }
    };
    let mut session = Session::new(wire, entered, stop, common.config.stall_limit);
    let end = session.run().await;
    farewell(&mut session.wire, end).await
}

/// Lets the client read what was meant for it.
async fn farewell(wire: &mut Wire, end: End) -> End {
    // A client that took nothing for too long has had its time.
    if !matches!(end, End::ClientLeft | End::Stalled) {
        // A client that does not read any more is left behind; its connection closes either way.
        loop {
            match timeout(FAREWELL_LIMIT, wire.flush_some()).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => break,
                Ok(Err(_)) | Err(_) => return end,
            }
        }
        let _ = timeout(FAREWELL_LIMIT, wire.end_client_tls()).await;
    }
    end
}

impl Session {
    fn new(wire: Wire, entered: Entered, stop: Arc<Stop>, stall_limit: Duration) -> Self {
        let Entered {
            logged_in,
            shared,
            guest,
            noted,
            upstream,
        } = entered;
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
            names: Names::default(),
            learned: None,
            locks: false,
            tracked: false,
            cursors: false,
            untold: Vec::new(),
            kept: None,
            left: None,
            native: None,
            natives: VecDeque::new(),
            kills: None,
            gate_passed: false,
            multi: capabilities.has(MULTI_STATEMENTS),
            series: None,
            is_left_whole: false,
            visitor: shared.gate.visitor(),
            snapshot: Snapshot::default(),
            shared,
            stop,
            stopping: false,
            stall: Stall::default(),
            stall_limit,
            server: Server {
                is_mariadb: greeting.is_mariadb(),
                connection_id: greeting.connection_id,
                nonce: greeting.nonce,
                upstream,
            },
            _guest: guest,
            _noted: noted,
        }
    }
}
