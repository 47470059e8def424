//! What a proxy is told at its start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};

use crate::peer::ProxyNetworks;
use crate::tls::{ClientTls, UpstreamTls};

/// Where clients connect; at least one of them.
#[derive(Debug, Default)]
pub struct Listeners {
    /// The name by which rules know them.
    pub name: Arc<str>,
    /// The TCP listener.
    pub tcp: Option<TcpListener>,
    /// The unix socket's listener.
    pub unix: Option<UnixListener>,
}

/// Where the server is: always by TCP.
///
/// By its unix socket a server takes whoever is connected for the system user behind the socket, which would be the proxy's.
/// Accounts of `unix_socket` and `auth_socket` would be open to every client who names them, with nothing in the exchange to
/// refuse it by: these plugins say nothing on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A proxy's configuration.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The server; none where a router chooses one for each client.
    pub upstream: Option<Upstream>,
    /// TLS towards the server; the groups of a router have their own.
    pub upstream_tls: UpstreamTls,
    /// TLS towards clients.
    pub client_tls: ClientTls,
    /// Whose connections may begin with a header of the PROXY protocol.
    pub proxy_networks: ProxyNetworks,
    /// Whether the server is told by the PROXY protocol where a client comes from.
    pub upstream_proxy_protocol: bool,
    /// How long a connection to the server may take.
    pub connect_timeout: Duration,
    /// How long a client may take to log in.
    pub login_timeout: Duration,
    /// How long bytes may wait for a client or a server that takes none.
    pub stall_limit: Duration,
    /// How many clients may be connected; the next one is answered 1040.
    pub max_clients: usize,
    /// How long sessions may finish what they are doing at shutdown.
    pub shutdown_grace: Duration,
}

impl ProxyConfig {
    /// The defaults for a server; no TLS on either side.
    pub fn new(upstream: Upstream) -> Self {
        Self {
            upstream: Some(upstream),
            ..Self::routed()
        }
    }

    /// The defaults where a router chooses the server; no TLS on either side.
    pub fn routed() -> Self {
        Self {
            upstream: None,
            upstream_tls: UpstreamTls::default(),
            client_tls: ClientTls::default(),
            proxy_networks: ProxyNetworks::default(),
            upstream_proxy_protocol: false,
            connect_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(30),
            // Longer than any wait that ends by itself; servers have shorter limits of their own.
            stall_limit: Duration::from_secs(60 * 60),
            max_clients: 10_000,
            shutdown_grace: Duration::from_secs(25),
        }
    }
}
