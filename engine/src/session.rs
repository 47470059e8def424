//! The engine's own connections and the settings they run under.
//!
//! # Invariants
//! Every engine session runs in READ COMMITTED: a chunk's locking read then leaves no gap locks on the source, so
//! the application's inserts into the range pass. Every session's `time_zone` is UTC unless the change converts
//! between TIMESTAMP and another type, which is the one case where it is part of the result.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::ident::quoted_text;
use crate::server_run::ServerRun;
use crate::{Error, Flavor, Result, ServerVersion};

/// The settings of the client's session that change what an ALTER means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// `@@sql_mode`.
    pub sql_mode: String,
    /// `@@time_zone`.
    pub time_zone: String,
    /// `@@character_set_client`.
    pub character_set_client: String,
    /// `@@collation_connection` (its character set is `character_set_connection`).
    pub collation_connection: String,
    /// `@@foreign_key_checks`.
    pub foreign_key_checks: bool,
}

/// The server the engine works on: how to reach it and what it is.
#[derive(Clone, Debug)]
pub struct Upstream {
    opts: Opts,
    /// Its version.
    pub version: ServerVersion,
    /// The only run of it that is wanted.
    run: Option<ServerRun>,
    ignores_case: bool,
}

impl Upstream {
    /// Connects once, to learn the server's version.
    ///
    /// # Errors
    /// Those of connecting, and [`Error::Fatal`] for a version text that is neither MySQL's nor MariaDB's.
    pub async fn reach(opts: Opts) -> Result<Self> {
        let mut conn = Conn::new(session_opts(&opts)).await?;
        let row: Option<(String, u8)> = conn
            .query_first("SELECT VERSION(), @@lower_case_table_names")
            .await?;
        conn.disconnect().await?;
        let (text, lower_case_table_names) = row.unwrap_or_default();
        let version = ServerVersion::parse(&text).ok_or_else(|| {
            Error::fatal(format!(
                "the server calls itself `{text}`, which is not a MySQL or MariaDB version"
            ))
        })?;
        Ok(Self {
            opts,
            version,
            run: None,
            ignores_case: lower_case_table_names != 0,
        })
    }

    /// The same server, for as long as it is not started again: after that every connection ends in
    /// [`Error::OutcomeUnknown`].
    ///
    /// # Errors
    /// Those of connecting.
    pub(crate) async fn in_this_run(&self) -> Result<Self> {
        let any = self.in_any_run();
        let mut conn = any.control().await?;
        let run = Some(ServerRun::of(&mut conn).await?);
        conn.disconnect().await?;
        Ok(Self { run, ..any })
    }

    /// The same server, whether it has been started again or not.
    pub(crate) fn in_any_run(&self) -> Self {
        Self {
            run: None,
            ..self.clone()
        }
    }

    /// Whether names of schemas and tables mean the same in any case (`lower_case_table_names`).
    pub fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// Which family the server belongs to.
    pub fn flavor(&self) -> Flavor {
        self.version.flavor
    }

    /// How to reach the server.
    pub fn opts(&self) -> &Opts {
        &self.opts
    }

    /// A session for the engine's own statements: lax `sql_mode`, UTC, READ COMMITTED, no DDL wait above a second.
    ///
    /// # Errors
    /// Those of connecting; [`Error::OutcomeUnknown`] for another run of the server than the one that is wanted.
    pub async fn control(&self) -> Result<Conn> {
        let mut conn = Conn::new(session_opts(&self.opts)).await?;
        conn.query_drop(
            "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00', transaction_isolation='READ-COMMITTED', \
             lock_wait_timeout=1, wait_timeout=28800"
                .replace("transaction_isolation", self.isolation_variable()),
        )
        .await?;
        match self.run {
            Some(run) if !run.is(ServerRun::of(&mut conn).await?) => Err(Error::OutcomeUnknown(
                "the server was started again, and may not have all that was written to it".to_owned(),
            )),
            _ => Ok(conn),
        }
    }

    /// A session that writes ghost rows: the client's settings, as the native change would see them.
    ///
    /// A server that copies the table (`native_copies`) refuses an existing zero date that the client's `sql_mode`
    /// forbids; one that rebuilds it in place does not look. An AUTO_INCREMENT value of 0 passes either way.
    ///
    /// # Errors
    /// Those of connecting.
    pub async fn worker(
        &self,
        settings: &SessionSettings,
        time_zone: &str,
        native_copies: bool,
    ) -> Result<Conn> {
        let mut conn = self.control().await?;
        conn.query_drop(format!(
            "SET SESSION sql_mode={}, time_zone={}, foreign_key_checks={}, innodb_lock_wait_timeout=5",
            quoted_text(&rebuild_sql_mode(&settings.sql_mode, native_copies)),
            quoted_text(time_zone),
            u8::from(settings.foreign_key_checks),
        ))
        .await?;
        Ok(conn)
    }

    fn isolation_variable(&self) -> &'static str {
        match self.flavor() {
            Flavor::MySql => "transaction_isolation",
            // The name MariaDB has always had; `transaction_isolation` came late there.
            Flavor::MariaDb => "tx_isolation",
        }
    }
}

/// Modes that say how text is read, which is ours here, or that are names for a group of others.
const NOT_KEPT: [&str; 10] = [
    "TRADITIONAL",
    "ANSI",
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "IGNORE_SPACE",
    "EMPTY_STRING_IS_NULL",
    "ORACLE",
    "PAD_CHAR_TO_FULL_LENGTH",
    "NO_AUTO_VALUE_ON_ZERO",
    "",
];

/// The share of the client's `sql_mode` a row copy runs under.
fn rebuild_sql_mode(client: &str, native_copies: bool) -> String {
    let about_zero_dates = |mode: &str| matches!(mode, "NO_ZERO_DATE" | "NO_ZERO_IN_DATE");
    let kept = client
        .split(',')
        .filter(|mode| !NOT_KEPT.contains(mode) && (native_copies || !about_zero_dates(mode)));
    kept.chain(["NO_AUTO_VALUE_ON_ZERO"])
        .collect::<Vec<_>>()
        .join(",")
}

fn session_opts(opts: &Opts) -> Opts {
    // A statement batch (`DELETE …; INSERT …; COMMIT`) is one round trip: mysql_async always allows those.
    OptsBuilder::from_opts(opts.clone())
        .tcp_nodelay(true)
        .prefer_socket(false)
        .stmt_cache_size(0)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_dates_pass_where_the_server_would_not_look() {
        let check = |client: &str, native_copies: bool, expected: &str| {
            assert_eq!(rebuild_sql_mode(client, native_copies), expected);
        };
        const STRICT: &str = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE";
        check("", false, "NO_AUTO_VALUE_ON_ZERO");
        check(STRICT, false, "STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO");
        check(STRICT, true, &format!("{STRICT},NO_AUTO_VALUE_ON_ZERO"));
        check(
            "ANSI_QUOTES,STRICT_ALL_TABLES",
            true,
            "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO",
        );
    }
}
