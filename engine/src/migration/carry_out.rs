//! One migration from its acceptance to its end, over as many attempts as lost connections ask for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::old_tables::{self, Leftover};
use super::outcome::{Altered, Outcome};
use super::owner::Ownership;
use super::phase::{Event, Phase};
use super::prepare::{self, Standing};
use super::running::Running;
use super::tidy::{self, Ended};
use super::{Shared, pipeline};
use crate::failpoint::{self, Failpoint};
use crate::{Error, Refusal, Result, ServerError};

/// The pause after a first failed attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Attempts in a row that came no further. With the pauses between them this is about an hour of an upstream
/// that is away.
const MAX_FRUITLESS_ATTEMPTS: u32 = 120;

/// How often another process's work on the table is looked at.
const OWNER_INTERVAL: Duration = Duration::from_millis(500);

/// How long a server that cannot be told that a migration has ended is tried, before the client hears an answer.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// Carries the migration out and returns its end, whatever happens: a client waits for it.
pub(super) async fn carry_out(shared: &Arc<Shared>, running: &Arc<Running>) -> Outcome {
    let outcome = AssertUnwindSafe(to_its_end(shared, running)).catch_unwind();
    outcome
        .await
        .unwrap_or_else(|_| Outcome::Failed(unknown_error(&defect())))
}

async fn to_its_end(shared: &Arc<Shared>, running: &Arc<Running>) -> Outcome {
    match tries(shared, running).await {
        Ok(End::Elsewhere(outcome)) => {
            tracing::info!(migration = running.id(), table = %running.task().source, "another alterego has brought the migration to its end");
            outcome
        }
        Ok(End::Here(altered)) => {
            tracing::info!(migration = running.id(), table = %running.task().source, rows = altered.rows, "the table is altered");
            swapped(shared, running).await;
            Outcome::Altered(altered)
        }
        Err(error) => ended(shared, running, error).await,
    }
}

/// Who brought a migration to its end.
enum End {
    /// The tables are swapped, and what follows is this process's duty.
    Here(Altered),
    /// Another process did, and sees to the rest.
    Elsewhere(Outcome),
}

async fn tries(shared: &Arc<Shared>, running: &Arc<Running>) -> Result<End> {
    let mut fruitless = 0;
    let mut pause = FIRST_PAUSE;
    loop {
        let came_to = running.counters.rows_copied.get();
        let attempt = AssertUnwindSafe(attempt(shared, running)).catch_unwind();
        let result = attempt.await.unwrap_or_else(|_| Err(defect()));
        let error = match result {
            Err(error) if may_try_again(&error) && shared.rest.is_asked() => {
                tracing::debug!(migration = running.id(), %error, "left to the next process");
                return std::future::pending().await;
            }
            // The tables may be swapped: that is looked at before anybody is told that the wish to end came in time.
            Err(error @ Error::OutcomeUnknown(_)) => error,
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
        if was_away(shared, running).await {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
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

/// Waits for a server that is away, however long it is; whether it was.
async fn was_away(shared: &Shared, running: &Running) -> bool {
    let mut away = false;
    // What the server says of the statement itself is for the next attempt to hear.
    while let Err(error @ (Error::Transient(_) | Error::OutcomeUnknown(_))) =
        shared.store.record(running.id()).await
    {
        if !away {
            tracing::warn!(migration = running.id(), %error, "the state table cannot be read; waiting for the server");
        }
        away = true;
        tokio::time::sleep(FIRST_PAUSE).await;
    }
    away
}

async fn attempt(shared: &Arc<Shared>, running: &Arc<Running>) -> Result<End> {
    let mut ownership = own(shared, running).await?;
    let result = match until_nothing_runs(running, &mut ownership).await {
        Err(error) => Err(error),
        Ok(()) => tokio::select! {
            result = owned_attempt(shared, running) => result,
            never = ownership.keep() => match never {},
        },
    };
    ownership.release().await;
    result
}

/// What the record says counts only now: whoever owned the table before may have come further, or to the end.
///
/// Nothing of an attempt outlives a run of the server. The run is looked at first, so that the record is of that run, too.
async fn owned_attempt(shared: &Arc<Shared>, running: &Arc<Running>) -> Result<End> {
    let upstream = shared.upstream.in_this_run().await?;
    let record = match running.id() {
        0 => None,
        id => shared.store.record(id).await?,
    };
    let standing = match record {
        Some(record) => prepare::resumed(shared, &upstream, running, record).await?,
        None => {
            // A server that was put back to a time before the migration knows nothing of it.
            running.begin_anew();
            Standing::Ready(Box::new(prepare::fresh(shared, &upstream, running).await?))
        }
    };
    match standing {
        Standing::Ready(prepared) => pipeline::carry(shared, upstream, running, *prepared)
            .await
            .map(End::Here),
        Standing::AlreadySwapped(altered) => Ok(End::Here(altered)),
        Standing::Ended(outcome) => Ok(End::Elsewhere(outcome)),
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

/// Waits for what an earlier owner has begun and the server still works on: the build of an index may take long.
async fn until_nothing_runs(running: &Running, ownership: &mut Ownership) -> Result<()> {
    let mut told = false;
    while ownership.inherits_a_statement(&running.task().source).await? {
        if *running.cancelled().borrow() {
            return Err(Error::fatal(
                "cancelled while the server was at work on an earlier attempt's statement",
            ));
        }
        if !told {
            tracing::info!(migration = running.id(), table = %running.task().source, "the server is still at work on a statement of an earlier attempt; waiting for it");
            told = true;
        }
        tokio::time::sleep(OWNER_INTERVAL).await;
    }
    Ok(())
}

/// After the swap: the phase is recorded, and the replaced table dropped when its time has come.
async fn swapped(shared: &Arc<Shared>, running: &Arc<Running>) {
    // An error cannot be answered any more. The record then still says `cutting over`, and whoever resumes it
    // finds the tables swapped.
    let mut recorded = record_swap(shared, running).await;
    if let Err(error) = &recorded {
        tracing::warn!(migration = running.id(), %error, "the state table does not say yet that the tables are swapped");
    }
    let leftover = Leftover {
        id: running.id(),
        source: running.task().source.clone(),
        keep: shared.config.keep_old_table,
    };
    let (shared, running) = (Arc::clone(shared), Arc::clone(running));
    tokio::spawn(async move {
        // Without the replaced table nothing would tell the next process that the tables are swapped.
        while recorded.is_err() && !has_no_records(&shared).await {
            tokio::time::sleep(FIRST_PAUSE).await;
            recorded = record_swap(&shared, &running).await;
        }
        old_tables::clean_up(shared, leftover).await;
    });
}

async fn record_swap(shared: &Shared, running: &Running) -> Result<()> {
    count(shared, running).await?;
    shared.store.enter(running.id(), Phase::Swapped, None).await?;
    failpoint::hit(Failpoint::SwapRecorded);
    Ok(())
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
        if let Err(unheard) = record_end(shared, running, phase, &error.to_string()).await {
            return Outcome::Failed(unrecorded(&error, &unheard));
        }
        if let (true, Error::Refused(Refusal(reason))) = (refused && !cancelled, &error)
            && let Err(error) = shared.store.refused(running.id(), reason).await
        {
            tracing::warn!(migration = running.id(), %error, "the record does not say why it is left to the server");
        }
        let ended = Ended {
            id: running.id(),
            source: running.task().source.clone(),
        };
        tidy::now_or_later(shared, ended).await;
    }
    match error {
        _ if cancelled => Outcome::Cancelled,
        Error::Refused(Refusal(reason)) if phase_before == Phase::Preparing => Outcome::Refused(reason),
        Error::Answer(error) => Outcome::Failed(error),
        error => Outcome::Failed(unknown_error(&error)),
    }
}

async fn count(shared: &Shared, running: &Running) -> Result<()> {
    shared.store.counted(running.id(), &running.counters).await
}

/// Records the end before anybody hears of it, and before anything is tidied up: a record that still said "copying"
/// would be taken up by the next process, and alter a table whose client was told that it is unchanged.
async fn record_end(shared: &Shared, running: &Running, phase: Phase, message: &str) -> Result<()> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let recorded = async {
            count(shared, running).await?;
            shared.store.end(running.id(), phase, message).await
        };
        match recorded.await {
            Ok(()) => {
                failpoint::hit(Failpoint::EndRecorded);
                return Ok(());
            }
            Err(_) if has_no_records(shared).await => return Ok(()),
            Err(error) if began.elapsed() > LONGEST_SILENCE => return Err(error),
            Err(error) => {
                tracing::warn!(migration = running.id(), %error, "the end of the migration is not recorded yet");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether somebody has removed the state table: then there is no record that could be taken up.
async fn has_no_records(shared: &Shared) -> bool {
    matches!(shared.store.is_installed().await, Ok(false))
}

/// 1105, the server's own number for what it has no number for.
pub(super) fn unknown_error(error: &Error) -> ServerError {
    ServerError {
        code: 1105,
        state: "HY000".to_owned(),
        message: format!("alterego could not alter the table, which is unchanged: {error}"),
    }
}

/// The server could not be told: another process may still carry the migration out.
fn unrecorded(error: &Error, unheard: &Error) -> ServerError {
    ServerError {
        code: 1105,
        state: "HY000".to_owned(),
        message: format!(
            "alterego gave the change of the table up ({error}), but could not record that ({unheard}): \
             it may be taken up again"
        ),
    }
}
