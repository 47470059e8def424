//! The connection ids that clients were greeted with, and whose they are on which server.
//!
//! A client is greeted before its server is known, so the id it is told is the proxy's. When it, or its user in another
//! window, kills by that id, the server's own has to be put in its place.
//!
//! *Invariant:* ids told by the proxy are above all that servers give, so a number is never both.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Upstream;

/// The first of the proxy's ids. Servers count from 1, and none has been seen to come as far.
const FIRST: u32 = 1 << 31;

/// The id a client is told; `number` counts the clients of the process.
pub(crate) fn told(number: u64) -> u32 {
    let low = number % u64::from(FIRST);
    FIRST | u32::try_from(low).unwrap_or_default()
}

/// Whether a client may have been told this id by a proxy.
pub(crate) fn is_told(id: u32) -> bool {
    id >= FIRST
}

/// Where the client with such an id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) upstream: Upstream,
    /// Its id there.
    pub(crate) id: u32,
}

/// All ids that are in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids(Arc<Mutex<HashMap<u32, Seat>>>);

impl Ids {
    /// Notes where a client is, until the answer is dropped.
    pub(crate) fn note(&self, told: u32, seat: Seat) -> Noted {
        self.lock().insert(told, seat);
        Noted {
            ids: self.clone(),
            told,
        }
    }

    /// Where the client is.
    pub(crate) fn find(&self, told: u32) -> Option<Seat> {
        self.lock().get(&told).cloned()
    }

    /// A map of seats has no state in between: it is good after any panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is noted.
#[derive(Debug)]
pub(crate) struct Noted {
    ids: Ids,
    told: u32,
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.ids.lock().remove(&self.told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_as_long_as_their_clients_are_there() {
        let ids = Ids::default();
        let seat = Seat {
            upstream: Upstream {
                host: "h".to_owned(),
                port: 1,
            },
            id: 7,
        };
        let id = told(1);
        assert!(is_told(id) && !is_told(7) && is_told(told(u64::MAX)));
        let noted = ids.note(id, seat.clone());
        assert_eq!((ids.find(id), ids.find(told(2))), (Some(seat), None));
        drop(noted);
        assert_eq!(ids.find(id), None);
    }
}
