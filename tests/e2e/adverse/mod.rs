//! What others do to a table while it is altered: definitions changed beside the migration, transactions of every shape,
//! sessions that log in their own way, logs that are rotated, purged and cut off.
//!
//! A migration is held at a place of the test's choosing ([`Held`]), so that what is done to it is done in time.

mod bulk;
mod definitions;
mod definitions_past;
mod locks;
mod log_loss;
mod log_settings;
mod transactions;
mod types;
mod unique_values;

use std::path::PathBuf;

use alterego_testkit::{Flavor, Options};
use anyhow::{Context, Result, bail, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::support::{DEADLINE, Outcome, Rig, eventually, run};

/// A rig whose migrations wait at one place for as long as the test says.
struct Held {
    rig: Rig,
    gate: PathBuf,
    _folder: TempDir,
}

impl Held {
    /// Migrations wait at the slowpoint `place`, from now on.
    async fn at(place: &str, flavor: Flavor) -> Result<Held> {
        Held::with(place, flavor, &Options::relaxed()).await
    }

    async fn with(place: &str, flavor: Flavor, options: &Options) -> Result<Held> {
        let folder = tempfile::tempdir()?;
        let gate = folder.path().join("gate");
        let slowpoint = format!("{place}:{}", gate.display());
        let rig = Rig::with(flavor, options, &[], &[("ALTEREGO_SLOWPOINT", &slowpoint)]).await?;
        let held = Held {
            rig,
            gate,
            _folder: folder,
        };
        held.close()?;
        Ok(held)
    }

    fn close(&self) -> Result<()> {
        Ok(std::fs::write(&self.gate, "")?)
    }

    /// Lets migrations go on.
    fn open(&self) -> Result<()> {
        Ok(std::fs::remove_file(&self.gate)?)
    }
}

/// Sends a statement through the proxy, in `app`.
async fn send(rig: &Rig, sql: &str) -> Result<JoinHandle<Result<Outcome>>> {
    let mut client = rig.client().await?;
    let sql = sql.to_owned();
    Ok(tokio::spawn(async move { run(&mut client, &sql).await }))
}

/// Waits until the migration of `app.t` is in this phase.
async fn in_phase(rig: &Rig, phase: &str) -> Result<()> {
    eventually(phase, async || {
        let migrations = rig.migrations_of("t").await?;
        let latest = migrations.first();
        Ok(latest
            .is_some_and(|migration| migration.phase == phase)
            .then_some(()))
    })
    .await
}

/// Runs the same statements in both schemas.
async fn in_both(conn: &mut Conn, statements: &[&str]) -> Result<()> {
    for schema in ["app", "nat"] {
        conn.query_drop(format!("USE {schema}")).await?;
        for statement in statements {
            conn.query_drop(*statement)
                .await
                .map_err(|error| anyhow::anyhow!("{schema}: {statement}: {error}"))?;
        }
    }
    Ok(())
}

/// Both schemas, empty.
async fn fresh_schemas(conn: &mut Conn) -> Result<()> {
    for schema in ["app", "nat"] {
        conn.query_drop(format!("DROP DATABASE IF EXISTS {schema}"))
            .await?;
        conn.query_drop(format!("CREATE DATABASE {schema}")).await?;
    }
    Ok(())
}

/// The client was told that the table is altered, and it is as the server's own `alter` of the clone leaves it.
async fn altered_as_natively(rig: &Rig, ours: JoinHandle<Result<Outcome>>, alter: &str) -> Result<()> {
    let ours = ours.await??;
    ensure!(ours.code().is_none(), "{ours:?}");
    let native = run(&mut rig.direct("nat").await?, alter).await?;
    ensure!(native.code().is_none(), "{native:?}");
    rig.tables_are_equal("t").await
}

/// What a client hears of a migration that ends by itself, and not by anybody's running into it.
async fn told_that_it_failed(alter: JoinHandle<Result<Outcome>>) -> Result<String> {
    let outcome = tokio::time::timeout(DEADLINE, alter)
        .await
        .context("it does not end")???;
    match outcome {
        Outcome::Err {
            code: 1105, message, ..
        } => Ok(message),
        other => bail!("the client was told: {other:?}"),
    }
}
