//! Accepts clients and gives each one a task, until it is told to stop; then lets them finish.
//!
//! Everything is bounded: the clients, and those who are being told that there are too many.

mod sessions;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::{Listeners, ProxyConfig};
use crate::gate::Gate;
use crate::hooks::Hooks;
use crate::peer::Peer;
use crate::protocol::answer::early_err;
use crate::protocol::frame::put_packet;
use crate::routing::Router;
use crate::session::{self, Client, Common};
use crate::stream::Stream;
use crate::upstream;
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
        None => Router::new(Vec::new(), Vec::new(), HashMap::new()),
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
    let sessions = Sessions::default();
    let mut tasks = JoinSet::new();
    let mut next_id = 0;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => continue,
            accepted = accept(&listeners) => accepted,
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
                tasks.spawn(welcome(client, common.clone(), sessions.enter(next_id)));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_REST).await;
            }
        }
    }
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

async fn accept(listeners: &[Listeners]) -> io::Result<Accepted> {
    poll_fn(|cx| {
        let mut accepted = listeners.iter().map(|listener| poll_accept(listener, cx));
        accepted.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

fn poll_accept(listeners: &Listeners, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
    if let Some(tcp) = &listeners.tcp
        && let Poll::Ready(accepted) = tcp.poll_accept(cx)
    {
        return Poll::Ready(accepted.and_then(|(stream, peer)| {
            let peer = Peer::tcp(peer, stream.local_addr()?);
            Ok((Stream::tcp(stream)?, Arc::clone(&listeners.name), peer))
        }));
    }
    if let Some(unix) = &listeners.unix
        && let Poll::Ready(accepted) = unix.poll_accept(cx)
    {
        return Poll::Ready(
            accepted.map(|(stream, _)| (Stream::Unix(stream), Arc::clone(&listeners.name), Peer::unix())),
        );
    }
    Poll::Pending
}

/// One client's task.
async fn welcome(client: Client, common: Common, entry: Entry) {
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
