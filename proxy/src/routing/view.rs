//! What is known of a group of servers at one moment: who may be written to, who may be read from.
//!
//! A view is made whole by whoever watches the servers and replaced whole, so a connection is placed by facts that belong
//! together. It is data only: watching is the binary's, placing is this module's neighbours'.

use std::time::Duration;

use crate::config::Upstream;

/// A group of servers that hold the same data, as seen at one moment.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// The group's name in the configuration.
    pub name: String,
    /// How far behind a replica may be that is read from.
    pub lag_limit: Option<Duration>,
    /// The place in `members` of the server that takes writes, or why nobody does.
    pub primary: Result<usize, NoPrimary>,
    /// All servers of the group, in the order of the configuration.
    pub members: Vec<MemberView>,
}

impl GroupView {
    /// A group of one server, taken for its primary and not watched.
    pub(super) fn single(name: &str, upstream: &Upstream) -> Self {
        let member = MemberView {
            name: upstream.to_string(),
            upstream: upstream.clone(),
            weight: 0,
            role: Role::Primary,
            state: State::Up,
            lag: None,
            transactions: String::new(),
            differing: None,
        };
        Self {
            name: name.to_owned(),
            lag_limit: None,
            primary: Ok(0),
            members: vec![member],
        }
    }
}

/// Why a group has no server that writes may go to; the text is meant for clients and operators alike.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoPrimary(pub String);

/// One server of a group.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// The server's name in the configuration.
    pub name: String,
    /// Where it is reached.
    pub upstream: Upstream,
    /// The share of reading connections it gets, next to the other replicas' weights; 0: none.
    pub weight: u32,
    /// What it was found to be.
    pub role: Role,
    /// Whether connections may be placed on it.
    pub state: State,
    /// How far a replica is behind its source, where it says so.
    pub lag: Option<Duration>,
    /// The transactions it has, as the server writes them.
    pub transactions: String,
    /// Transactions that the group was seen to have and this server lacks, or has and the group's primary lacks.
    pub differing: Option<String>,
}

/// What a server of a group was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It follows another one and is read-only.
    Replica,
    /// It could not be asked yet.
    Unknown,
}

/// Whether connections may be placed on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// They may.
    Up,
    /// It does not answer, and this is what was tried.
    Down(String),
    /// It answers, and is kept from connections for this reason: too far behind, or its transactions are not a match.
    Withheld(String),
}
