//! When the row copy stands back.
//!
//! Copying rows can always wait; following changes cannot, or the migration would never catch up. So a throttle
//! stops only the dispatch of chunks, and one of its reasons is that the changes fall behind. Short of standing still it
//! takes a [`Share`] of the server.

mod backlog;
mod server_load;
mod share;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use tokio::sync::watch;

use crate::Result;
use crate::applier::ApplierHandle;
use crate::session::Upstream;
use server_load::Load;
use share::Others;
pub use share::{STATEMENTS_MAX, Share};

/// How often the reasons are looked at.
const INTERVAL: Duration = Duration::from_millis(250);

/// Looks at the reasons for as long as it is polled; sends the one that holds, or `None`, and adjusts the share.
pub async fn watch_reasons(
    upstream: Upstream,
    applier: ApplierHandle,
    reason: watch::Sender<Option<String>>,
    share: Arc<Share>,
) {
    let mut watcher: Option<Watcher> = None;
    loop {
        let busy = look(&upstream, &mut watcher, &share).await;
        let found = backlog::reason(applier.backlog()).or(busy);
        reason.send_if_modified(|current| {
            let changed = *current != found;
            *current = found;
            changed
        });
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Who asks the server.
struct Watcher {
    conn: Conn,
    others: Others,
}

impl Watcher {
    async fn start(upstream: &Upstream) -> Result<Self> {
        let mut conn = upstream.control().await?;
        let others = Others::at(&mut conn, upstream.flavor()).await?;
        Ok(Self { conn, others })
    }

    async fn look(&mut self, share: &Share) -> Result<Option<String>> {
        let load = Load::ask(&mut self.conn).await?;
        self.others.look(load.writes, Instant::now(), share);
        Ok(load.reason())
    }
}

/// A server that cannot be asked is no reason: the row copy has its own way of waiting for it.
async fn look(upstream: &Upstream, watcher: &mut Option<Watcher>, share: &Share) -> Option<String> {
    if watcher.is_none() {
        *watcher = Watcher::start(upstream).await.ok();
    }
    let asked = watcher.as_mut()?.look(share).await;
    asked.unwrap_or_else(|_| {
        *watcher = None;
        None
    })
}
