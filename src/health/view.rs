//! What was decided, as the proxy takes it.

use alterego_proxy::routing::{self, GroupView, MemberView, NoPrimary};

use super::decide::{Address, Decision, Group, Role, Standing, Verdict};
use super::report::{Report, Sight};
use super::spec::{GroupSpec, MemberSpec};

/// The view of the group.
pub(super) fn view(spec: &GroupSpec, sights: &[Sight], decision: &Decision) -> GroupView {
    let members = spec.members.iter().zip(sights).zip(&decision.members);
    GroupView {
        name: spec.name.clone(),
        lag_limit: spec.lag_limit,
        primary: decision.primary.clone().map_err(NoPrimary),
        members: members
            .map(|((member, sight), verdict)| member_view(member, sight, verdict))
            .collect(),
    }
}

fn member_view(member: &MemberSpec, sight: &Sight, verdict: &Verdict) -> MemberView {
    let transactions = |report: &Report| report.transactions.as_ref().map(ToString::to_string);
    MemberView {
        name: member.name.clone(),
        upstream: member.upstream.clone(),
        weight: member.weight,
        role: match verdict.role {
            Role::Primary => routing::Role::Primary,
            Role::Replica => routing::Role::Replica,
            Role::Unknown => routing::Role::Unknown,
        },
        state: match &verdict.standing {
            Standing::Up => routing::State::Up,
            Standing::Down(reason) => routing::State::Down(reason.clone()),
            Standing::Withheld(reason) => routing::State::Withheld(reason.clone()),
        },
        lag: verdict.lag,
        transactions: sight
            .look()
            .and_then(|look| transactions(&look.report))
            .unwrap_or_default(),
        differing: verdict.differing.as_ref().map(ToString::to_string),
    }
}

/// What the decision has to know of the configuration.
pub(super) fn group(spec: &GroupSpec) -> Group {
    Group {
        name: spec.name.clone(),
        members: spec.members.iter().map(address).collect(),
        lag_limit: spec.lag_limit,
    }
}

fn address(member: &MemberSpec) -> Address {
    Address {
        name: member.name.clone(),
        host: member.upstream.host.clone(),
        port: member.upstream.port,
    }
}
