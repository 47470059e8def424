//! Whether the members other than the primary may be read from.
//!
//! # Why comparing is correct
//! A replica may have been looked at after the primary, and then rightly has more than that look shows. So "it has more"
//! is only said of a look that was over before the primary was asked: what the replica had then and the primary lacked
//! later, the primary lacks. "It has no more" may be said of any look, because the primary keeps what it has.

use super::super::report::{Look, Sight};
use super::super::transactions::Missing;
use super::primary::{Choice, name};
use super::{Compared, Group, Known, Lag, Member, Role, Standing, Verdict};
use crate::health::memory::Memory;

/// Why a server is withheld that has not been asked yet.
pub(in super::super) const UNASKED: &str = "it has not been asked yet";

/// What each member is.
pub(super) fn verdicts(known: &mut Known, group: &Group, sights: &[Sight], choice: &Choice) -> Vec<Verdict> {
    compare_all(known, sights);
    let verdict = |(place, sight): (usize, &Sight)| match sight {
        Sight::Unasked => unknown(Standing::Withheld(UNASKED.to_owned())),
        Sight::Silent(reason) => unknown(Standing::Down(reason.clone())),
        Sight::Answered(_) if choice.primary == Ok(place) => Verdict {
            role: Role::Primary,
            standing: Standing::Up,
            lag: None,
            differing: None,
        },
        Sight::Answered(look) => other(known, group, choice, place, look),
    };
    sights.iter().enumerate().map(verdict).collect()
}

fn unknown(standing: Standing) -> Verdict {
    Verdict {
        role: Role::Unknown,
        standing,
        lag: None,
        differing: None,
    }
}

fn compare_all(known: &mut Known, sights: &[Sight]) {
    let asked = known.primary_asked(sights);
    for member in &mut known.members {
        if let Some(compared) = compare(&known.memory, member, asked) {
            member.compared = compared;
        }
    }
}

/// What the comparison says; `None` where it says nothing new.
fn compare(memory: &Memory, member: &Member, primary_asked: Option<std::time::Instant>) -> Option<Compared> {
    let (latest, previous) = (member.looks.0.as_ref()?, member.looks.1.as_ref());
    let Some(seen) = &memory.seen else {
        // Without GTIDs a replica is known by its following only.
        let channels = &latest.report.channels;
        let follows = !channels.is_empty()
            && channels
                .iter()
                .all(|channel| channel.receiving && channel.applying);
        return Some(if follows || memory.primary.is_none() {
            Compared::Subset
        } else {
            Compared::Not
        });
    };
    let more = |look: &Look| match &look.report.transactions {
        Some(transactions) => transactions.missing_in(seen),
        None => Missing::Unknown,
    };
    if more(latest).is_empty() {
        return Some(Compared::Subset);
    }
    let before = [Some(latest), previous].into_iter().flatten();
    let asked = primary_asked?;
    let settled = before.into_iter().find(|look| look.answered <= asked)?;
    let more = more(settled);
    Some(if more.is_empty() {
        Compared::Subset
    } else {
        Compared::More(more)
    })
}

fn other(known: &Known, group: &Group, choice: &Choice, place: usize, look: &Look) -> Verdict {
    let compared = known.members.get(place).map(|member| &member.compared);
    let lag = known.history.lag(look);
    let refused = choice.refused.as_ref().filter(|(refused, _)| *refused == place);
    let candidate = choice.candidates.contains(&place);
    let more = match compared {
        Some(Compared::More(more)) => Some(more),
        _ => None,
    };
    let reason = if let Some((_, missing)) = refused {
        Some(format!(
            "it takes writes but lacks transactions of the group: {missing}"
        ))
    } else if candidate {
        Some(rival(group, choice))
    } else {
        None
    };
    let reason = reason
        .or_else(|| look.report.unfit())
        .or_else(|| more.map(|more| format!("it has transactions that the primary lacks: {more}")))
        .or_else(|| match compared {
            Some(Compared::Subset) => None,
            _ => Some("its transactions have not been compared with the primary's yet".to_owned()),
        })
        .or_else(|| too_far_behind(group, look, lag));
    let behind = |known: &Known| {
        let seen = known.memory.seen.as_ref()?;
        let missing = seen.missing_in(look.report.transactions.as_ref()?);
        Some(missing).filter(|missing| !missing.is_empty())
    };
    let differing = refused
        .map(|(_, missing)| missing.clone())
        .or_else(|| more.cloned())
        .or_else(|| reason.as_ref().and_then(|_| behind(known)));
    Verdict {
        role: if candidate { Role::Primary } else { Role::Replica },
        standing: reason.map_or(Standing::Up, Standing::Withheld),
        lag: match lag {
            Lag::Within(lag) | Lag::Beyond(lag) => Some(lag),
            Lag::Unknown => None,
        },
        differing,
    }
}

fn rival(group: &Group, choice: &Choice) -> String {
    match choice.primary {
        Ok(primary) => format!(
            "it takes writes, too, while {} is the primary",
            name(group, primary)
        ),
        Err(_) => "it takes writes, but is not known to be the primary".to_owned(),
    }
}

fn too_far_behind(group: &Group, look: &Look, lag: Lag) -> Option<String> {
    let limit = group.lag_limit?;
    let error = look.report.replication_error();
    let because = error.map(|error| format!(" ({error})")).unwrap_or_default();
    match lag {
        Lag::Within(lag) if lag <= limit => None,
        Lag::Within(lag) => Some(format!("it is {} s behind{because}", lag.as_secs())),
        Lag::Beyond(lag) => Some(format!(
            "it is more than {} s behind, and its replication does not run{because}",
            lag.as_secs()
        )),
        Lag::Unknown => Some(format!("how far it is behind cannot be told{because}")),
    }
}
