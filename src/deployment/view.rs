//! The groups of the configuration as `health` watches them.

use std::time::Duration;

use alterego_proxy::Upstream;
use alterego_proxy::tls::{SslMode, UpstreamTls};
use mysql_async::Opts;

use crate::cli::ServerAddress;
use crate::health::{self, Groups};
use crate::state_folder;

/// A group to be watched.
#[derive(Clone, Debug)]
pub(super) struct GroupSpec {
    /// Its name in the configuration.
    pub(super) name: String,
    /// How clients' connections to its servers are protected.
    pub(super) tls: UpstreamTls,
    /// How far behind a replica may be that is read from.
    pub(super) lag_limit: Option<Duration>,
    /// Its servers, in the order of the configuration.
    pub(super) members: Vec<MemberSpec>,
}

/// One server of it.
#[derive(Clone, Debug)]
pub(super) struct MemberSpec {
    /// Its name in the configuration.
    pub(super) name: String,
    /// Where clients' connections go.
    pub(super) upstream: Upstream,
    /// Its share of reading connections.
    pub(super) weight: u32,
    /// The server, as the configuration has it.
    pub(super) address: ServerAddress,
    /// How alterego's own connections reach it.
    pub(super) opts: Opts,
}

/// Begins to watch, and waits until every server has been asked once: nobody is a primary earlier.
///
/// # Errors
/// What is remembered of a group cannot be read.
pub(super) async fn watch(specs: &[GroupSpec]) -> anyhow::Result<Groups> {
    let specs = specs.iter().map(GroupSpec::watched).collect();
    let groups = Groups::start(specs, state_folder::find().as_deref())?;
    groups.asked().await;
    Ok(groups)
}

impl GroupSpec {
    fn watched(&self) -> health::GroupSpec {
        let members = self.members.iter().map(MemberSpec::watched).collect();
        health::GroupSpec {
            lag_limit: self.lag_limit,
            ..health::GroupSpec::new(self.name.clone(), members)
        }
    }
}

impl MemberSpec {
    fn watched(&self) -> health::MemberSpec {
        let is_preferred = self.address.tls.mode == SslMode::Preferred;
        health::MemberSpec {
            name: self.name.clone(),
            way: health::Way {
                opts: self.opts.clone(),
                without_tls: is_preferred.then(|| self.address.opts().into()),
            },
            upstream: self.upstream.clone(),
            weight: self.weight,
        }
    }
}
