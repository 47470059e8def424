//! Which clients are on which server: counted while they are there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One client on a server; it is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Guest(Arc<AtomicUsize>);

impl Guest {
    /// Counts one client in.
    pub(crate) fn of(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
