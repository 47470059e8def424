//! A long statement whose migration is cancelled.

use std::pin::pin;

use tokio::sync::watch;

use crate::Result;
use crate::cut_over::kill_query;
use crate::session::Upstream;

/// Does `work` on the session `id`; a wish to end the migration kills its statement. `None` when that was so.
///
/// # Errors
/// Those of `work`, and of killing.
pub(crate) async fn unless_cancelled<T>(
    upstream: &Upstream,
    cancelled: watch::Receiver<bool>,
    id: u32,
    work: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    let mut work = pin!(work);
    tokio::select! {
        done = &mut work => return done.map(Some),
        () = asked_to_end(cancelled) => {}
    }
    let mut control = upstream.control().await?;
    kill_query(&mut control, id).await?;
    // It may have ended a moment before.
    let _ = work.await;
    Ok(None)
}

/// Returns when the migration is to end.
pub(crate) async fn asked_to_end(mut cancelled: watch::Receiver<bool>) {
    // A sender that is gone cannot cancel any more.
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}
