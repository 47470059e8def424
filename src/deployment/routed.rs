//! Groups of servers with a router before them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alterego_proxy::Gate;
use alterego_proxy::hooks::Hooks;
use alterego_proxy::routing::{Group, Offer, OfferError, Router, Seen};
use alterego_proxy::tls::UpstreamTls;
use anyhow::{Context, anyhow, bail};
use futures_util::future::join_all;
use tokio::sync::watch;
use tracing::{info, warn};

use super::group::GroupHooks;
use super::view::{self, GroupSpec, MemberSpec};
use super::{Deployment, upstream};
use crate::cli::Settings;
use crate::config_file::{GroupSettings, Routing};
use crate::signals;
use crate::status::{Migrations, Status};
use crate::tls::Way;

/// How long a server may take to greet.
const GREETING_LIMIT: Duration = Duration::from_secs(10);

/// Looks at every server, checks the primaries and takes up what earlier processes left; `None` when the process was told
/// to end meanwhile.
///
/// # Errors
/// A listener has no server, or servers that do not go together; a primary cannot be used.
pub(crate) async fn routed(
    settings: &Settings,
    routing: &Routing,
    tls: &UpstreamTls,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<Option<Deployment>> {
    let mut ways = Vec::new();
    let mut specs = Vec::new();
    for group in &routing.groups {
        let (spec, own) = spec(group, tls)?;
        specs.push(spec);
        ways.extend(own);
    }
    let looked = async {
        let seen = join_all(specs.iter().map(look)).await;
        let offers = offers(settings, routing, &seen)?;
        let watched = view::watch(&specs).await?;
        anyhow::Ok((offers, watched))
    };
    let (offers, watched) = tokio::select! {
        looked = looked => looked?,
        () = signals::requested(shutdown) => return Ok(None),
    };
    info!(groups = specs.len(), strategy = ?settings.strategy, keep_old_table = ?settings.keep_old_table, "starting");
    let mut groups = Vec::new();
    let mut migrations = Vec::new();
    for (spec, view) in specs.into_iter().zip(watched.views()) {
        let (name, lag_limit, gate) = (spec.name.clone(), spec.lag_limit, Gate::default());
        let hooks = GroupHooks::start(settings, spec, view.clone(), gate.clone())
            .await
            .with_context(|| format!("group '{name}'"))?;
        let hooks: Arc<dyn Hooks> = hooks;
        migrations.push((name.clone(), Arc::clone(&hooks)));
        groups.push(Group {
            name,
            lag_limit,
            view,
            hooks,
            gate,
        });
    }
    let router = Arc::new(Router::new(routing.rules.clone(), groups, offers));
    Ok(Some(Deployment {
        upstream: None,
        router: Arc::clone(&router),
        status: Arc::new(Status {
            router,
            migrations: Migrations::Groups(migrations),
            watched: Some(watched),
        }),
        _ways: ways,
    }))
}

/// What is to be known of a group to watch it, and the ways that its connections go by.
fn spec(group: &GroupSettings, tls: &UpstreamTls) -> anyhow::Result<(GroupSpec, Vec<Way>)> {
    let mut ways = Vec::new();
    let mut members = Vec::new();
    for server in &group.servers {
        let way = Way::to(&server.address, tls.clone())?;
        members.push(MemberSpec {
            name: server.name.clone(),
            upstream: upstream(&server.address),
            weight: server.weight,
            address: server.address.clone(),
            opts: way.opts.clone(),
        });
        ways.push(way);
    }
    let spec = GroupSpec {
        name: group.name.clone(),
        lag_limit: group.lag_limit,
        members,
    };
    Ok((spec, ways))
}

/// The greetings of a group's servers, as many as answer.
async fn look(group: &GroupSpec) -> Vec<Seen> {
    let servers = group.members.iter();
    let looks = servers.map(|member| Seen::of(&member.upstream, GREETING_LIMIT));
    let seen = join_all(looks)
        .await
        .into_iter()
        .filter_map(|seen| seen.map_err(|error| warn!(group = group.name, "{error}")).ok());
    seen.collect()
}

/// What each listener's clients are greeted with: what all servers can to which a rule may lead from there.
fn offers(
    settings: &Settings,
    routing: &Routing,
    seen: &[Vec<Seen>],
) -> anyhow::Result<HashMap<String, Offer>> {
    let mut offers = HashMap::new();
    for listener in &settings.listeners {
        let name = &listener.name;
        let rules = routing.rules.iter().filter(|rule| rule.concerns(name));
        let mut groups: Vec<usize> = rules.map(|rule| rule.group).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() {
            bail!("no rule says where clients of listener '{name}' go");
        }
        let servers: Vec<Seen> = groups
            .iter()
            .filter_map(|at| seen.get(*at))
            .flatten()
            .cloned()
            .collect();
        let offer = Offer::of(&servers).map_err(|error| match error {
            OfferError::Nobody => anyhow!("listener '{name}': {error}"),
            OfferError::Mixed => anyhow!("listener '{name}': {error} ({})", kinds(routing, seen, &groups)),
        });
        offers.insert(name.clone(), offer?);
    }
    Ok(offers)
}

/// Which group is of which kind.
fn kinds(routing: &Routing, seen: &[Vec<Seen>], groups: &[usize]) -> String {
    let kind = |at: &usize| {
        let servers = seen.get(*at)?;
        let kind = match servers.iter().filter(|seen| seen.is_mariadb()).count() {
            0 => "MySQL",
            count if count == servers.len() => "MariaDB",
            _ => "both",
        };
        Some(format!("group '{}' is {kind}", routing.groups.get(*at)?.name))
    };
    groups.iter().filter_map(kind).collect::<Vec<_>>().join(", ")
}
