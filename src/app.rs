//! The process from start to end: listen, check the server, serve, shut down.
//!
//! Files and listeners come first, so that a wrong one, or a port that is taken, is known before anything is asked of the
//! server. Nobody is accepted before the checks have passed.

use std::sync::Arc;
use std::time::Duration;

use alterego_proxy::{Gate, Listeners, ProxyConfig, Upstream};
use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::admin::Admin;
use crate::bridge::Bridge;
use crate::cli::{AdminSettings, Settings};
use crate::listener::{Listener, SocketFile, bind_unix};
use crate::status::StatusSource;
use crate::tls::Way;
use crate::{descriptors, reload, signals, startup, tls};

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
    let max_clients = descriptors::provide_for(settings.max_clients)?;
    let upstream_tls = tls::upstream(&settings.server.tls)?;
    let identity = tls::given_identity(&settings.client_tls)?;
    let (listeners, socket_file) = listen(&settings).await?;
    let admin = admin_listener(settings.admin.as_ref()).await?;
    let way = Way::to(&settings.server, upstream_tls.clone())?;
    let opts = tokio::select! {
        checked = startup::check(&settings.server, way.opts.clone(), settings.strategy) => checked?,
        () = signals::requested(shutdown.clone()) => return Ok(()),
    };
    let client_tls = tls::clients(&settings.client_tls, identity)?;
    tokio::spawn(reload::whenever_asked(
        reloads,
        settings.client_tls.clone(),
        client_tls.clone(),
    ));
    info!(server = %settings.server, strategy = ?settings.strategy, keep_old_table = ?settings.keep_old_table, "starting");
    let gate = Gate::default();
    let bridge = Bridge::start(&settings, opts, gate.clone()).await?;
    announce(&listeners, socket_file.as_ref())?;
    let source: Arc<dyn StatusSource> = Arc::clone(&bridge) as _;
    let admin = serve_admin(settings.admin, admin, source, shutdown.clone());
    let upstream = Upstream::Tcp {
        host: settings.server.host.clone(),
        port: settings.server.port,
    };
    let config = ProxyConfig {
        upstream_tls,
        client_tls,
        proxy_networks: settings.proxy_networks.clone(),
        upstream_proxy_protocol: settings.server.proxy_protocol,
        max_clients,
        shutdown_grace: settings.drain_timeout,
        ..ProxyConfig::new(upstream)
    };
    let hooks = Arc::clone(&bridge) as _;
    alterego_proxy::run(listeners, config, hooks, gate, signals::requested(shutdown)).await;
    if timeout(REST_LIMIT, bridge.rest()).await.is_err() {
        warn!("a migration is at its cut-over; the next start looks how far it came");
    }
    if let Some(admin) = admin {
        admin.await.context("the admin endpoint failed")?;
    }
    info!("stopped");
    Ok(())
}

/// Listens where clients connect. The guard of the socket's file must live as long as the listener.
async fn listen(settings: &Settings) -> anyhow::Result<(Listeners, Option<SocketFile>)> {
    let tcp = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let Some(path) = &settings.socket else {
        return Ok((
            Listeners {
                tcp: Some(tcp),
                unix: None,
                ..Listeners::default()
            },
            None,
        ));
    };
    let (unix, file) = bind_unix(path, CLIENT_SOCKET_MODE)
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    Ok((
        Listeners {
            tcp: Some(tcp),
            unix: Some(unix),
            ..Listeners::default()
        },
        Some(file),
    ))
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
fn announce(listeners: &Listeners, socket: Option<&SocketFile>) -> anyhow::Result<()> {
    if let Some(tcp) = &listeners.tcp {
        info!(addr = %tcp.local_addr()?, "listening");
    }
    if let Some(file) = socket {
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
