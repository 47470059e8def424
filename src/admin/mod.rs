//! The admin endpoint: `SHOW MIGRATIONS` over the MySQL protocol, for any MySQL client, with an account of its own.
//!
//! It needs nothing of the server: it answers from a [`StatusSource`] while the server is down.
//!
//! opensrv-mysql answers the commands. It never meets a byte that was not looked at first: [`login`] does the whole
//! handshake, so that both password methods of today's clients work, and [`wire`] then hands over one whole, bounded,
//! allowed packet at a time.
//!
//! # Invariants
//! - At most [`MAX_CONNECTIONS`] connections exist, and one that has not logged in lives at most [`LOGIN_TIME`].
//! - Each connection is a task of its own: whatever happens in one, even a panic, ends that one alone.

mod fields;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod greeting;
mod login;
mod packet;
mod password;
#[cfg(any(test, fuzzing))]
mod pieces;
mod select;
mod shim;
mod statement;
mod variables;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, error, warn};

use crate::cli::AdminSettings;
use crate::listener::Listener;
use crate::status::StatusSource;

const MAX_CONNECTIONS: usize = 8;
const LOGIN_TIME: Duration = Duration::from_secs(10);
/// How long a failing `accept` is left alone (the process may be out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The endpoint, ready to serve.
pub(crate) struct Admin {
    settings: AdminSettings,
    source: Arc<dyn StatusSource>,
    slots: Arc<Semaphore>,
    next_connection_id: AtomicU32,
}

impl Admin {
    /// An endpoint with this account that shows what `source` knows.
    pub(crate) fn new(settings: AdminSettings, source: Arc<dyn StatusSource>) -> Self {
        Self {
            settings,
            source,
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            next_connection_id: AtomicU32::new(1),
        }
    }

    /// Serves until `shutdown` completes; connections are dropped then, as they hold no work.
    pub(crate) async fn run(self, listener: Listener, shutdown: impl Future<Output = ()>) {
        let admin = Arc::new(self);
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                accepted = listener.accept() => match accepted {
                    Ok(stream) => { connections.spawn(Arc::clone(&admin).connection(stream)); }
                    Err(error) => {
                        warn!(%error, "the admin endpoint cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.join_next() => if let Err(error) = ended {
                    error!(%error, "an admin connection ended in a panic");
                },
            }
        }
    }

    async fn connection(self: Arc<Self>, mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Ok(_slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            // Told on a best effort: a client that does not listen must not hold a task either.
            let _ = tokio::time::timeout(Duration::from_secs(1), login::turn_away(&mut stream)).await;
            return;
        };
        if let Err(error) = self.serve(stream).await {
            debug!(%error, "an admin connection ended");
        }
    }

    async fn serve(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> std::io::Result<()> {
        let id = self.next_connection_id.fetch_add(1, Ordering::Relaxed);
        let client = tokio::time::timeout(LOGIN_TIME, login::run(&mut stream, &self.settings, id))
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        let shim = shim::Shim::new(Arc::clone(&self.source), self.settings.user.clone(), id);
        let (reader, writer) = tokio::io::split(wire::Wire::new(stream, &client));
        opensrv_mysql::AsyncMysqlIntermediary::run_on(shim, reader, BufWriter::new(writer)).await
    }
}

#[cfg(test)]
mod tests;
