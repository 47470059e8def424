//! What becomes of a replaced table: dropped at once, or once its time is up.
//!
//! The record stays in phase `swapped` until the table is gone, so a process that dies in between leaves the
//! duty to the next one.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::phase::Phase;
use super::store::Record;
use crate::failpoint::{self, Failpoint};
use crate::{Result, TableName, names, old_table};

/// A replaced table that is to be dropped.
pub(super) struct Leftover {
    /// The migration that replaced it.
    pub(super) id: u64,
    /// The table it was.
    pub(super) source: TableName,
    /// How long it is still to be kept.
    pub(super) keep: Duration,
}

impl From<Record> for Leftover {
    fn from(record: Record) -> Self {
        let kept = record.swapped_seconds_ago.unwrap_or(0);
        Self {
            id: record.id,
            source: record.task.source,
            keep: Duration::from_secs(record.keep_seconds.saturating_sub(kept)),
        }
    }
}

/// The first pause after a failed drop; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Waits until the table's time is up, then drops it, however often that has to be tried.
pub(super) async fn clean_up(shared: Arc<Shared>, leftover: Leftover) {
    if !leftover.keep.is_zero() {
        // The ghost's schema has nothing to wait for. If it cannot go now, it goes with the table.
        let ghost = names::ghost(&leftover.source).schema;
        if let Err(error) = old_table::remove_if_empty(&shared.upstream, &ghost).await {
            tracing::debug!(schema = %ghost, %error, "the ghost's schema is not removed yet");
        }
        tokio::time::sleep(leftover.keep).await;
    }
    let mut pause = FIRST_PAUSE;
    while let Err(error) = drop_it(&shared, &leftover).await {
        tracing::warn!(table = %leftover.source, %error, "the replaced table is not dropped yet, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    tracing::info!(migration = leftover.id, table = %leftover.source, "the replaced table is gone");
}

async fn drop_it(shared: &Shared, leftover: &Leftover) -> Result<()> {
    // With the state table somebody has removed all records: then no later migration is known that could still want it.
    let recorded = shared.store.is_installed().await?;
    // A later migration of the same table has put its own replaced table there, and its own record drops it.
    if !recorded || !shared.store.replaced_since(leftover.id, &leftover.source).await? {
        old_table::drop_old(&shared.upstream, &leftover.source).await?;
    }
    failpoint::hit(Failpoint::CleanedUp);
    match recorded {
        true => shared.store.enter(leftover.id, Phase::Done, None).await,
        false => Ok(()),
    }
}
