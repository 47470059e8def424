//! Looks at one server, over a connection that is kept.
//!
//! # Invariants
//! - A look ends within its patience, whatever the server does: one that hangs is silent.
//! - One connection a server. It is given up after any failure, and a failure on a kept connection is followed by one
//!   attempt on a new one: what was closed or killed in between says nothing about the server.

mod mariadb;
mod mysql;

use std::time::{Duration, Instant};

use alterego_engine::{Flavor, ServerVersion};
use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, DriverError, Error, IoError, Row};
use tracing::warn;

use super::Way;
use super::report::{Channel, Look, Report, Sight};
use super::transactions::Transactions;
use crate::startup::quoted_account;

/// `ER_TABLEACCESS_DENIED_ERROR`, `ER_SPECIFIC_ACCESS_DENIED_ERROR`.
const DENIED: [u16; 2] = [1142, 1227];

/// Looks at one server.
pub(super) struct Observer {
    /// The server's name in the configuration.
    name: String,
    way: Way,
    patience: Duration,
    kept: Option<(Conn, Flavor)>,
    /// The right the account was found to lack, so that it is said once.
    lacking: Option<&'static str>,
}

/// What keeps a server from telling.
#[derive(Debug)]
enum Failure {
    /// The account may not ask.
    Denied { lacks: &'static str, words: String },
    /// Anything else, in words.
    Other(String),
}

impl Failure {
    fn into_words(self) -> String {
        match self {
            Self::Denied { words, .. } | Self::Other(words) => words,
        }
    }
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self::Other(words)
    }
}

impl From<&str> for Failure {
    fn from(words: &str) -> Self {
        Self::Other(words.to_owned())
    }
}

impl Observer {
    /// Nothing is opened before the first look.
    pub(super) fn new(name: String, way: Way, patience: Duration) -> Self {
        Self {
            name,
            way,
            patience,
            kept: None,
            lacking: None,
        }
    }

    /// Looks now.
    pub(super) async fn look(&mut self) -> Sight {
        // What a look that ran out of patience left behind must not be read by the next one.
        let kept = self.kept.take();
        let patience = self.patience;
        match tokio::time::timeout(patience, self.ask(kept)).await {
            Ok(sight) => sight,
            Err(_) => Sight::Silent(format!("no answer within {} s", patience.as_secs_f32())),
        }
    }

    async fn ask(&mut self, kept: Option<(Conn, Flavor)>) -> Sight {
        if let Some((conn, flavor)) = kept
            && let Ok(look) = self.ask_on(conn, flavor).await
        {
            return Sight::Answered(Box::new(look));
        }
        let (conn, flavor) = match connect(&self.way).await {
            Ok(connected) => connected,
            Err(reason) => return Sight::Silent(reason),
        };
        match self.ask_on(conn, flavor).await {
            Ok(look) => Sight::Answered(Box::new(look)),
            Err(reason) => Sight::Silent(reason),
        }
    }

    async fn ask_on(&mut self, mut conn: Conn, flavor: Flavor) -> Result<Look, String> {
        let asked = Instant::now();
        let report = match report(&mut conn, flavor).await {
            Ok(report) => report,
            Err(failure) => {
                self.tell_lack(&mut conn, &failure).await;
                return Err(failure.into_words());
            }
        };
        self.lacking = None;
        self.kept = Some((conn, flavor));
        Ok(Look {
            asked,
            answered: Instant::now(),
            report,
        })
    }
}

impl Observer {
    /// Says to the operator, and to nobody else, which statement mends it that the account may not ask.
    async fn tell_lack(&mut self, conn: &mut Conn, failure: &Failure) {
        let Failure::Denied { lacks, .. } = failure else {
            return;
        };
        if self.lacking.replace(*lacks) == Some(*lacks) {
            return;
        }
        let account: Option<String> = conn.query_first("SELECT CURRENT_USER()").await.ok().flatten();
        if let Some(account) = account {
            let account = quoted_account(&account);
            let server = &self.name;
            warn!("the account {account} may not watch the server '{server}': GRANT {lacks} TO {account};");
        }
    }
}

/// What the server at the other end has; `None` if it writes no GTIDs. It needs no privilege.
///
/// # Errors
/// What keeps it from telling, in words.
pub(crate) async fn transactions_of(conn: &mut Conn) -> Result<Option<Transactions>, String> {
    let found = match flavor(conn).await? {
        Flavor::MySql => mysql::transactions(conn).await,
        Flavor::MariaDb => mariadb::transactions(conn).await,
    };
    found.map_err(Failure::into_words)
}

/// What the server says of itself.
async fn report(conn: &mut Conn, flavor: Flavor) -> Result<Report, Failure> {
    match flavor {
        Flavor::MySql => mysql::report(conn).await,
        Flavor::MariaDb => mariadb::report(conn).await,
    }
}

/// A connection, and the kind of server at its other end; or what keeps it from being used, in words.
async fn connect(way: &Way) -> Result<(Conn, Flavor), String> {
    let mut conn = match (Conn::new(way.opts.clone()).await, &way.without_tls) {
        (Err(Error::Driver(DriverError::NoClientSslFlagFromServer)), Some(opts)) => {
            Conn::new(opts.clone()).await
        }
        (connected, _) => connected,
    }
    .map_err(|error| format!("cannot connect: {}", words(&error)))?;
    let flavor = flavor(&mut conn).await?;
    Ok((conn, flavor))
}

async fn flavor(conn: &mut Conn) -> Result<Flavor, String> {
    let text: Option<String> = ask(conn, "SELECT VERSION()")
        .await
        .map_err(Failure::into_words)?
        .and_then(|row| value(&row, 0));
    let version = text.as_deref().and_then(ServerVersion::parse);
    Ok(version.ok_or("it does not say which server it is")?.flavor)
}

/// The first row of a question's answer.
async fn ask(conn: &mut Conn, question: &str) -> Result<Option<Row>, Failure> {
    conn.query_first(question)
        .await
        .map_err(|error| words(&error).into())
}

/// All rows of the answer to a question that takes a right; `lacks` is what a `GRANT` of it says before `TO`.
async fn ask_by_right(conn: &mut Conn, question: &str, lacks: &'static str) -> Result<Vec<Row>, Failure> {
    let answered = conn.query(question).await;
    answered.map_err(|error| match &error {
        Error::Server(denied) if DENIED.contains(&denied.code) => Failure::Denied {
            lacks,
            words: words(&error),
        },
        _ => words(&error).into(),
    })
}

fn words(error: &Error) -> String {
    match error {
        Error::Server(error) => format!("{} ({})", error.message, error.code),
        Error::Io(IoError::Io(error)) => error.to_string(),
        error => error.to_string(),
    }
}

/// A column's value by its place or its name; `None` for NULL, too.
fn value<T: FromValue>(row: &Row, column: impl mysql_async::prelude::ColumnIndex) -> Option<T> {
    row.get_opt::<Option<T>, _>(column)?.ok()?
}

/// A column's text; empty for NULL.
fn text(row: &Row, column: &str) -> String {
    value(row, column).unwrap_or_default()
}

/// The columns of a replica's status. MySQL renamed them; MariaDB did not.
struct StatusColumns {
    host: &'static str,
    port: &'static str,
    receiving: &'static str,
    applying: &'static str,
    behind: &'static str,
    origin: &'static str,
}

impl StatusColumns {
    fn channel(&self, row: &Row) -> Channel {
        let errors = [text(row, "Last_SQL_Error"), text(row, "Last_IO_Error")];
        let behind: Option<u64> = value(row, self.behind);
        Channel {
            host: text(row, self.host),
            port: value(row, self.port).unwrap_or_default(),
            origin: text(row, self.origin),
            receiving: text(row, self.receiving) != "No",
            applying: text(row, self.applying) != "No",
            behind: behind.map(Duration::from_secs),
            error: errors
                .into_iter()
                .find(|error| !error.is_empty())
                .unwrap_or_default(),
        }
    }
}

/// Whether a variable is on, as a number or as a word. MariaDB 12's `read_only` has further words, all of which are.
fn is_on(value: &str) -> bool {
    !matches!(value, "" | "0") && !value.eq_ignore_ascii_case("OFF")
}
