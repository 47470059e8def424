//! The end of the process: work stops where the next process can take it up.
//!
//! A killed process loses what came after its last checkpoint, a second's work; one that is asked to end loses nothing. Only
//! copying and comparing are given up. A swap is waited for: it is over in a moment, or still waiting for its turn.

use tokio::sync::{RwLock, RwLockReadGuard, watch};

use crate::Error;

/// Whether the work is to stop, and whether it has.
#[derive(Debug)]
pub(crate) struct Rest {
    asked: watch::Sender<bool>,
    /// Read by whoever works; to have it alone is to know that nobody does.
    work: RwLock<()>,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            asked: watch::Sender::new(false),
            work: RwLock::default(),
        }
    }
}

impl Rest {
    /// Stops what works and waits until it has stopped; nothing begins any more.
    pub(super) async fn come(&self) {
        self.asked.send_replace(true);
        drop(self.work.write().await);
    }

    /// Begins to work, for as long as the guard lives.
    pub(super) async fn work(&self) -> RwLockReadGuard<'_, ()> {
        self.work.read().await
    }

    /// Whether the work is to stop.
    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// The end of what works now, when it is asked for.
    pub(super) async fn asked(&self) -> Error {
        // The sender lives in `self`, so waiting cannot fail while this borrow does.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
        Error::Transient(mysql_async::Error::Other("alterego is being ended".into()))
    }
}
