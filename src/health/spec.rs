//! A group of servers as the configuration gives it.

use std::time::Duration;

use alterego_proxy::Upstream;
use mysql_async::Opts;

/// How often a server is looked at, unless the configuration says otherwise.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a server may take to answer before it is down, unless the configuration says otherwise.
const PATIENCE: Duration = Duration::from_secs(3);

/// Servers that hold the same data.
#[derive(Clone, Debug)]
pub(crate) struct GroupSpec {
    /// Its name; what is remembered of the group is kept under it.
    pub(crate) name: String,
    /// The servers.
    pub(crate) members: Vec<MemberSpec>,
    /// How far a replica may be behind and still be read from; `None`: as far as it likes.
    pub(crate) lag_limit: Option<Duration>,
    /// How often each server is looked at.
    pub(crate) interval: Duration,
    /// How long a server may take for an answer.
    pub(crate) patience: Duration,
}

impl GroupSpec {
    /// These servers, with the usual times and no limit to the lag.
    pub(crate) fn new(name: impl Into<String>, members: Vec<MemberSpec>) -> Self {
        Self {
            name: name.into(),
            members,
            lag_limit: None,
            interval: INTERVAL,
            patience: PATIENCE,
        }
    }
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct MemberSpec {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// How alterego's own connections reach it.
    pub(crate) way: Way,
    /// How clients' connections reach it.
    pub(crate) upstream: Upstream,
    /// Its share of reading connections.
    pub(crate) weight: u32,
}

/// How alterego's own connections reach a server.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The options.
    pub(crate) opts: Opts,
    /// The options for a server that offers no TLS, where TLS is only preferred.
    pub(crate) without_tls: Option<Opts>,
}
