//! What follows from what was seen of a group: who takes its writes, and who may be read from.
//!
//! All of this is a pure function of what was known before and of the latest look at each server.
//!
//! # Invariants
//! 1. A server is the primary only if it has every transaction that the group's primaries were seen to have, or if an
//!    operator has given up the rest by name ([`accept`]). It holds because [`primary::choose`] is the only maker of a
//!    primary and asks [`Memory::missing_in`](super::memory::Memory::missing_in) of every server it takes, also of the one
//!    that was the primary before: that one may have lost what it had not synced, or have been restored from a backup.
//! 2. Of two servers that take writes the one that was the primary stays it. If neither was, nobody is.
//! 3. A server that has transactions the primary lacks is withheld. A server that was away, or whose primary changed, is
//!    withheld until it was compared again ([`replica`]).
//!
//! # What "seen" means
//! Each look at the primary reads its executed GTIDs. What it committed after the last look before its end was not seen,
//! except through the replicas: a replica that executed or received a transaction of the primary's own number shows that
//! the primary had it. What neither shows is known to nobody but the server that is gone. Semi-synchronous replication is
//! what makes sure that no such transaction was ever acknowledged.

pub(super) mod accept;
mod hearsay;
mod lag;
mod primary;
mod replica;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use super::memory::{Memory, Remembered};
use super::report::{Identity, Look, Sight};
use super::transactions::Missing;
use hearsay::Hearsay;
use lag::History;
use lag::Lag;
pub(super) use replica::UNASKED;

/// What the decision has to know of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) members: Vec<Address>,
    pub(super) lag_limit: Option<Duration>,
}

/// A member's name, and where a replica would say that it follows it.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
}

/// What is known of a group from one decision to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// What outlives the process.
    memory: Memory,
    hearsay: Hearsay,
    history: History,
    members: Vec<Member>,
}

/// What is known of one member.
#[derive(Clone, Debug, Default)]
struct Member {
    /// Which server it was when it last answered.
    identity: Option<Identity>,
    compared: Compared,
    /// The latest look, and the one before.
    looks: (Option<Look>, Option<Look>),
}

/// How a server's transactions compare with those of the group's primary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Compared {
    /// Nobody knows yet.
    #[default]
    Not,
    /// It has nothing that the primary lacks.
    Subset,
    /// It has these, which the primary lacks.
    More(Missing),
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The member that takes the writes, or why nobody does.
    pub(super) primary: Result<usize, String>,
    /// For each member what it is.
    pub(super) members: Vec<Verdict>,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) role: Role,
    pub(super) standing: Standing,
    pub(super) lag: Option<Duration>,
    pub(super) differing: Option<Missing>,
}

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
    Unknown,
}

/// Whether connections may go there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Up,
    Down(String),
    Withheld(String),
}

impl Known {
    /// What is known at the start.
    pub(super) fn remembering(memory: Memory) -> Self {
        Self {
            memory,
            ..Self::default()
        }
    }

    /// What is to be remembered for good.
    pub(super) fn memory(&self) -> Memory {
        let mut memory = self.memory.clone();
        for told in self.hearsay.all() {
            memory.learn(told);
        }
        memory
    }

    /// Somebody else remembers this of the group, and told it now.
    pub(super) fn join(&mut self, other: &Memory, now: Instant) {
        if other.words > self.memory.words || self.memory.primary.is_none() {
            if *other != self.memory {
                self.memory = other.clone();
                self.begin_anew();
            }
        } else if other.words == self.memory.words
            && let (Some(seen), Some(told)) = (&self.memory.seen, &other.seen)
            && !told.missing_in(seen).is_empty()
        {
            self.hearsay.note(now, told.clone());
        }
    }

    /// Nothing that was compared with another primary holds any more.
    fn begin_anew(&mut self) {
        self.hearsay = Hearsay::default();
        self.history = History::default();
        for member in &mut self.members {
            member.compared = Compared::Not;
        }
    }

    /// When the server that takes the writes was asked for what is known of it, if it answers.
    fn primary_asked(&self, sights: &[Sight]) -> Option<Instant> {
        let looks = sights.iter().filter_map(Sight::look);
        looks
            .filter(|look| self.memory.is_primary(&look.report.identity))
            .map(|look| look.asked)
            .max()
    }
}

/// Decides, and takes down what was learnt. There is a sight for each member, in the group's order.
pub(super) fn decide(known: &mut Known, group: &Group, sights: &[Sight]) -> Decision {
    known.members.resize_with(group.members.len(), Member::default);
    take_down(known, sights);
    let asked = known.primary_asked(sights);
    known.hearsay.settle(asked, &mut known.memory);
    let choice = primary::choose(known, group, sights);
    if let Ok(chosen) = choice.primary
        && let Some(look) = sights.get(chosen).and_then(Sight::look)
        && let Some(address) = group.members.get(chosen)
    {
        take_up(known, group, address, look);
    }
    let members = replica::verdicts(known, group, sights, &choice);
    Decision {
        primary: choice.primary,
        members,
    }
}

/// Takes down who answered and what the answers tell of the primary.
fn take_down(known: &mut Known, sights: &[Sight]) {
    for (member, sight) in known.members.iter_mut().zip(sights) {
        let Some(look) = sight.look() else {
            // What it does while nobody looks is not known.
            member.compared = Compared::Not;
            member.looks = (None, None);
            continue;
        };
        if member
            .looks
            .0
            .as_ref()
            .is_some_and(|latest| latest.asked == look.asked)
        {
            continue;
        }
        member.looks.1 = member.looks.0.replace(look.clone());
        if member.identity.as_ref() != Some(&look.report.identity) {
            member.identity = Some(look.report.identity.clone());
            member.compared = Compared::Not;
            member.looks.1 = None;
        }
        let report = &look.report;
        if !known.memory.is_primary(&report.identity) {
            for had in report.transactions.iter().chain(&report.received) {
                if let Some(told) = known.memory.hearsay(had) {
                    known.hearsay.note(look.answered, told);
                }
            }
        }
    }
}

/// The member was chosen: it is what is followed from now on.
fn take_up(known: &mut Known, group: &Group, address: &Address, look: &Look) {
    let server = Remembered {
        identity: look.report.identity.clone(),
        name: address.name.clone(),
    };
    if !known.memory.is_primary(&server.identity) {
        known.begin_anew();
    }
    known.memory.follow(server, look.report.transactions.as_ref());
    if let Some(transactions) = &look.report.transactions {
        known.history.note(look.asked, transactions, group.lag_limit);
    }
}
