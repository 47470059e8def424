//! What the proxy asks of whoever carries out schema changes.

use std::any::Any;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::config::Upstream;

/// How a session reads SQL text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadMode {
    /// `"x"` is an identifier (`ANSI_QUOTES`).
    pub ansi_quotes: bool,
    /// `\` is an ordinary character (`NO_BACKSLASH_ESCAPES`).
    pub no_backslash_escapes: bool,
}

impl ReadMode {
    /// What `@@sql_mode` says of it.
    pub(crate) fn of_sql_mode(sql_mode: &str) -> Self {
        let has = |name: &str| sql_mode.split(',').any(|mode| mode.eq_ignore_ascii_case(name));
        Self {
            ansi_quotes: has("ANSI_QUOTES"),
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        }
    }

    /// The modes that make a difference to `text`.
    pub(crate) fn of_text(text: &str) -> impl Iterator<Item = Self> {
        let one_of = |has_two: bool| [false, true].into_iter().take(1 + usize::from(has_two));
        let (quotes, backslashes) = (text.contains('"'), text.contains('\\'));
        one_of(quotes).flat_map(move |ansi_quotes| {
            one_of(backslashes).map(move |no_backslash_escapes| Self {
                ansi_quotes,
                no_backslash_escapes,
            })
        })
    }
}

/// What the hooks make of a statement.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// No schema change of a table: forward it and say nothing.
    Unrelated,
    /// A schema change the server must do itself: forward it and log why.
    Native {
        /// Reads as the end of "left to the server, because …".
        reason: String,
    },
    /// A schema change that may be done online, once the server was asked.
    Ask(Question),
}

/// How the server is asked about a schema change, on the client's own session.
#[derive(Clone, Debug)]
pub struct Question {
    /// The schema the statement names, if it names one (unquoted).
    pub schema: Option<String>,
    /// The table it names (unquoted).
    pub table: String,
    /// The client's statement in the form that is put to the server first.
    pub first: Attempt,
    /// A second form, put after the first was declined: a metadata-only change in place.
    pub second: Option<Attempt>,
    /// What is put to the server when the forms were declined, so that it keeps nothing of them. Each of these fails.
    pub afterwards: Vec<Attempt>,
}

/// One form of the client's statement to put to the server.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The statement.
    pub sql: String,
    /// The error by which the server declines this form while accepting the change itself:
    /// any error in this list, and, if `declined_text` is set, only with that text inside it.
    pub declined_codes: Vec<u16>,
    /// A text the declining error must contain.
    pub declined_text: Option<String>,
}

/// The settings of the client's session that change what an ALTER means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSession {
    /// `@@sql_mode`.
    pub sql_mode: String,
    /// `@@time_zone`.
    pub time_zone: String,
    /// `@@character_set_client`.
    pub character_set_client: String,
    /// `@@collation_connection`.
    pub collation_connection: String,
    /// `@@foreign_key_checks`.
    pub foreign_key_checks: bool,
    /// `@@max_error_count`: how many warnings a diagnostics area holds.
    pub max_error_count: u32,
}

/// A schema change the server was asked about: it allows it, and it cannot do it at once.
#[derive(Clone, Debug)]
pub struct Request {
    /// The client's statement, unchanged.
    pub sql: String,
    /// How the session reads it.
    pub mode: ReadMode,
    /// The table's schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The session's settings.
    pub session: ClientSession,
    /// The server that was asked, where there are several.
    pub upstream: Option<Upstream>,
}

/// A statement that changes schemas and is not carried out by the hooks, or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bystander {
    /// The client's statement, unchanged.
    pub sql: String,
    /// How the session reads it.
    pub mode: ReadMode,
    /// The session's default schema.
    pub schema: Option<String>,
    /// The server it is for, where there are several.
    pub upstream: Option<Upstream>,
}

/// One line of `SHOW WARNINGS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `Note`, `Warning` or `Error`.
    pub level: String,
    /// The error number.
    pub code: u16,
    /// The text.
    pub message: String,
}

/// What the client is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An OK packet.
    Ok {
        /// Affected rows.
        affected: u64,
        /// The info text, for example `Records: 0  Duplicates: 0  Warnings: 0`.
        info: String,
        /// The number of warnings; may exceed `warnings.len()`.
        warning_count: u16,
        /// What `SHOW WARNINGS` says next.
        warnings: Vec<Warning>,
    },
    /// An ERR packet.
    Err {
        /// The error number.
        code: u16,
        /// The SQLSTATE, five characters.
        state: String,
        /// The text.
        message: String,
    },
    /// The server must do it itself after all: forward the client's own bytes.
    Native {
        /// Reads as the end of "left to the server, because …".
        reason: String,
        /// By what number the hooks know of it already.
        record: Option<u64>,
    },
}

/// How the server carried a schema change out itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the first form it was asked about.
    First,
    /// By the second.
    Second,
    /// By the client's own statement.
    Own {
        /// Reads as the end of "left to the server, because …".
        reason: String,
        /// What [`Answer::Native`] said.
        record: Option<u64>,
    },
}

/// A schema change that the server has carried out itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The client's statement.
    pub sql: String,
    /// How its session reads it, as far as that is known.
    pub mode: ReadMode,
    /// The session's default schema, where it is known.
    pub schema: Option<String>,
    /// How.
    pub way: Way,
    /// The server that did it, where there are several.
    pub upstream: Option<Upstream>,
}

/// How far a schema change has come, for MariaDB's progress packets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// What is being done, for example `copying rows`.
    pub stage: String,
    /// The stage's number, from 1.
    pub stage_number: u8,
    /// How many stages there are.
    pub stages: u8,
    /// Percent of the stage, 0 to 100.
    pub percent: f64,
}

/// The client's side of a running schema change.
#[derive(Debug)]
pub struct Held {
    /// Becomes true when the client's statement is killed: the change is to be given up, unless it has happened.
    pub cancelled: watch::Receiver<bool>,
    /// Takes progress.
    pub progress: watch::Sender<Progress>,
    /// What [`Hooks::pass`] gave, where the change had to wait for others.
    pub pass: Option<Latch>,
}

/// A result set made by the proxy itself; every column is text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A lock that is given back when this is dropped.
pub type Latch = Box<dyn Any + Send + Sync>;

/// Whoever carries out schema changes.
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// What to do with `sql`. Called for a statement that begins (after space and comments) with ALTER, CREATE,
    /// DROP or OPTIMIZE; pure and quick.
    fn inspect(&self, sql: &str, mode: ReadMode) -> Verdict;

    /// Carries out a schema change. Dropping the future detaches the client from it and does not end it.
    async fn alter(&self, request: Request, held: Held) -> Answer;

    /// Takes the server's user lock `name` (`GET_LOCK`) on a connection of its own, and holds it until the latch is dropped.
    /// `None` if that cannot be done.
    async fn latch(&self, _name: &str) -> Option<Latch> {
        None
    }

    /// Whether `sql` may be about what a schema change under way works on. Called for every statement that may change a
    /// schema; quick, and only then is anything else asked.
    fn may_concern(&self, _sql: &str) -> bool {
        false
    }

    /// Whether the statement has to wait for a schema change under way, as it would at the server for a metadata lock.
    fn is_concerned(&self, _statement: &Bystander) -> bool {
        false
    }

    /// Waits for that, and keeps the next schema change of the table from beginning until the latch is dropped.
    async fn pass(&self, _statement: Bystander) -> Option<Latch> {
        None
    }

    /// The server has carried a schema change out itself, and the client has its answer. Quick: it may be remembered, and
    /// nobody waits for that.
    fn done(&self, _change: Done) {}

    /// The rows of `SHOW MIGRATIONS`.
    async fn migrations(&self) -> Grid;

    /// The process ends: what is under way comes to rest where the next process can take it up.
    async fn rest(&self) {}
}
