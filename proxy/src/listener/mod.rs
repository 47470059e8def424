//! Accepts clients and gives each one a task on one of the relaying threads, until it is told to stop; then lets them finish.
//!
//! Everything is bounded: the clients, and those who are being told that there are too many.

mod sessions;

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::{Listeners, ProxyConfig};
use crate::gate::Gate;
use crate::hooks::Hooks;
use crate::peer::Peer;
use crate::protocol::answer::early_err;
use crate::protocol::frame::put_packet;
use crate::routing::{Plan, Router};
use crate::session::{self, Client, Common};
use crate::stream::Stream;
use crate::upstream;
use crate::workers::{Seat, Workers};
use sessions::{Entry, Sessions};

/// How long a client may take to read why it is turned away.
const FAREWELL_LIMIT: Duration = Duration::from_secs(5);
/// How many clients are being turned away at a time; further ones are closed without a word.
const TURNED_AWAY_MAX: usize = 64;
/// How long accepting rests after an error that is not one connection's (no more file descriptors).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Serves clients of the configured server until `shutdown`; then no more are accepted, and sessions end as soon as they
/// are at rest, at the latest after the configured grace.
pub async fn run(
    listeners: Listeners,
    config: ProxyConfig,
    hooks: Arc<dyn Hooks>,
    gate: Gate,
    shutdown: impl Future<Output = ()>,
) {
    let router = match &config.upstream {
        Some(upstream) => Router::single(upstream, hooks, gate),
        None => Router::new(Plan::default(), Vec::new()),
    };
    run_routed(vec![listeners], config, Arc::new(router), shutdown).await;
}

/// As [`run`], by any number of listeners. Where no server is configured, `router` places each client.
pub async fn run_routed(
    listeners: Vec<Listeners>,
    config: ProxyConfig,
    router: Arc<Router>,
    shutdown: impl Future<Output = ()>,
) {
    let common = Common {
        config: Arc::new(config),
        router,
        password_key: Arc::default(),
    };
    let workers = Workers::start();
    let sessions = Sessions::default();
    let mut tasks = JoinSet::new();
    let mut next_id = 0;
    let doors = doors(&listeners);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => continue,
            accepted = accept(&doors, next_id) => accepted,
        };
        match accepted {
            Ok((stream, listener, peer)) => {
                next_id += 1;
                if sessions.count() >= common.config.max_clients {
                    if tasks.len() < common.config.max_clients + TURNED_AWAY_MAX {
                        tasks.spawn(turn_away(stream, 1040, "Too many connections"));
                    }
                    continue;
                }
                let client = Client {
                    stream,
                    listener,
                    peer,
                    number: next_id,
                };
                let (runtime, seat) = workers.seat();
                let welcomed = welcome(client, common.clone(), sessions.enter(next_id), seat);
                tasks.spawn_on(welcomed, &runtime);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(doors);
    drop(listeners);
    drain(sessions, tasks, common.config.shutdown_grace).await;
}

/// Lets the sessions end when nothing is under way in them, within the limit.
async fn drain(sessions: Sessions, mut tasks: JoinSet<()>, limit: Duration) {
    if !tasks.is_empty() {
        tracing::info!(clients = sessions.count(), ?limit, "clients finish");
    }
    sessions.ask_to_stop();
    let drained = async { while tasks.join_next().await.is_some() {} };
    if timeout(limit, drained).await.is_err() {
        let clients = sessions.count();
        tracing::warn!(
            clients,
            "clients were still busy when their time was up; they are cut off"
        );
    }
    tasks.shutdown().await;
}

/// A client's connection, the name of its listener, and where it comes from.
type Accepted = (Stream, Arc<str>, Peer);

/// One place where clients come in.
enum Door<'a> {
    Tcp(&'a TcpListener, &'a Arc<str>),
    Unix(&'a UnixListener, &'a Arc<str>),
}

fn doors(listeners: &[Listeners]) -> Vec<Door<'_>> {
    let mut doors = Vec::new();
    for listener in listeners {
        let name = &listener.name;
        doors.extend(listener.tcp.as_ref().map(|tcp| Door::Tcp(tcp, name)));
        doors.extend(listener.unix.as_ref().map(|unix| Door::Unix(unix, name)));
    }
    doors
}

/// The next client. `turn` says which door is looked at first, so that a crowd at one does not block another.
async fn accept(doors: &[Door<'_>], turn: u64) -> io::Result<Accepted> {
    let first = usize::try_from(turn)
        .unwrap_or(0)
        .checked_rem(doors.len())
        .unwrap_or(0);
    poll_fn(|cx| {
        let in_turn = doors.iter().cycle().skip(first).take(doors.len());
        let mut accepted = in_turn.map(|door| door.poll_accept(cx));
        accepted.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

impl Door<'_> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener, name) => listener.poll_accept(cx).map(|accepted| {
                let (stream, peer) = accepted?;
                let peer = Peer::tcp(peer, stream.local_addr()?);
                Ok((Stream::tcp(stream)?, Arc::clone(name), peer))
            }),
            Self::Unix(listener, name) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| (Stream::Unix(stream), Arc::clone(name), Peer::unix())),
        }
    }
}

/// One client's task.
async fn welcome(mut client: Client, common: Common, entry: Entry, _seat: Seat) {
    match client.stream.moved_here() {
        Ok(stream) => client.stream = stream,
        Err(_) => return,
    }
    let id = client.number;
    let stop = Arc::clone(&entry.stop);
    let end = match &common.config.upstream {
        Some(at) => {
            let opened = upstream::connect(at, common.config.connect_timeout).await;
            let upstream = match opened {
                Ok(upstream) => upstream,
                Err(message) => {
                    tracing::warn!("{message}");
                    return turn_away(client.stream, upstream::UNREACHABLE, &message).await;
                }
            };
            let at = at.clone();
            session::serve(client, upstream, &at, common, stop).await
        }
        None => session::serve_placed(client, common, stop).await,
    };
    tracing::debug!(session = id, "session over: {end}");
}

/// Says why in an ERR packet in the greeting's place.
async fn turn_away(mut client: Stream, code: u16, message: &str) {
    let mut packet = bytes::BytesMut::new();
    put_packet(&mut packet, 0, &early_err(code, message));
    // A client that is gone already does not hear it.
    let _ = timeout(FAREWELL_LIMIT, async {
        client.write_all(&packet).await?;
        client.shutdown().await
    })
    .await;
}
