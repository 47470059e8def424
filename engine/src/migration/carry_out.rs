//! One migration from its acceptance to its end, over as many attempts as lost connections ask for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::old_tables::{self, Leftover};
use super::outcome::{Altered, Outcome};
use super::owner::Ownership;
use super::phase::{Event, Phase};
use super::prepare::{self, Standing};
use super::running::Running;
use super::store::Record;
use super::{Shared, pipeline};
use crate::{Error, Refusal, Result, ServerError, ghost, names, old_table};

/// The pause after a first failed attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Attempts in a row that came no further. With the pauses between them this is about an hour of an upstream
/// that is away.
const MAX_FRUITLESS_ATTEMPTS: u32 = 120;

/// How often another process's work on the table is looked at.
const OWNER_INTERVAL: Duration = Duration::from_millis(500);

/// Carries the migration out and returns its end, whatever happens: a client waits for it.
pub(super) async fn carry_out(
    shared: &Arc<Shared>,
    running: &Arc<Running>,
    record: Option<Record>,
) -> Outcome {
    let outcome = AssertUnwindSafe(to_its_end(shared, running, record)).catch_unwind();
    outcome
        .await
        .unwrap_or_else(|_| Outcome::Failed(unknown_error(&defect())))
}

async fn to_its_end(shared: &Arc<Shared>, running: &Arc<Running>, record: Option<Record>) -> Outcome {
    match tries(shared, running, record).await {
        Ok(altered) => {
            tracing::info!(migration = running.id(), table = %running.task().source, rows = altered.rows, "the table is altered");
            swapped(shared, running).await;
            Outcome::Altered(altered)
        }
        Err(error) => ended(shared, running, error).await,
    }
}

async fn tries(shared: &Arc<Shared>, running: &Arc<Running>, mut record: Option<Record>) -> Result<Altered> {
    let mut fruitless = 0;
    let mut pause = FIRST_PAUSE;
    loop {
        let came_to = running.counters.rows_copied.get();
        let attempt = AssertUnwindSafe(attempt(shared, running, record.take())).catch_unwind();
        let result = attempt.await.unwrap_or_else(|_| Err(defect()));
        let error = match result {
            Err(error) if may_try_again(&error) && shared.rest.is_asked() => {
                tracing::debug!(migration = running.id(), %error, "left to the next process");
                return std::future::pending().await;
            }
            Err(error) if may_try_again(&error) && !*running.cancelled().borrow() => error,
            ended => return ended,
        };
        if running.counters.rows_copied.get() > came_to {
            (fruitless, pause) = (0, FIRST_PAUSE);
        }
        fruitless += 1;
        if fruitless > MAX_FRUITLESS_ATTEMPTS {
            return Err(error);
        }
        tracing::warn!(migration = running.id(), %error, "the migration was interrupted and is taken up again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        record = reload(shared, running).await;
    }
}

/// A panic has been reported where it happened. The client must not wait for ever because of it, and what it left
/// behind is what a dead process would have left: it is resumed from the record in the same way.
fn defect() -> Error {
    Error::OutcomeUnknown("a defect of alterego ended it, see the panic above".to_owned())
}

fn may_try_again(error: &Error) -> bool {
    matches!(error, Error::Transient(_) | Error::OutcomeUnknown(_))
}

/// The migration's record, as soon as the state table can be read again; `None` if it has none yet.
async fn reload(shared: &Shared, running: &Running) -> Option<Record> {
    if running.id() == 0 {
        return None;
    }
    loop {
        match shared.store.unfinished().await {
            Ok(records) => return records.into_iter().find(|record| record.id == running.id()),
            Err(error) => tracing::warn!(migration = running.id(), %error, "the state table cannot be read"),
        }
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

async fn attempt(shared: &Arc<Shared>, running: &Arc<Running>, record: Option<Record>) -> Result<Altered> {
    let mut ownership = own(shared, running).await?;
    let result = tokio::select! {
        result = owned_attempt(shared, running, record) => result,
        never = ownership.keep() => match never {},
    };
    ownership.release().await;
    result
}

async fn owned_attempt(
    shared: &Arc<Shared>,
    running: &Arc<Running>,
    record: Option<Record>,
) -> Result<Altered> {
    let standing = match record {
        None => Standing::Ready(Box::new(prepare::fresh(shared, running).await?)),
        Some(record) => prepare::resumed(shared, running, record).await?,
    };
    match standing {
        Standing::Ready(prepared) => pipeline::carry(shared, running, *prepared).await,
        Standing::AlreadySwapped(altered) => Ok(altered),
    }
}

/// Takes the table's advisory lock, waiting for a process that has it.
async fn own(shared: &Shared, running: &Running) -> Result<Ownership> {
    let mut told = false;
    loop {
        if let Some(ownership) = Ownership::take(&shared.upstream, &running.task().source).await? {
            return Ok(ownership);
        }
        if *running.cancelled().borrow() {
            return Err(Error::fatal(
                "cancelled while another alterego worked on the table",
            ));
        }
        if !told {
            tracing::info!(table = %running.task().source, "another alterego works on the table; waiting for it");
            told = true;
        }
        tokio::time::sleep(OWNER_INTERVAL).await;
    }
}

/// After the swap: the phase is recorded, and the replaced table dropped when its time has come.
async fn swapped(shared: &Arc<Shared>, running: &Running) {
    // An error cannot be answered any more. The record then still says `cutting over`, and whoever resumes it
    // finds the tables swapped.
    let recorded = async {
        count(shared, running).await?;
        shared.store.enter(running.id(), Phase::Swapped, None).await
    };
    if let Err(error) = recorded.await {
        tracing::warn!(migration = running.id(), %error, "the state table does not say yet that the tables are swapped");
    }
    let leftover = Leftover {
        id: running.id(),
        source: running.task().source.clone(),
        keep: shared.config.keep_old_table,
    };
    tokio::spawn(old_tables::clean_up(Arc::clone(shared), leftover));
}

/// The end of a migration that did not alter its table: the ghost goes, the record says why.
async fn ended(shared: &Arc<Shared>, running: &Arc<Running>, error: Error) -> Outcome {
    let cancelled = *running.cancelled().borrow();
    let event = if cancelled {
        Event::Cancelled
    } else {
        Event::Failed
    };
    let phase_before = running.phase();
    let refused = matches!(error, Error::Refused(_)) && phase_before == Phase::Preparing;
    if refused {
        // Whoever asked for the migration says why it is left to the server.
        tracing::debug!(migration = running.id(), table = %running.task().source, %error, "the migration is refused");
    } else {
        tracing::info!(migration = running.id(), table = %running.task().source, phase = %phase_before, %error, cancelled, "the migration ended and the table is as it was");
    }
    if let Ok(phase) = running.advance(event)
        && running.id() != 0
    {
        tidy_until_done(shared, running, phase, error.to_string()).await;
    }
    match error {
        _ if cancelled => Outcome::Cancelled,
        Error::Refused(Refusal(reason)) if phase_before == Phase::Preparing => Outcome::Refused(reason),
        Error::Answer(error) => Outcome::Failed(error),
        error => Outcome::Failed(unknown_error(&error)),
    }
}

async fn count(shared: &Shared, running: &Running) -> Result<()> {
    let counters = &running.counters;
    shared
        .store
        .counted(
            running.id(),
            counters.rows_copied.get(),
            counters.changes_applied.get(),
        )
        .await
}

/// Records the end first: a record that still said "copying" would be taken up by the next process, and alter a table
/// whose client was told that it is unchanged.
async fn tidy(shared: &Shared, running: &Running, phase: Phase, message: &str) -> Result<()> {
    if let Err(error) = record_end(shared, running, phase, message).await {
        // Without a state table there is no record that could be taken up.
        if shared.store.is_installed().await? {
            return Err(error);
        }
    }
    let source = &running.task().source;
    let mut conn = shared.upstream.control().await?;
    ghost::drop(&mut conn, source).await?;
    old_table::remove_if_empty(&shared.upstream, &names::ghost(source).schema).await
}

async fn record_end(shared: &Shared, running: &Running, phase: Phase, message: &str) -> Result<()> {
    shared.store.enter(running.id(), phase, Some(message)).await?;
    count(shared, running).await
}

/// Tidies up, now if the server lets us, else as soon as it does.
async fn tidy_until_done(shared: &Arc<Shared>, running: &Arc<Running>, phase: Phase, message: String) {
    let Err(error) = tidy(shared, running, phase, &message).await else {
        return;
    };
    tracing::warn!(migration = running.id(), %error, "the ghost table is left behind for now");
    let (shared, running) = (Arc::clone(shared), Arc::clone(running));
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            // A migration that came after this one on the same table has a ghost of its own there now.
            let superseded = shared.at_work().contains_key(&running.task().source);
            if superseded || tidy(&shared, &running, phase, &message).await.is_ok() {
                return;
            }
        }
    });
}

/// 1105, the server's own number for what it has no number for.
fn unknown_error(error: &Error) -> ServerError {
    ServerError {
        code: 1105,
        state: "HY000".to_owned(),
        message: format!("alterego could not alter the table, which is unchanged: {error}"),
    }
}
