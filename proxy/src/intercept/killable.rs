//! The schema changes under way, so that a kill is heard where it meets no statement on the server.
//!
//! A server forgets a kill of a session that runs nothing at that moment. A caught schema change is several statements on the
//! client's session, so there are such moments, and a kill may also come too late for a short statement and too early for
//! the next. Those kills that go through the proxy (Ctrl-C in a client, `KILL` in another window) are noted here when the
//! server has said that they are done: it alone knows who may kill whom.
//!
//! *Why nobody else is hit:* a note counts for the change that is under way at that moment. The change is entered before its
//! first statement and leaves before its answer, so a kill that is noted was under way while the change was. A text of several
//! statements is entered as a whole, and its changes with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Upstream;

/// A session on a server. Where there is one server, it is not named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) upstream: Option<Upstream>,
    /// Its id there.
    pub(crate) id: u32,
}

/// All changes under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Killables(Arc<Mutex<HashMap<Target, Arc<AtomicBool>>>>);

impl Killables {
    /// Enters a session's change, until the answer is dropped.
    pub(crate) fn enter(&self, target: Target) -> Killable {
        let killed = Arc::<AtomicBool>::default();
        self.lock().insert(target.clone(), Arc::clone(&killed));
        Killable(Arc::new(Entered {
            all: self.clone(),
            target,
            killed,
        }))
    }

    /// The server has killed what this session runs.
    pub(crate) fn kill(&self, target: &Target) {
        if let Some(killed) = self.lock().get(target) {
            killed.store(true, Ordering::Relaxed);
        }
    }

    /// A map of flags has no state in between: it is good after any panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Arc<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One change under way, until the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Killable(Arc<Entered>);

#[derive(Debug)]
struct Entered {
    all: Killables,
    target: Target,
    killed: Arc<AtomicBool>,
}

impl Killable {
    /// Whether it was killed by now.
    pub(crate) fn is_killed(&self) -> bool {
        self.0.killed.load(Ordering::Relaxed)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.all.lock().remove(&self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_counts_for_what_is_under_way() {
        let all = Killables::default();
        let target = |id| Target { upstream: None, id };
        all.kill(&target(1));
        let (one, two) = (all.enter(target(1)), all.enter(target(2)));
        assert!(!one.is_killed());
        all.kill(&target(1));
        assert!(one.is_killed() && !two.is_killed());
        drop(one);
        assert!(!all.enter(target(1)).is_killed());
    }
}
