//! All that places connections: the rules, the groups with their newest views, what each listener's greeting offers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use rand::Rng;
use tokio::sync::watch;

use super::ids::Ids;
use super::{Access, Facts, GroupView, Guest, NoPlace, Offer, Rule, find, place};
use crate::config::Upstream;
use crate::gate::Gate;
use crate::hooks::Hooks;

/// A group of servers that hold the same data, and what belongs to it alone.
pub struct Group {
    /// Its name in the configuration.
    pub name: String,
    /// How far behind a replica may be that is read from.
    pub lag_limit: Option<Duration>,
    /// What is known of its servers, newest first and last.
    pub view: watch::Receiver<Arc<GroupView>>,
    /// Who carries out the schema changes of its clients.
    pub hooks: Arc<dyn Hooks>,
    /// Where its clients' statements wait for the moment of a cut-over.
    pub gate: Gate,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Places connections.
#[derive(Debug)]
pub struct Router {
    pub(super) rules: Vec<Rule>,
    pub(super) groups: Vec<Group>,
    offers: HashMap<String, Offer>,
    /// How many clients are on each server of each group.
    pub(super) clients: Vec<Vec<Arc<AtomicUsize>>>,
    ids: Ids,
}

/// The server for a connection.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) group: &'a Group,
    pub(crate) access: Access,
    pub(crate) upstream: Upstream,
    /// The server's place in its group.
    pub(crate) member: usize,
    pub(crate) guest: Guest,
}

impl Router {
    /// A router; `offers` has what each listener's clients are greeted with, by its name.
    pub fn new(rules: Vec<Rule>, groups: Vec<Group>, offers: HashMap<String, Offer>) -> Self {
        let count = |group: &Group| {
            let members = group.view.borrow().members.len();
            (0..members).map(|_| Arc::default()).collect()
        };
        let clients = groups.iter().map(count).collect();
        Self {
            rules,
            groups,
            offers,
            clients,
            ids: Ids::default(),
        }
    }

    /// Every client's server is this one, whatever it says.
    pub fn single(upstream: &Upstream, hooks: Arc<dyn Hooks>, gate: Gate) -> Self {
        let name = "default".to_owned();
        let view = GroupView::single(&name, upstream);
        let group = Group {
            name,
            lag_limit: None,
            view: watch::channel(Arc::new(view)).1,
            hooks,
            gate,
        };
        let rules = vec![Rule::everything_to(0, Access::Primary)];
        Self::new(rules, vec![group], HashMap::new())
    }

    /// The only server there is.
    pub(crate) fn only(&self) -> Option<Placed<'_>> {
        self.place(&Facts::default(), &[]).ok()
    }

    /// What the clients of a listener are greeted with.
    pub(crate) fn offer(&self, listener: &str) -> Option<&Offer> {
        self.offers.get(listener)
    }

    /// The connection ids that clients were told.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Chooses the server for a connection; those of its group in `tried` did not answer.
    pub(crate) fn place(&self, facts: &Facts, tried: &[usize]) -> Result<Placed<'_>, NoPlace> {
        let rule = find(&self.rules, facts).ok_or_else(|| nowhere(facts))?;
        let group = self.groups.get(rule.group).ok_or_else(|| nowhere(facts))?;
        let view = group.view.borrow().clone();
        let roll = rand::rng().next_u64();
        let at = place(&view, rule.access, group.lag_limit, tried, roll)?;
        let member = view.members.get(at);
        let count = self.clients.get(rule.group).and_then(|counts| counts.get(at));
        let (member, count) = member.zip(count).ok_or_else(|| nowhere(facts))?;
        Ok(Placed {
            group,
            access: rule.access,
            upstream: member.upstream.clone(),
            member: at,
            guest: Guest::of(count),
        })
    }
}

fn nowhere(facts: &Facts) -> NoPlace {
    let schema = facts
        .schema
        .as_deref()
        .map(|name| format!(", schema '{}'", shown(name)));
    NoPlace(format!(
        "no rule says where to connect user '{}'{} of listener '{}'",
        shown(&facts.user),
        schema.unwrap_or_default(),
        facts.listener
    ))
}

/// A name a client made up, for a message and a line of the log.
fn shown(name: &str) -> String {
    const SHOWN: usize = 80;
    name.chars().take(SHOWN).flat_map(char::escape_debug).collect()
}
