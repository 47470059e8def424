//! All that places connections: the rules, the groups with their newest views, what each listener's greeting offers.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};

use rand::Rng;
use tokio::sync::watch;

use super::ids::Ids;
use super::{Access, Facts, GroupView, Guest, NoPlace, Offer, Rule, find, place};
use crate::config::Upstream;
use crate::gate::Gate;
use crate::hooks::Hooks;
use crate::intercept::Killables;
use crate::tls::UpstreamTls;

/// A group of servers that hold the same data, and what belongs to it alone.
pub struct Group {
    /// Its name in the configuration.
    pub name: String,
    /// TLS towards its servers.
    pub tls: UpstreamTls,
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

/// What may be replaced while clients are served. A connection is greeted and placed by one plan.
#[derive(Debug, Default)]
pub struct Plan {
    /// The rules, the first that fits decides.
    pub rules: Vec<Rule>,
    /// What each listener's clients are greeted with, by its name.
    pub offers: HashMap<String, Offer>,
}

impl Plan {
    /// What the clients of a listener are greeted with.
    pub(crate) fn offer(&self, listener: &str) -> Option<&Offer> {
        self.offers.get(listener)
    }
}

/// Places connections.
#[derive(Debug)]
pub struct Router {
    plan: RwLock<Arc<Plan>>,
    pub(super) groups: Vec<Group>,
    /// How many clients are on each server of each group.
    pub(super) clients: Vec<Vec<Arc<AtomicUsize>>>,
    ids: Ids,
    killables: Killables,
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
    /// A router among these groups.
    pub fn new(plan: Plan, groups: Vec<Group>) -> Self {
        let count = |group: &Group| {
            let members = group.view.borrow().members.len();
            (0..members).map(|_| Arc::default()).collect()
        };
        let clients = groups.iter().map(count).collect();
        Self {
            plan: RwLock::new(Arc::new(plan)),
            groups,
            clients,
            ids: Ids::default(),
            killables: Killables::default(),
        }
    }

    /// The plan at this moment.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        // A pointer is whole after any panic.
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Places by another plan who comes from now on.
    pub fn replace(&self, plan: Plan) {
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }

    /// Every client's server is this one, whatever it says.
    pub fn single(upstream: &Upstream, hooks: Arc<dyn Hooks>, gate: Gate) -> Self {
        let name = "default".to_owned();
        let view = GroupView::single(&name, upstream);
        let group = Group {
            name,
            // Where there is one server, the configuration has it.
            tls: UpstreamTls::default(),
            view: watch::channel(Arc::new(view)).1,
            hooks,
            gate,
        };
        let plan = Plan {
            rules: vec![Rule::everything_to(0, Access::Primary)],
            offers: HashMap::new(),
        };
        Self::new(plan, vec![group])
    }

    /// The only server there is.
    pub(crate) fn only(&self) -> Option<Placed<'_>> {
        self.place(&self.plan(), &Facts::default(), &[]).ok()
    }

    /// The connection ids that clients were told.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The schema changes under way.
    pub(crate) fn killables(&self) -> &Killables {
        &self.killables
    }

    /// Chooses the server for a connection; those of its group in `tried` did not answer.
    pub(crate) fn place(&self, plan: &Plan, facts: &Facts, tried: &[usize]) -> Result<Placed<'_>, NoPlace> {
        let rule = find(&plan.rules, facts).ok_or_else(|| nowhere(facts))?;
        let group = self.groups.get(rule.group).ok_or_else(|| nowhere(facts))?;
        let view = group.view.borrow().clone();
        let roll = rand::rng().next_u64();
        let at = place(&view, rule.access, tried, roll)?;
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
