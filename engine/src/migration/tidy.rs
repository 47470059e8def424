//! What a migration that did not alter its table leaves behind: its ghost, a sentry, and schemas with nothing in them.
//!
//! The record says how the migration ended before anything is removed, and that nothing is left only afterwards. So a
//! process that dies in between leaves the duty to the next one.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::owner::Ownership;
use super::store::Record;
use crate::failpoint::{self, Failpoint};
use crate::{Error, Result, TableName, cut_over, ghost, names, old_table, statistics};

/// A migration that has ended without a swap.
pub(super) struct Ended {
    /// Its number.
    pub(super) id: u64,
    /// The table that it left as it was.
    pub(super) source: TableName,
}

impl From<Record> for Ended {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            source: record.task.source,
        }
    }
}

/// The pause after a first failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Tidies up, now if the server lets us, else as soon as it does.
pub(super) async fn now_or_later(shared: &Arc<Shared>, ended: Ended) {
    if let Err(error) = tidy(shared, &ended).await {
        tracing::warn!(migration = ended.id, %error, "the ghost table is left behind for now");
        tokio::spawn(later(Arc::clone(shared), ended));
    }
}

/// Tidies up, however often that has to be tried.
pub(super) async fn later(shared: Arc<Shared>, ended: Ended) {
    let mut pause = FIRST_PAUSE;
    while let Err(error) = tidy(&shared, &ended).await {
        tracing::debug!(migration = ended.id, %error, "the ghost table is still left behind");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Only the owner of the table removes anything: another process may have begun a migration of it since this one ended.
async fn tidy(shared: &Shared, ended: &Ended) -> Result<()> {
    // With the state table somebody has removed all records: then none says what was left behind, or who comes after.
    let recorded = shared.store.is_installed().await?;
    let Some(ownership) = Ownership::take(&shared.upstream, &ended.source).await? else {
        return match recorded && shared.store.is_succeeded(ended.id, &ended.source).await? {
            true => shared.store.tidied(ended.id).await,
            false => Err(Error::Transient(mysql_async::Error::Other(
                "another alterego works on the table".into(),
            ))),
        };
    };
    let tidied = remove(shared, ended, recorded).await;
    ownership.release().await;
    tidied
}

/// What a migration that came after this one has at the same names is its own, and its own record sees to its removal.
async fn remove(shared: &Shared, ended: &Ended, recorded: bool) -> Result<()> {
    let source = &ended.source;
    if !recorded || !shared.store.is_succeeded(ended.id, source).await? {
        let mut conn = shared.upstream.control().await?;
        ghost::drop(&mut conn, source).await?;
        old_table::drop_table(&mut conn, &names::aside(ended.id)).await?;
        let kept = names::kept_statistics(ended.id);
        statistics::forget(&mut conn, shared.upstream.flavor(), &kept).await?;
        failpoint::hit(Failpoint::GhostDropped);
        cut_over::remove_sentry(&mut conn, source).await?;
        conn.disconnect().await?;
        for schema in [names::ghost(source).schema, names::old(source).schema] {
            old_table::remove_if_empty(&shared.upstream, &schema).await?;
        }
    }
    match recorded {
        true => shared.store.tidied(ended.id).await,
        false => Ok(()),
    }
}
