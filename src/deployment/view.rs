//! What is known of a group's servers. For now they are asked once, at the start: which of them take writes.

use std::sync::Arc;
use std::time::Duration;

use alterego_proxy::Upstream;
use alterego_proxy::routing::{GroupView, MemberView, NoPrimary, Role, State};
use futures_util::future::join_all;
use mysql_async::Opts;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tracing::warn;

use crate::cli::ServerAddress;
use crate::startup;

/// How long a server may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A group to be watched.
#[derive(Clone, Debug)]
pub(super) struct GroupSpec {
    /// Its name in the configuration.
    pub(super) name: String,
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

/// The views of a group, one after the other as the servers change.
pub(super) async fn watch(spec: &GroupSpec) -> watch::Receiver<Arc<GroupView>> {
    let view = asked_once(spec).await;
    if let Err(reason) = &view.primary {
        warn!(group = view.name, "there is no primary: {reason}");
    }
    watch::channel(Arc::new(view)).1
}

async fn asked_once(spec: &GroupSpec) -> GroupView {
    let members = join_all(spec.members.iter().map(member)).await;
    let writable: Vec<usize> = (0..members.len())
        .filter(|at| {
            members
                .get(*at)
                .is_some_and(|member| member.role == Role::Primary)
        })
        .collect();
    let primary = match *writable {
        [at] => Ok(at),
        [] => Err(NoPrimary("no server of it takes writes".to_owned())),
        _ => {
            let names = writable.iter().filter_map(|at| members.get(*at));
            let names: Vec<&str> = names.map(|member| member.name.as_str()).collect();
            Err(NoPrimary(format!("{} all take writes", names.join(" and "))))
        }
    };
    GroupView {
        name: spec.name.clone(),
        primary,
        members,
    }
}

async fn member(spec: &MemberSpec) -> MemberView {
    let found = match tokio::time::timeout(PATIENCE, ask(spec)).await {
        Ok(found) => found,
        Err(_) => Err(anyhow::anyhow!("the server at {} does not answer", spec.address)),
    };
    let (role, state, transactions) = match found {
        Ok((true, transactions)) => (Role::Replica, State::Up, transactions),
        Ok((false, transactions)) => (Role::Primary, State::Up, transactions),
        Err(error) => (Role::Unknown, State::Down(format!("{error:#}")), String::new()),
    };
    MemberView {
        name: spec.name.clone(),
        upstream: spec.upstream.clone(),
        weight: spec.weight,
        role,
        state,
        lag: None,
        transactions,
        differing: None,
    }
}

/// Whether it is read-only, and which transactions it has.
async fn ask(spec: &MemberSpec) -> anyhow::Result<(bool, String)> {
    let mut conn = startup::connect(&spec.address, spec.opts.clone()).await?;
    let variables =
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'gtid_executed', 'gtid_current_pos')";
    let rows: Vec<(String, String)> = conn.query(variables).await?;
    // It has answered; how it takes the farewell changes nothing.
    let _ = conn.disconnect().await;
    let mut found = (false, String::new());
    for (name, value) in rows {
        match name.as_str() {
            // MariaDB has more values than ON.
            "read_only" => found.0 = !matches!(value.as_str(), "OFF" | "0"),
            _ => found.1 = value.replace('\n', ""),
        }
    }
    Ok(found)
}
