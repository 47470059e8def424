//! What must be true of the server before alterego serves anybody.
//!
//! One connection reads the [`Facts`]; each check is a pure function of them in a file of its own. All findings are
//! reported together, each with the statement that mends it, so that one visit to the server is enough.

mod binlog;
mod clock;
mod facts;
mod grants;
mod proxy_protocol;
mod role;
mod version;

use std::time::Duration;

use alterego_proxy::UNREACHABLE;
use alterego_proxy::tls::SslMode;
use anyhow::{Context, bail};
use mysql_async::{Conn, DriverError, IoError, Opts};
use tracing::warn;

use crate::cli::{ServerAddress, Settings, Strategy};
use facts::Facts;
pub(crate) use grants::quoted_account;

/// How long the server may take to answer the start-up checks.
const PATIENCE: Duration = Duration::from_secs(10);

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    /// A finding that is not fatal is only a warning.
    fatal: bool,
    /// What is wrong and why it matters, in one sentence without a full stop.
    what: String,
    /// The statement, or the step, that mends it.
    remedy: String,
}

impl Finding {
    fn fatal(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            fatal: true,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    fn warning(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            fatal: false,
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// The server cannot be used as it is; prints as one line for each finding.
#[derive(Debug)]
pub(crate) struct Unfit(Vec<Finding>);

impl std::error::Error for Unfit {}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Finding::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Checks the server, and says with which options it was reached: with `opts`, or without TLS where that is only
/// preferred. Warnings are logged.
///
/// # Errors
/// The server is out of reach, refuses the account, or is unfit.
pub(crate) async fn check(settings: &Settings, server: &ServerAddress, opts: Opts) -> anyhow::Result<Opts> {
    let (facts, opts) = tokio::time::timeout(PATIENCE, gather(server, opts, settings.strategy))
        .await
        .map_err(|_| {
            anyhow::anyhow!(
                "the server at {server} did not answer within {} s",
                PATIENCE.as_secs()
            )
        })??;
    let (fatal, warnings): (Vec<_>, Vec<_>) =
        all_findings(&facts, settings).into_iter().partition(|f| f.fatal);
    for finding in warnings {
        warn!("{finding}");
    }
    if fatal.is_empty() {
        Ok(opts)
    } else {
        Err(Unfit(fatal).into())
    }
}

async fn gather(server: &ServerAddress, opts: Opts, strategy: Strategy) -> anyhow::Result<(Facts, Opts)> {
    let mut conn = connect(server, opts).await?;
    let facts = Facts::read(&mut conn, strategy)
        .await
        .context("cannot check the server")?;
    let opts = conn.opts().clone();
    // A server that drops the connection now has answered everything; there is nothing to be said about it.
    let _ = conn.disconnect().await;
    Ok((facts, opts))
}

/// Connects with `opts`, or without TLS where that is only preferred.
///
/// # Errors
/// The server is out of reach or refuses the account, in words that name it.
pub(crate) async fn connect(server: &ServerAddress, opts: Opts) -> anyhow::Result<Conn> {
    let mut reached = Conn::new(opts).await;
    if server.tls.mode == SslMode::Preferred
        && let Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)) = reached
    {
        reached = Conn::new(server.opts()).await;
    }
    match reached {
        Ok(conn) => Ok(conn),
        Err(mysql_async::Error::Server(error)) if error.code == UNREACHABLE => {
            bail!("cannot reach the server at {server}: {}", error.message)
        }
        Err(mysql_async::Error::Server(error)) => {
            bail!(
                "the server at {server} refuses the account `{}`: {} ({})",
                server.user,
                error.message,
                error.code
            )
        }
        Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)) => {
            bail!("cannot reach the server at {server}: TLS is required but the server does not offer it")
        }
        Err(mysql_async::Error::Io(IoError::Io(error))) => {
            bail!("cannot reach the server at {server}: {error}")
        }
        Err(error) => bail!("cannot talk to the server at {server}: {error}"),
    }
}

fn all_findings(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let mut found = findings(facts, settings.strategy);
    if settings.upstream_proxy_protocol {
        found.extend(proxy_protocol::check(facts));
    }
    found
}

/// What is wrong. With [`Strategy::Native`] nothing is asked of the server but that it is one.
fn findings(facts: &Facts, strategy: Strategy) -> Vec<Finding> {
    let version = version::check(facts);
    // On an unsupported server nothing else said about it would be reliable.
    if strategy == Strategy::Native || !version.is_empty() {
        return version;
    }
    [
        binlog::check(facts),
        role::check(facts),
        grants::check(facts),
        clock::check(facts),
    ]
    .concat()
}
