//! The configuration file, read again while clients are served.
//!
//! Rules, weights and limits of lag take effect for whoever connects from then on. Listeners, groups, and what a group says
//! of its servers are what everything else was made from at the start; another one takes a restart.
//!
//! *Invariant:* a file is taken as a whole or not at all. It is read, compared, and the servers' greetings are heard before
//! anything changes; what changes then cannot fail.

use std::sync::Arc;

use alterego_proxy::routing::{Plan, Router};
use anyhow::{bail, ensure};

use super::routed::{Greetings, look_at_all, offers};
use super::view::GroupSpec;
use crate::cli::{ConfigSource, ListenerSettings};
use crate::config_file::{GroupSettings, MemberSettings, Routing};
use crate::health::{Groups, Tuning};

/// What is served by now, and where to read what it should be.
pub(crate) struct Reloader {
    pub(super) source: ConfigSource,
    pub(super) listeners: Vec<ListenerSettings>,
    pub(super) routing: Routing,
    pub(super) specs: Vec<GroupSpec>,
    pub(super) seen: Greetings,
    pub(super) router: Arc<Router>,
    pub(super) watched: Arc<Groups>,
}

impl Reloader {
    /// Takes the file as it is now.
    ///
    /// # Errors
    /// The file is wrong, or what it changes cannot change now. Nothing has changed.
    pub(crate) async fn reload(&mut self) -> anyhow::Result<()> {
        let (routing, listeners) = self.source.read().map_err(anyhow::Error::msg)?;
        ensure!(listeners == self.listeners, "other listeners take a restart");
        let routing = in_order(routing, &self.routing.groups)?;
        let mut seen = look_at_all(&self.specs).await;
        // A server that does not answer now is expected to come back as it was.
        for (now, before) in seen.iter_mut().flatten().zip(self.seen.iter().flatten()) {
            *now = now.take().or_else(|| before.clone());
        }
        let offers = offers(&self.listeners, &routing, &seen)?;
        let rules = routing.rules.clone();
        self.router.replace(Plan { rules, offers });
        self.watched.tune(routing.groups.iter().map(tuning));
        (self.routing, self.seen) = (routing, seen);
        Ok(())
    }
}

fn tuning(group: &GroupSettings) -> Tuning {
    Tuning {
        lag_limit: group.lag_limit,
        weights: group.servers.iter().map(|server| server.weight).collect(),
    }
}

/// The new configuration with its groups in the order of the present ones, if they differ in nothing else than may change.
fn in_order(new: Routing, present: &[GroupSettings]) -> anyhow::Result<Routing> {
    let place = |name: &str| present.iter().position(|group| group.name == *name);
    for group in &new.groups {
        let Some(at) = place(&group.name) else {
            bail!("a new group, '{}', takes a restart", group.name);
        };
        if present.get(at).is_none_or(|present| !is_same(present, group)) {
            bail!(
                "other servers, or another account or TLS, in group '{}' take a restart",
                group.name
            );
        }
    }
    if let Some(gone) = present
        .iter()
        .find(|group| new.groups.iter().all(|other| other.name != group.name))
    {
        bail!("to take group '{}' away takes a restart", gone.name);
    }
    let mut rules = new.rules;
    for rule in &mut rules {
        let name = new.groups.get(rule.group).map(|group| group.name.as_str());
        if let Some(at) = name.and_then(place) {
            rule.group = at;
        }
    }
    let mut groups = new.groups;
    groups.sort_by_key(|group| place(&group.name));
    Ok(Routing { groups, rules })
}

/// Whether two groups differ in what may change only.
fn is_same(one: &GroupSettings, other: &GroupSettings) -> bool {
    let without = |group: &GroupSettings| {
        let servers = group.servers.iter().map(|server| MemberSettings {
            weight: 0,
            ..server.clone()
        });
        GroupSettings {
            lag_limit: None,
            servers: servers.collect(),
            ..group.clone()
        }
    };
    without(one) == without(other)
}
