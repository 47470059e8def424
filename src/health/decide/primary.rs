//! Which member takes the writes.

use super::super::report::{Channel, Report, Sight};
use super::super::transactions::Missing;
use super::{Address, Group, Known};

/// Who takes the writes, and who would.
pub(super) struct Choice {
    /// The member, or why there is none.
    pub(super) primary: Result<usize, String>,
    /// All members that take writes and follow no other member.
    pub(super) candidates: Vec<usize>,
    /// The candidate that is refused for what it lacks.
    pub(super) refused: Option<(usize, Missing)>,
}

/// Chooses.
pub(super) fn choose(known: &Known, group: &Group, sights: &[Sight]) -> Choice {
    let candidates = candidates(known, group, sights);
    let chosen = single(known, group, sights, &candidates);
    let (primary, refused) = match chosen {
        Err(reason) => (Err(reason), None),
        Ok(chosen) => match lacking(known, sights, chosen) {
            None => (Ok(chosen), None),
            Some(missing) => {
                let reason = refusal(known, group, chosen, &missing);
                (Err(reason), Some((chosen, missing)))
            }
        },
    };
    Choice {
        primary: primary
            .map_err(|reason| format!("the server group '{}' has no primary: {reason}", group.name)),
        candidates,
        refused,
    }
}

/// The members that take writes on their own.
pub(super) fn candidates(known: &Known, group: &Group, sights: &[Sight]) -> Vec<usize> {
    let takes_writes = |place: &usize| {
        let report = report(sights, *place);
        report.is_some_and(|report| report.takes_writes() && followed(known, group, *place, report).is_none())
    };
    (0..group.members.len()).filter(takes_writes).collect()
}

/// The one candidate, if there is one and it is no guess.
fn single(known: &Known, group: &Group, sights: &[Sight], candidates: &[usize]) -> Result<usize, String> {
    let was = |place: &&usize| {
        let report = report(sights, **place);
        report.is_some_and(|report| known.memory.is_primary(&report.identity))
    };
    if let Some(place) = candidates.iter().find(was) {
        return Ok(*place);
    }
    let waiting =
        (0..group.members.len()).find(|place| matches!(sights.get(*place), Some(Sight::Unasked) | None));
    if let Some(waiting) = waiting {
        return Err(format!("{} has not been asked yet", name(group, waiting)));
    }
    match candidates {
        [] => circle(known, group, sights).ok_or_else(|| nobody(known, group, sights)),
        [only] => Ok(*only),
        [first, second, ..] => Err(format!(
            "{} and {} both take writes, and neither is known to have been the primary; make one of them read-only",
            name(group, *first),
            name(group, *second)
        )),
    }
}

/// Two servers that follow each other are both writable and both replicas: the one known stays.
fn circle(known: &Known, group: &Group, sights: &[Sight]) -> Option<usize> {
    (0..group.members.len()).find(|place| {
        let Some(report) = report(sights, *place).filter(|report| report.takes_writes()) else {
            return false;
        };
        known.memory.is_primary(&report.identity)
            && followed(known, group, *place, report).is_some_and(|(source, _)| {
                let back =
                    self::report(sights, source).and_then(|other| followed(known, group, source, other));
                back.is_some_and(|(source, _)| source == *place)
            })
    })
}

/// The member that this one follows.
fn followed<'a>(
    known: &Known,
    group: &Group,
    place: usize,
    report: &'a Report,
) -> Option<(usize, &'a Channel)> {
    let mut channels = report.channels.iter().filter(|channel| channel.runs());
    channels.find_map(|channel| {
        let mut others = (0..group.members.len()).filter(|other| *other != place);
        others
            .clone()
            .find(|other| is_source(known, group, *other, channel))
            // A member that never answered may be the one, by another address.
            .or_else(|| {
                others.find(|other| {
                    known
                        .members
                        .get(*other)
                        .is_none_or(|other| other.identity.is_none())
                })
            })
            .map(|source| (source, channel))
    })
}

fn is_source(known: &Known, group: &Group, other: usize, channel: &Channel) -> bool {
    let identity = known
        .members
        .get(other)
        .and_then(|member| member.identity.as_ref());
    let address = group.members.get(other);
    identity.is_some_and(|identity| !channel.origin.is_empty() && identity.origin == channel.origin)
        || address.is_some_and(|Address { host, port, .. }| *host == channel.host && *port == channel.port)
}

/// What the member lacks of all that was seen.
pub(super) fn lacking(known: &Known, sights: &[Sight], place: usize) -> Option<Missing> {
    let report = report(sights, place)?;
    let transactions = report.transactions.as_ref();
    known
        .hearsay
        .missing_in(&known.memory, &report.identity, transactions)
}

fn refusal(known: &Known, group: &Group, place: usize, missing: &Missing) -> String {
    let server = name(group, place);
    let primary = known
        .memory
        .primary
        .as_ref()
        .map_or("?", |known| known.name.as_str());
    match missing {
        Missing::Unknown => format!(
            "{server} takes writes, but without GTIDs it cannot be shown that it has all transactions of the primary \
             '{primary}'"
        ),
        missing => format!(
            "{server} takes writes, but lacks transactions that the primary '{primary}' was seen to have: {missing}"
        ),
    }
}

/// Why no member takes writes.
fn nobody(known: &Known, group: &Group, sights: &[Sight]) -> String {
    let reasons = (0..group.members.len()).map(|place| {
        let server = name(group, place);
        let reason = match sights.get(place) {
            Some(Sight::Answered(look)) => not_a_candidate(known, group, place, &look.report),
            Some(Sight::Silent(reason)) => reason.clone(),
            Some(Sight::Unasked) | None => "not asked yet".to_owned(),
        };
        format!("{server}: {reason}")
    });
    reasons.collect::<Vec<_>>().join("; ")
}

fn not_a_candidate(known: &Known, group: &Group, place: usize, report: &Report) -> String {
    if let Some(reason) = report.unfit() {
        return reason;
    }
    match followed(known, group, place, report) {
        Some((_, channel)) if report.writable => format!(
            "takes writes but still replicates from {}:{}; stop its replication to make it the primary",
            channel.host, channel.port
        ),
        _ => "read-only".to_owned(),
    }
}

pub(super) fn report(sights: &[Sight], place: usize) -> Option<&Report> {
    sights.get(place).and_then(Sight::look).map(|look| &look.report)
}

/// A member's name as messages have it.
pub(super) fn name(group: &Group, place: usize) -> String {
    let address = group.members.get(place);
    format!("'{}'", address.map_or("?", |address| address.name.as_str()))
}
