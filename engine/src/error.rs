//! Errors that carry a decision: what a caller can do about one is its variant.

use std::fmt;

/// An error packet as a server sent it, or as the server would have sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// The server's error number, for example 1062.
    pub code: u16,
    /// The five characters of the SQLSTATE.
    pub state: String,
    /// The text.
    pub message: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERROR {} ({}): {}", self.code, self.state, self.message)
    }
}

impl std::error::Error for ServerError {}

/// Why a statement is left to the server; reads as the end of "… is left to the server, because …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What went wrong, as the decision it asks for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was done and nothing is left behind: the server can run the statement natively.
    #[error("left to the server, because {0}")]
    Refused(Refusal),
    /// The data or the definition refuses the change: the client's answer is this error.
    #[error("{0}")]
    Answer(ServerError),
    /// A lock or a connection was not to be had; the same step can be tried again.
    #[error("{0}")]
    Transient(#[source] mysql_async::Error),
    /// Trying again cannot help; the migration ends and the source is untouched.
    #[error("{0}")]
    Fatal(String),
    /// A statement was sent and its outcome never heard: look at the tables before deciding anything.
    #[error("the outcome of a statement is unknown: {0}")]
    OutcomeUnknown(String),
}

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// 1205: a lock was not granted in time (MariaDB's answer to NOWAIT, too).
pub const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// 1213: chosen as the victim of a deadlock.
pub const DEADLOCK: u16 = 1213;
/// 3572: MySQL's answer to NOWAIT on a locked row.
pub const LOCK_NOWAIT: u16 = 3572;
/// 1317: the statement was killed.
pub const QUERY_INTERRUPTED: u16 = 1317;
/// What a server says of its own state, or of the connection, and not of the statement: it may say otherwise a moment
/// later, so no long copy ends by it.
///
/// Out of memory 1037 1038 1041, too many connections 1040 and 1203, handshake failed 1042 1043, shutting
/// down 1053, no new thread 1135, the network 1158-1161, connection aborted 1152 1184 1927, resource limits
/// 1226, read-only 1290 1836 (a primary being demoted), offline 3032, idle too long 4031. A full disk (1021, 1114) is not
/// waited for: the ghost is what fills it.
const PASSING: [u16; 21] = [
    1037, 1038, 1040, 1041, 1042, 1043, 1053, 1135, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1290,
    1836, 1927, 3032, 4031,
];
/// 1049: there is no such schema.
pub const UNKNOWN_SCHEMA: u16 = 1049;
/// 1062: duplicate entry.
pub const DUPLICATE_ENTRY: u16 = 1062;

impl Error {
    /// The refusal with this reason.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(Refusal(reason.into()))
    }

    /// The fatal error with this text.
    pub fn fatal(text: impl Into<String>) -> Self {
        Self::Fatal(text.into())
    }

    /// Whether the server said that there is no such schema.
    pub fn is_unknown_schema(&self) -> bool {
        self.server().is_some_and(|server| server.code == UNKNOWN_SCHEMA)
    }

    /// The server's error, where this is one.
    pub fn server(&self) -> Option<ServerError> {
        match self {
            Self::Answer(error) => Some(error.clone()),
            Self::Transient(mysql_async::Error::Server(error)) => Some(error.into()),
            _ => None,
        }
    }
}

impl From<&mysql_async::ServerError> for ServerError {
    fn from(error: &mysql_async::ServerError) -> Self {
        Self {
            code: error.code,
            state: error.state.clone(),
            message: error.message.clone(),
        }
    }
}

impl From<mysql_async::Error> for Error {
    /// A lock not granted, a connection lost and a passing state of the server can be tried again; any other word of the
    /// server is an answer.
    fn from(error: mysql_async::Error) -> Self {
        match &error {
            mysql_async::Error::Server(server) => match server.code {
                LOCK_WAIT_TIMEOUT | DEADLOCK | LOCK_NOWAIT => Self::Transient(error),
                // Somebody killed a statement of ours. The client's own wish to end comes another way.
                QUERY_INTERRUPTED => Self::Transient(error),
                code if PASSING.contains(&code) => Self::Transient(error),
                _ => Self::Answer(server.into()),
            },
            mysql_async::Error::Io(_) | mysql_async::Error::Driver(_) => Self::Transient(error),
            mysql_async::Error::Other(_) | mysql_async::Error::Url(_) => Self::Fatal(error.to_string()),
        }
    }
}
