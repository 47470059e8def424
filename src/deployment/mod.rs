//! What is behind the process, made ready to serve: one server, or groups of them with a router before them.

mod group;
mod one;
mod reload;
mod routed;
mod view;

use std::sync::Arc;

use alterego_proxy::Upstream;
use alterego_proxy::routing::Router;

use crate::cli::ServerAddress;
use crate::status::Status;
use crate::tls::Way;

pub(crate) use one::one;
pub(crate) use reload::Reloader;
pub(crate) use routed::routed;

/// Servers that were checked, and all that serves their clients.
pub(crate) struct Deployment {
    /// The only server; none where a router chooses.
    pub(crate) upstream: Option<Upstream>,
    /// Chooses the server.
    pub(crate) router: Arc<Router>,
    /// Reads the configuration again, if it is a file.
    pub(crate) reloader: Option<Reloader>,
    /// What the admin endpoint shows.
    pub(crate) status: Arc<Status>,
    /// alterego's own connections go by these.
    pub(crate) _ways: Vec<Way>,
}

/// Where clients' connections to a server go.
pub(crate) fn upstream(server: &ServerAddress) -> Upstream {
    Upstream {
        host: server.host.clone(),
        port: server.port,
    }
}
