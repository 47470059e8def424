//! `SHOW ROUTES` and `SHOW UPSTREAMS`.

use std::sync::atomic::Ordering;

use super::{MemberView, Role, Router, State};
use crate::hooks::Grid;

const ROUTES: [&str; 8] = [
    "rule",
    "listener",
    "user",
    "schema",
    "attributes",
    "source",
    "group",
    "role",
];
const UPSTREAMS: [&str; 11] = [
    "group",
    "server",
    "address",
    "role",
    "state",
    "weight",
    "lag_seconds",
    "clients",
    "message",
    "transactions",
    "differing",
];

impl Router {
    /// The rows of `SHOW ROUTES`: a condition that is NULL asks for nothing.
    pub fn routes(&self) -> Grid {
        let row = |(at, rule): (usize, &super::Rule)| {
            let group = self.groups.get(rule.group).map(|group| group.name.clone());
            let attributes = rule.attributes.iter();
            let attributes = attributes.map(|(name, value)| format!("{name}={value}"));
            vec![
                Some((at + 1).to_string()),
                list(rule.listeners.iter()),
                list(rule.users.iter()),
                list(rule.schemas.iter()),
                list(attributes),
                list(rule.sources.iter()),
                group,
                Some(rule.access.name().to_owned()),
            ]
        };
        grid(&ROUTES, self.plan().rules.iter().enumerate().map(row))
    }

    /// The rows of `SHOW UPSTREAMS`.
    pub fn upstreams(&self) -> Grid {
        let rows = self.groups.iter().zip(&self.clients).flat_map(|(group, counts)| {
            let view = group.view.borrow().clone();
            let no_primary = view.primary.as_ref().err().map(ToString::to_string);
            let members = view.members.iter().zip(counts);
            let rows = members.map(|(member, count)| {
                let clients = count.load(Ordering::Relaxed).to_string();
                let message = message(member).or_else(|| no_primary.clone());
                [vec![Some(group.name.clone())], cells(member, clients, message)].concat()
            });
            rows.collect::<Vec<_>>()
        });
        grid(&UPSTREAMS, rows)
    }
}

fn cells(member: &MemberView, clients: String, message: Option<String>) -> Vec<Option<String>> {
    let role = match member.role {
        Role::Primary => "primary",
        Role::Replica => "replica",
        Role::Unknown => "unknown",
    };
    let state = match member.state {
        State::Up => "up",
        State::Down(_) => "down",
        State::Withheld(_) => "withheld",
    };
    let lag = member.lag.map(|lag| format!("{:.3}", lag.as_secs_f64()));
    let transactions = Some(member.transactions.clone()).filter(|text| !text.is_empty());
    vec![
        Some(member.name.clone()),
        Some(member.upstream.to_string()),
        Some(role.to_owned()),
        Some(state.to_owned()),
        Some(member.weight.to_string()),
        lag,
        Some(clients),
        message,
        transactions,
        member.differing.clone(),
    ]
}

/// Why a server gets no connections.
fn message(member: &MemberView) -> Option<String> {
    match &member.state {
        State::Up => None,
        State::Down(reason) | State::Withheld(reason) => Some(reason.clone()),
    }
}

/// Names with commas between them; NULL if there are none.
fn list(names: impl Iterator<Item = impl ToString>) -> Option<String> {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn grid(columns: &[&str], rows: impl Iterator<Item = Vec<Option<String>>>) -> Grid {
    Grid {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows: rows.collect(),
    }
}
