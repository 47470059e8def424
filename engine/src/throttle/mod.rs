//! When the row copy stands back.
//!
//! Copying rows can always wait; following changes cannot, or the migration would never catch up. So a throttle
//! stops only the dispatch of chunks, and one of its reasons is that the changes fall behind.

mod backlog;
mod server_load;

use std::time::Duration;

use mysql_async::Conn;
use tokio::sync::watch;

use crate::applier::ApplierHandle;
use crate::session::Upstream;

/// How often the reasons are looked at.
const INTERVAL: Duration = Duration::from_millis(250);

/// Looks at the reasons until the receiver is gone; sends the one that holds, or `None`.
pub async fn watch_reasons(
    upstream: Upstream,
    applier: ApplierHandle,
    reason: watch::Sender<Option<String>>,
) {
    let mut conn: Option<Conn> = None;
    while !reason.is_closed() {
        let found = match backlog::reason(applier.backlog()) {
            Some(found) => Some(found),
            None => load_reason(&upstream, &mut conn).await,
        };
        reason.send_if_modified(|current| {
            let changed = *current != found;
            *current = found;
            changed
        });
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A server that cannot be asked is no reason: the row copy has its own way of waiting for it.
async fn load_reason(upstream: &Upstream, conn: &mut Option<Conn>) -> Option<String> {
    if conn.is_none() {
        *conn = upstream.control().await.ok();
    }
    let asked = server_load::reason(conn.as_mut()?).await;
    asked.unwrap_or_else(|_| {
        *conn = None;
        None
    })
}
