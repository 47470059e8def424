//! The process from start to end: listen, check the server, serve, shut down.
//!
//! Files and listeners come first, so that a wrong one, or a port that is taken, is known before anything is asked of the
//! server. Nobody is accepted before the checks have passed.

use std::sync::Arc;
use std::time::Duration;

use alterego_proxy::{Listeners, ProxyConfig};
use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::admin::Admin;
use crate::cli::{AdminSettings, ListenerSettings, Servers, Settings};
use crate::listener::{Listener, SocketFile, bind_unix};
use crate::reload::Reloads;
use crate::status::StatusSource;
use crate::{deployment, descriptors, reload, signals, tls};

/// How long migrations may take to come to rest when the last client is gone.
const REST_LIMIT: Duration = Duration::from_secs(5);
/// Every local user may connect, as to a server's own socket: accounts guard it.
const CLIENT_SOCKET_MODE: u32 = 0o777;
/// The admin socket is its owner's.
const ADMIN_SOCKET_MODE: u32 = 0o600;

/// Runs until a signal ends it.
///
/// # Errors
/// What keeps it from starting.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let shutdown = signals::shutdown()?;
    let reloads = reload::signals()?;
    let upstream_tls = tls::upstream(&settings.upstream_tls)?;
    let identity = tls::given_identity(&settings.client_tls)?;
    let (listeners, socket_files) = listen(&settings.listeners).await?;
    let admin = admin_listener(settings.admin.as_ref()).await?;
    let deployed = match &settings.servers {
        Servers::One(server) => deployment::one(&settings, server, shutdown.clone()).await?,
        Servers::Routed(routing) => deployment::routed(&settings, routing, shutdown.clone()).await?,
    };
    let Some(mut deployment) = deployed else {
        return Ok(());
    };
    // After all that may keep it from starting: what is said here is of interest only then.
    let max_clients = descriptors::provide_for(settings.max_clients)?;
    let client_tls = tls::clients(&settings.client_tls, identity)?;
    let again = Reloads {
        client: settings.client_tls.clone(),
        shown: client_tls.clone(),
        configuration: deployment.reloader.take(),
    };
    tokio::spawn(again.whenever_asked(reloads));
    announce(&listeners, &socket_files)?;
    let admin = serve_admin(settings.admin, admin, deployment.status.clone(), shutdown.clone());
    let config = ProxyConfig {
        upstream: deployment.upstream.clone(),
        upstream_tls,
        client_tls,
        proxy_networks: settings.proxy_networks.clone(),
        upstream_proxy_protocol: settings.upstream_proxy_protocol,
        max_clients,
        shutdown_grace: settings.drain_timeout,
        ..ProxyConfig::routed()
    };
    let router = deployment.router.clone();
    alterego_proxy::run_routed(listeners, config, router, signals::requested(shutdown)).await;
    if timeout(REST_LIMIT, deployment.status.rest()).await.is_err() {
        warn!("a migration is at its cut-over; the next start looks how far it came");
    }
    if let Some(admin) = admin {
        admin.await.context("the admin endpoint failed")?;
    }
    info!("stopped");
    Ok(())
}

/// Listens where clients connect. The guards of the sockets' files must live as long as the listeners.
async fn listen(settings: &[ListenerSettings]) -> anyhow::Result<(Vec<Listeners>, Vec<SocketFile>)> {
    let mut listeners = Vec::new();
    let mut files = Vec::new();
    for listener in settings {
        let tcp = match listener.address {
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .with_context(|| format!("cannot listen on {address}"))?,
            ),
            None => None,
        };
        let unix = match &listener.socket {
            Some(path) => {
                let (unix, file) = bind_unix(path, CLIENT_SOCKET_MODE)
                    .with_context(|| format!("cannot listen on {}", path.display()))?;
                files.push(file);
                Some(unix)
            }
            None => None,
        };
        let name = Arc::from(listener.name.as_str());
        listeners.push(Listeners { name, tcp, unix });
    }
    Ok((listeners, files))
}

async fn admin_listener(admin: Option<&AdminSettings>) -> anyhow::Result<Option<Listener>> {
    match admin {
        Some(admin) => Ok(Some(
            Listener::bind(&admin.bind, ADMIN_SOCKET_MODE)
                .await
                .context("--admin")?,
        )),
        None => Ok(None),
    }
}

/// Says where clients connect; whoever started the process on port 0 learns the port here.
fn announce(listeners: &[Listeners], sockets: &[SocketFile]) -> anyhow::Result<()> {
    for listener in listeners {
        if let Some(tcp) = &listener.tcp {
            info!(addr = %tcp.local_addr()?, listener = &*listener.name, "listening");
        }
    }
    for file in sockets {
        info!(socket = %file.path().display(), "listening");
    }
    Ok(())
}

fn serve_admin(
    settings: Option<AdminSettings>,
    listener: Option<Listener>,
    source: Arc<dyn StatusSource>,
    shutdown: watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    let (settings, listener) = settings.zip(listener)?;
    info!(admin = listener.place(), "listening");
    Some(tokio::spawn(
        Admin::new(settings, source).run(listener, signals::requested(shutdown)),
    ))
}
