//! The sessions there are, and the way to end them all.
//!
//! *Invariant:* a client is entered here before its task begins, by the one who accepts; so when accepting has ended, nobody
//! is missing who would have to be told to stop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::stop::Stop;

/// The stop signals of the running sessions.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<u64, Arc<Stop>>>>);

/// One session's place; given back when dropped, however its task ends.
pub(super) struct Entry {
    id: u64,
    sessions: Sessions,
    pub(super) stop: Arc<Stop>,
}

impl Sessions {
    pub(super) fn enter(&self, id: u64) -> Entry {
        let stop = Arc::new(Stop::default());
        self.lock().insert(id, Arc::clone(&stop));
        Entry {
            id,
            sessions: self.clone(),
            stop,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn ask_to_stop(&self) {
        self.lock().values().for_each(|stop| stop.ask());
    }

    /// A map of signals has no state in between: it is good after any panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Stop>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.id);
    }
}
