//! An operator's word: this server takes the writes although it lacks transactions.
//!
//! # Why it is safe
//! The word names the server and repeats what is given up, as the refusal showed it. Should the server lack more by then,
//! the word is not taken. What other servers that take writes have besides is given up with it, so it must be
//! repeated as well: the choice between two of them is the operator's, and its price is known.

use super::super::memory::{Memory, Remembered};
use super::super::report::Sight;
use super::super::transactions::Missing;
use super::primary::{self, name};
use super::{Group, Known};

/// What the operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Wish {
    /// The member that is to take the writes.
    pub(in super::super) server: String,
    /// What it may lack.
    pub(in super::super) without: Missing,
}

/// What is to be remembered if the wish is granted, and what is given up.
pub(in super::super) fn accept(
    known: &Known,
    group: &Group,
    sights: &[Sight],
    wish: &Wish,
) -> Result<(Memory, Missing), String> {
    let place = group.members.iter().position(|member| member.name == wish.server);
    let place = place.ok_or_else(|| format!("the group '{}' has no server '{}'", group.name, wish.server))?;
    let report =
        primary::report(sights, place).ok_or_else(|| format!("{} does not answer", name(group, place)))?;
    let candidates = primary::candidates(known, group, sights);
    if !candidates.contains(&place) {
        return Err(format!(
            "{} takes no writes of its own: it is read-only, or replicates from another server of the group",
            name(group, place)
        ));
    }
    let lost = lost(known, sights, &candidates, place);
    if lost.is_empty() && known.memory.is_primary(&report.identity) {
        return Err(format!("{} is the primary already", name(group, place)));
    }
    if !wish.without.covers(&lost) {
        return Err(format!(
            "what {} lacks is not what the statement gives up; this would do: ACCEPT PRIMARY '{}' IN GROUP '{}' WITHOUT '{lost}'",
            name(group, place),
            wish.server,
            group.name,
        ));
    }
    let server = Remembered {
        identity: report.identity.clone(),
        name: wish.server.clone(),
    };
    let mut memory = known.memory();
    memory.accept(server, report.transactions.as_ref(), &lost);
    Ok((memory, lost))
}

/// What is given up with the choice: what was seen, and what the other candidates have.
fn lost(known: &Known, sights: &[Sight], candidates: &[usize], place: usize) -> Missing {
    let Some(report) = primary::report(sights, place) else {
        return Missing::Unknown;
    };
    let Some(transactions) = &report.transactions else {
        return Missing::Unknown;
    };
    let mut lost =
        primary::lacking(known, sights, place).unwrap_or_else(|| transactions.missing_in(transactions));
    for other in candidates.iter().filter(|other| **other != place) {
        let theirs = primary::report(sights, *other).and_then(|report| report.transactions.as_ref());
        let theirs = theirs.map_or(Missing::Unknown, |theirs| theirs.missing_in(transactions));
        match theirs {
            Missing::Unknown => return Missing::Unknown,
            theirs => lost.merge(&theirs),
        }
    }
    lost
}
