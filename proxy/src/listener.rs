//! Accepts clients and gives each one a task on one of the relaying threads, until it is told to stop.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::{Listeners, ProxyConfig};
use crate::gate::Gate;
use crate::hooks::Hooks;
use crate::protocol::answer::early_err;
use crate::protocol::frame::put_packet;
use crate::session::{self, Shared};
use crate::stop::Stop;
use crate::stream::Stream;
use crate::upstream;
use crate::workers::{Seat, Workers};

/// How long a client may take to read why it is turned away.
const FAREWELL_LIMIT: Duration = Duration::from_secs(5);
/// How long accepting rests after an error that is not one connection's (no more file descriptors).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// The stop signals of the running sessions.
type Sessions = Arc<Mutex<HashMap<u64, Arc<Stop>>>>;

/// Serves clients until `shutdown`; then no more are accepted, and sessions end as soon as they are at rest, at the
/// latest after the configured grace.
pub async fn run(
    listeners: Listeners,
    config: ProxyConfig,
    hooks: Arc<dyn Hooks>,
    gate: Gate,
    shutdown: impl Future<Output = ()>,
) {
    let shared = Shared {
        config: Arc::new(config),
        hooks,
        gate,
        password_key: Arc::default(),
    };
    let workers = Workers::start();
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
            Ok(client) => {
                next_id += 1;
                let is_full = tasks.len() >= shared.config.max_clients;
                let (runtime, seat) = workers.seat();
                let welcomed = welcome(next_id, client, is_full, shared.clone(), sessions.clone(), seat);
                tasks.spawn_on(welcomed, &runtime);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listeners);
    lock(&sessions).values().for_each(|stop| stop.ask());
    let drained = async { while tasks.join_next().await.is_some() {} };
    if timeout(shared.config.shutdown_grace, drained).await.is_err() {
        tracing::warn!("sessions were still busy at the end of the shutdown's grace");
    }
    tasks.shutdown().await;
}

async fn accept(listeners: &Listeners) -> io::Result<Stream> {
    tokio::select! {
        accepted = accept_tcp(listeners.tcp.as_ref()) => accepted,
        accepted = accept_unix(listeners.unix.as_ref()) => accepted,
    }
}

async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<Stream> {
    match listener {
        Some(listener) => Stream::tcp(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

async fn accept_unix(listener: Option<&UnixListener>) -> io::Result<Stream> {
    match listener {
        Some(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        None => std::future::pending().await,
    }
}

/// One client's task.
async fn welcome(id: u64, client: Stream, is_full: bool, shared: Shared, sessions: Sessions, _seat: Seat) {
    let Ok(client) = client.moved_here() else {
        return;
    };
    if is_full {
        return turn_away(client, 1040, "Too many connections").await;
    }
    let opened = upstream::connect(&shared.config.upstream, shared.config.connect_timeout).await;
    let upstream = match opened {
        Ok(upstream) => upstream,
        Err(message) => {
            tracing::warn!("{message}");
            return turn_away(client, upstream::UNREACHABLE, &message).await;
        }
    };
    let stop = Arc::new(Stop::default());
    let registered = Registered { id, sessions };
    lock(&registered.sessions).insert(id, stop.clone());
    let end = session::serve(client, upstream, shared, stop).await;
    tracing::debug!(session = id, "session over: {end}");
}

/// Takes a session's stop signal out again, however its task ends.
struct Registered {
    id: u64,
    sessions: Sessions,
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.sessions).remove(&self.id);
    }
}

/// A map of signals has no state in between: it is good after any panic.
fn lock(sessions: &Sessions) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Stop>>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
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
