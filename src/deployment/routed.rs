//! Groups of servers with a router before them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alterego_proxy::Gate;
use alterego_proxy::hooks::Hooks;
use alterego_proxy::routing::{Group, Offer, OfferError, Plan, Router, Seen};
use anyhow::{Context, anyhow, bail};
use futures_util::future::join_all;
use tokio::sync::watch;
use tracing::{info, warn};

use super::group::GroupHooks;
use super::view::{self, GroupSpec, MemberSpec};
use super::{Deployment, Reloader, upstream};
use crate::cli::{ListenerSettings, Settings};
use crate::config_file::{GroupSettings, Routing};
use crate::signals;
use crate::status::{Migrations, Status};
use crate::tls::{self, Way};

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
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<Option<Deployment>> {
    let mut ways = Vec::new();
    let mut specs = Vec::new();
    for group in &routing.groups {
        let (spec, own) = spec(group).with_context(|| format!("group '{}'", group.name))?;
        specs.push(spec);
        ways.extend(own);
    }
    let looked = async {
        let seen = look_at_all(&specs).await;
        let offers = offers(&settings.listeners, routing, &seen)?;
        let watched = view::watch(&specs).await?;
        anyhow::Ok((seen, offers, Arc::new(watched)))
    };
    let (seen, offers, watched) = tokio::select! {
        looked = looked => looked?,
        () = signals::requested(shutdown) => return Ok(None),
    };
    info!(groups = specs.len(), strategy = ?settings.strategy, keep_old_table = ?settings.keep_old_table, "starting");
    let mut groups = Vec::new();
    let mut migrations = Vec::new();
    for (spec, view) in specs.iter().cloned().zip(watched.views()) {
        let (name, tls, gate) = (spec.name.clone(), spec.tls.clone(), Gate::default());
        let hooks = GroupHooks::start(settings, spec, view.clone(), gate.clone())
            .await
            .with_context(|| format!("group '{name}'"))?;
        let hooks: Arc<dyn Hooks> = hooks;
        migrations.push((name.clone(), Arc::clone(&hooks)));
        groups.push(Group {
            name,
            tls,
            view,
            hooks,
            gate,
        });
    }
    let rules = routing.rules.clone();
    let router = Arc::new(Router::new(Plan { rules, offers }, groups));
    let reloader = settings.config.clone().map(|source| Reloader {
        source,
        listeners: settings.listeners.clone(),
        routing: routing.clone(),
        specs,
        seen,
        router: Arc::clone(&router),
        watched: Arc::clone(&watched),
    });
    Ok(Some(Deployment {
        upstream: None,
        router: Arc::clone(&router),
        reloader,
        status: Arc::new(Status {
            router,
            migrations: Migrations::Groups(migrations),
            watched: Some(watched),
        }),
        _ways: ways,
    }))
}

/// What is to be known of a group to watch it, and the ways that its connections go by.
fn spec(group: &GroupSettings) -> anyhow::Result<(GroupSpec, Vec<Way>)> {
    let tls = tls::upstream(&group.tls)?;
    let mut ways = Vec::new();
    let mut members = Vec::new();
    for server in &group.servers {
        let way = Way::to(&server.address)?;
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
        tls,
        lag_limit: group.lag_limit,
        members,
    };
    Ok((spec, ways))
}

/// The greetings of each group's servers; none of one that does not answer.
pub(super) type Greetings = Vec<Vec<Option<Seen>>>;

/// Hears the greetings of all servers.
pub(super) async fn look_at_all(groups: &[GroupSpec]) -> Greetings {
    join_all(groups.iter().map(look)).await
}

async fn look(group: &GroupSpec) -> Vec<Option<Seen>> {
    let servers = group.members.iter();
    let looks = servers.map(|member| Seen::of(&member.upstream, GREETING_LIMIT));
    let seen = join_all(looks)
        .await
        .into_iter()
        .map(|seen| seen.map_err(|error| warn!(group = group.name, "{error}")).ok());
    seen.collect()
}

/// What each listener's clients are greeted with: what all servers can to which a rule may lead from there.
///
/// # Errors
/// A listener has no server, or servers that do not go together.
pub(super) fn offers(
    listeners: &[ListenerSettings],
    routing: &Routing,
    seen: &Greetings,
) -> anyhow::Result<HashMap<String, Offer>> {
    let mut offers = HashMap::new();
    for listener in listeners {
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
fn kinds(routing: &Routing, seen: &Greetings, groups: &[usize]) -> String {
    let kind = |at: &usize| {
        let servers: Vec<&Seen> = seen.get(*at)?.iter().flatten().collect();
        let kind = match servers.iter().filter(|seen| seen.is_mariadb()).count() {
            0 => "MySQL",
            count if count == servers.len() => "MariaDB",
            _ => "both",
        };
        Some(format!("group '{}' is {kind}", routing.groups.get(*at)?.name))
    };
    groups.iter().filter_map(kind).collect::<Vec<_>>().join(", ")
}
