//! One server for every client.

use std::sync::Arc;

use alterego_proxy::Gate;
use alterego_proxy::hooks::Hooks;
use alterego_proxy::routing::Router;
use tokio::sync::watch;
use tracing::info;

use super::{Deployment, upstream};
use crate::bridge::Bridge;
use crate::cli::{ServerAddress, Settings};
use crate::status::{Migrations, Status};
use crate::tls::Way;
use crate::{signals, startup};

/// Checks the server and takes up what an earlier process left; `None` when the process was told to end meanwhile.
///
/// # Errors
/// The server cannot be used.
pub(crate) async fn one(
    settings: &Settings,
    server: &ServerAddress,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<Option<Deployment>> {
    let way = Way::to(server)?;
    let opts = tokio::select! {
        checked = startup::check(settings, server, way.opts.clone()) => checked?,
        () = signals::requested(shutdown) => return Ok(None),
    };
    info!(server = %server, strategy = ?settings.strategy, keep_old_table = ?settings.keep_old_table, "starting");
    let gate = Gate::default();
    let hooks: Arc<dyn Hooks> = Bridge::start(settings, opts, gate.clone()).await?;
    let at = upstream(server);
    let router = Arc::new(Router::single(&at, Arc::clone(&hooks), gate));
    Ok(Some(Deployment {
        upstream: Some(at),
        router: Arc::clone(&router),
        reloader: None,
        status: Arc::new(Status {
            router,
            migrations: Migrations::One(hooks),
            watched: None,
        }),
        _ways: vec![way],
    }))
}
