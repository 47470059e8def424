//! `alterego missing-writes A B`: whether every transaction of one server is on another.
//!
//! # Why the answer can be trusted
//! A is asked before B. What A commits after it was asked is not looked for, and what B lacks of the rest it lacked at some
//! moment after A had it. So "nothing is missing" holds for everything that A had when the command began; and on a replica
//! that is catching up, "these are missing" may be answered otherwise a moment later.
//!
//! What is compared are GTIDs, not rows: see `health/transactions` for what they can tell, and for what they cannot.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cli::{MissingWrites, ServerAddress};
use crate::health::transactions::{Missing, Transactions};
use crate::health::transactions_of;
use crate::startup;
use crate::tls::Way;

/// The exit status when some are missing.
const SOME: u8 = 1;
/// The exit status when nobody can tell.
pub(crate) const UNKNOWN: u8 = 2;
/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one server has and the other lacks.
pub(crate) struct Found(Missing);

impl Found {
    /// Prints it, and says it as an exit status.
    pub(crate) fn report(&self) -> ExitCode {
        if self.0.is_empty() {
            return ExitCode::SUCCESS;
        }
        println!("{}", self.0);
        ExitCode::from(SOME)
    }
}

/// Compares the servers.
///
/// # Errors
/// One of them is out of reach or writes no GTIDs, or they are not of one kind.
pub(crate) async fn run(servers: &MissingWrites) -> anyhow::Result<Found> {
    let a = transactions(&servers.a).await?;
    let b = transactions(&servers.b).await?;
    match a.missing_in(&b) {
        Missing::Unknown => bail!(
            "the GTIDs of {} and {} cannot be compared: one is MySQL, the other MariaDB",
            servers.a,
            servers.b
        ),
        missing => Ok(Found(missing)),
    }
}

async fn transactions(server: &ServerAddress) -> anyhow::Result<Transactions> {
    let asked = tokio::time::timeout(PATIENCE, ask(server)).await;
    asked.with_context(|| {
        format!(
            "the server at {server} did not answer within {} s",
            PATIENCE.as_secs()
        )
    })?
}

async fn ask(server: &ServerAddress) -> anyhow::Result<Transactions> {
    let way = Way::to(server)?;
    let mut conn = startup::connect(server, way.opts.clone()).await?;
    let found = transactions_of(&mut conn).await;
    // A server that drops the connection now has answered everything.
    let _ = conn.disconnect().await;
    found
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("the server at {server}"))?
        .with_context(|| format!("the server at {server} writes no GTIDs"))
}
