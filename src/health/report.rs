//! What a server says of itself when it is looked at.

use std::time::{Duration, Instant};

use super::transactions::Transactions;

/// What is known of a server at the moment.
#[derive(Clone, Debug)]
pub(super) enum Sight {
    /// It has not been asked yet.
    Unasked,
    /// It gives no answer, and this is what was tried.
    Silent(String),
    /// It answered.
    Answered(Box<Look>),
}

/// An answer, and when it was true: at some moment between the two.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) asked: Instant,
    pub(super) answered: Instant,
    pub(super) report: Report,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Report {
    /// Which server it is, whatever its address.
    pub(super) identity: Identity,
    /// Whether clients may write: neither `read_only` nor `super_read_only`.
    pub(super) writable: bool,
    /// Why it serves nobody, where it says so (`offline_mode`).
    pub(super) closed: Option<String>,
    /// What it has; `None` where it writes no GTIDs.
    pub(super) transactions: Option<Transactions>,
    /// What it received from its source and may not have applied yet.
    pub(super) received: Option<Transactions>,
    /// The sources it is set up to follow.
    pub(super) channels: Vec<Channel>,
    /// Its place in Group Replication, if it takes part.
    pub(super) group: Option<GroupMember>,
}

/// Which server it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Tells it from every other server.
    pub(super) unique: String,
    /// How GTIDs name it as their origin.
    pub(super) origin: String,
}

/// A source that a server follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Channel {
    /// The source's address as the replica was told.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// The source as GTIDs name it; empty before the first contact.
    pub(super) origin: String,
    /// Whether it receives, or tries to.
    pub(super) receiving: bool,
    /// Whether it applies what it received.
    pub(super) applying: bool,
    /// How far it takes itself to be behind.
    pub(super) behind: Option<Duration>,
    /// The last error, if there is one.
    pub(super) error: String,
}

impl Channel {
    /// Whether the server follows this source now.
    pub(super) fn runs(&self) -> bool {
        self.receiving || self.applying
    }
}

/// A server's place in Group Replication, as it sees it itself.
#[derive(Clone, Debug)]
pub(super) struct GroupMember {
    /// `ONLINE` and others.
    pub(super) state: String,
    /// Whether it is a primary.
    pub(super) primary: bool,
    /// Whether it reaches more than half of the group. A server that was cut off goes on calling itself online.
    pub(super) majority: bool,
}

impl GroupMember {
    /// Why it may serve nobody.
    pub(super) fn unfit(&self) -> Option<String> {
        if self.state != "ONLINE" {
            Some(format!("its state in Group Replication is {}", self.state))
        } else if !self.majority {
            Some("it has lost the majority of its replication group".to_owned())
        } else {
            None
        }
    }
}

impl Report {
    /// Whether it takes writes and nothing it says speaks against that.
    pub(super) fn takes_writes(&self) -> bool {
        let grouped = |group: &GroupMember| group.primary && group.unfit().is_none();
        self.writable && self.closed.is_none() && self.group.as_ref().is_none_or(grouped)
    }

    /// Why it may serve nobody, by its own word.
    pub(super) fn unfit(&self) -> Option<String> {
        self.closed
            .clone()
            .or_else(|| self.group.as_ref().and_then(GroupMember::unfit))
    }

    /// How far it takes itself to be behind the source that it is furthest behind; `None` where it cannot tell.
    pub(super) fn behind(&self) -> Option<Duration> {
        let mut worst = None;
        for channel in &self.channels {
            worst = worst.max(Some(channel.behind?));
        }
        worst
    }

    /// What its replication ran into last.
    pub(super) fn replication_error(&self) -> Option<&str> {
        let mut errors = self.channels.iter().map(|channel| channel.error.as_str());
        errors.find(|error| !error.is_empty())
    }
}

impl Sight {
    /// The answer, if there is one.
    pub(super) fn look(&self) -> Option<&Look> {
        match self {
            Self::Answered(look) => Some(look),
            Self::Unasked | Self::Silent(_) => None,
        }
    }
}
