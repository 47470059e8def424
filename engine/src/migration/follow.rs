//! From the stream to the applier: which changes are kept, and in which order they travel.
//!
//! Keys and positions pass through one channel in the order of the binary log. A key above the dispatched
//! watermark is dropped here (see [`crate::row_copy::Watermark`]); a position never is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::Error;
use crate::binlog::{StreamEnd, StreamItem, Streamer};
use crate::counters::Counters;
use crate::row_copy::Watermark;

/// Why the stream ended, if it did by itself.
///
/// The reason is put here *before* the channel to the applier closes. So whoever hears of the closed channel, by
/// whichever road, finds the reason here, and an applier that ended first is never blamed on the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamFailure(Arc<Mutex<Option<Error>>>);

impl StreamFailure {
    fn put(&self, error: Error) {
        *self.slot() = Some(error);
    }

    /// The reason, the first time it is asked for.
    pub(super) fn take(&self) -> Option<Error> {
        self.slot().take()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Feeds the applier until the stream or the applier ends.
pub(super) async fn follow(
    mut streamer: Streamer,
    watermark: Watermark,
    changes: mpsc::Sender<StreamItem>,
    counters: Arc<Counters>,
    failure: StreamFailure,
) {
    loop {
        let item = match streamer.next().await {
            Ok(item) => item,
            Err(end) => return failure.put(ended(end)),
        };
        if let StreamItem::Key(key) = &item {
            counters.events_read.add(1);
            if !watermark.wants(key) {
                continue;
            }
        }
        if changes.send(item).await.is_err() {
            return;
        }
    }
}

/// What the end of the stream means for the migration.
fn ended(end: StreamEnd) -> Error {
    match end {
        StreamEnd::Server(error) => error,
        // The next attempt finds that the checkpoint is no good any more, and begins afresh.
        StreamEnd::Purged(why) => Error::Transient(mysql_async::Error::Other(why.into())),
        other => Error::fatal(other.to_string()),
    }
}

/// The changes' way to the applier holds this many: enough to keep the appliers busy, little enough to bound memory.
pub(super) const CHANNEL_ITEMS: usize = 16_384;
