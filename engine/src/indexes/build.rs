//! Builds the indexes that were put off, on the ghost full of rows.
//!
//! # Why a unique key finds no value twice
//! A row of the ghost is stale from its change in the source until it is reconciled, and a stale row may hold a value
//! that another row has by now. So nothing is reconciled during the build, and the rows that may be stale are taken
//! out of the ghost before it: once the applier stands still, the end of the log is read, the stream is awaited up to
//! there, and what is pending then is deleted. Every row that stays was read before that end and not changed up to it:
//! together they are rows of the source at one moment, and the source has the same unique keys. What was deleted is
//! still pending, in this process and, since no checkpoint passes it, in any that follows.
//!
//! A transaction may become visible a moment before the server counts it as executed. Then the end that is read is too
//! early by that one, and the build may meet its value twice after all; it is tried again.
//!
//! # Why nothing is lost meanwhile
//! Changes are collected as ever, up to the applier's bound; then the stream waits, or is opened anew where it stood.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::time::timeout;

use super::choose::Deferred;
use super::put_off::{add_statement, create_of};
use crate::applier::{ApplierHandle, StandsStill};
use crate::cancel::{asked_to_end, unless_cancelled};
use crate::error::DUPLICATE_ENTRY;
use crate::failpoint::{self, Failpoint};
use crate::plan::Plan;
use crate::position::Position;
use crate::session::Upstream;
use crate::table::same_definition;
use crate::throttle::Share;
use crate::{Error, Flavor, Result};

/// There is an index of that name.
const DUPLICATE_KEY_NAME: u16 = 1061;

/// How often a build that met a value twice, or another one, is tried.
const TRIES: u32 = 5;

/// How long the applier may take to catch up before it stands still. A row that is locked for longer is taken out.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Bytes that the server may sort in.
const SORT_BUFFER: usize = 32 << 20;

/// What a build works with.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) deferred: &'a Deferred,
    pub(crate) upstream: &'a Upstream,
    pub(crate) applier: &'a ApplierHandle,
    pub(crate) share: &'a Share,
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// Builds what is missing; returns at once where nothing is.
///
/// # Errors
/// Those of the statements: [`Error::Answer`] where the server cannot build an index (no disk space), and
/// [`Error::Fatal`] when the migration is cancelled or the ghost is not what it should be afterwards.
pub(crate) async fn build(work: Build<'_>) -> Result<()> {
    let mut conn = session(work.upstream, work.share).await?;
    let mut tries = 0;
    loop {
        let create = create_of(&mut conn, work.plan.ghost_name()).await?;
        let missing = work.deferred.missing(&create);
        if missing.is_empty() {
            return whole(&create, work.deferred);
        }
        tries += 1;
        match attempt(&work, &mut conn, &missing).await {
            Err(Error::Answer(error)) if error.code == DUPLICATE_ENTRY && tries < TRIES => {
                tracing::debug!(%error, "an index met a row on the move");
            }
            Err(Error::Answer(error)) if error.code == DUPLICATE_KEY_NAME && tries < TRIES => {
                // A process that died had sent the same statement.
                tracing::debug!(%error, "an index has been built by another session");
            }
            // What was collected meanwhile is brought in first: verification would find each of these rows amiss.
            other => {
                other?;
                catch_up(&work, &mut conn).await?;
            }
        }
    }
}

fn whole(create: &str, deferred: &Deferred) -> Result<()> {
    match same_definition(create, deferred.full()) {
        true => Ok(()),
        false => Err(Error::fatal("the ghost table is not defined as it was planned")),
    }
}

async fn attempt(work: &Build<'_>, conn: &mut Conn, missing: &[&str]) -> Result<()> {
    let _still = tokio::select! {
        still = settle(work, conn) => still?,
        () = asked_to_end(work.cancelled.clone()) => return Err(given_up()),
    };
    failpoint::hit(Failpoint::Settled);
    let statement = add_statement(work.plan.ghost_name(), missing, "INPLACE");
    tracing::info!(table = %work.plan.source_name(), indexes = missing.len(), "building indexes");
    let id = conn.id();
    let running = async { Ok(conn.query_drop(statement).await?) };
    unless_cancelled(work.upstream, work.cancelled.clone(), id, running)
        .await?
        .ok_or_else(given_up)?;
    failpoint::hit(Failpoint::IndexesBuilt);
    Ok(())
}

/// Brings the ghost to rows that the source had together at one moment, and the applier to a stop.
async fn settle<'a>(work: &Build<'a>, conn: &mut Conn) -> Result<StandsStill<'a>> {
    let flavor = work.upstream.flavor();
    loop {
        // With little pending, little has to be taken out.
        catch_up(work, conn).await?;
        let still = work.applier.stand_still().await;
        let end = Position::current(conn, flavor).await?;
        if work.applier.clear_pending_on(conn, &end).await? {
            return Ok(still);
        }
    }
}

/// Waits, within a bound, until what has changed up to now is reconciled.
async fn catch_up(work: &Build<'_>, conn: &mut Conn) -> Result<()> {
    let now = Position::current(conn, work.upstream.flavor()).await?;
    match timeout(CATCH_UP, work.applier.wait_applied(&now)).await {
        Ok(applied) => applied,
        // A row may be locked for hours.
        Err(_) => Ok(()),
    }
}

fn given_up() -> Error {
    Error::fatal("cancelled while its indexes were built")
}

/// A session for a statement that may take long.
async fn session(upstream: &Upstream, share: &Share) -> Result<Conn> {
    let mut conn = upstream.control().await?;
    if upstream.flavor() == Flavor::MySql {
        // As many threads as statements elsewhere, and room to sort in: the application wants the rest. Servers before
        // 8.0.27 do not know all of these variables.
        let threads = share.statements();
        for (variable, value) in [
            ("innodb_ddl_threads", threads),
            ("innodb_parallel_read_threads", threads),
            ("innodb_ddl_buffer_size", SORT_BUFFER),
        ] {
            match conn.query_drop(format!("SET SESSION {variable}={value}")).await {
                Ok(()) | Err(mysql_async::Error::Server(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }
    Ok(conn)
}
