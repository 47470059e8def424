//! Which changes the stream may forget.
//!
//! # Why dropping a change above the watermark loses nothing
//! A change of key K is in the binary log before the streamer sees it, and from before that moment until the
//! transaction ends in the storage engine, its row (inserted, updated or delete-marked) is locked exclusively. If
//! [`Watermark::wants`] says no, the chunk that holds K has not been dispatched; the watermark moves first and
//! the chunk's read is sent after that. So the read begins when the change is in the binary log: either its
//! transaction has ended and the read sees it, or the row is still locked and the shared lock has to wait for it.
//! A change for which it says yes is reconciled, with a read that begins later still.
//!
//! The answer and the move are ordered by one lock. Keeping too many changes is always right, so where only the
//! server can order keys (text under a collation) every change is kept.

use std::cmp::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use crate::checkpoint::Frontier;
use crate::key::{self, Key, KeyColumn};
use crate::plan::Plan;

/// Everything the row copy has dispatched. Clones are of the same watermark.
#[derive(Clone, Debug)]
pub struct Watermark {
    plan: Arc<Plan>,
    dispatched: Arc<RwLock<Frontier>>,
}

impl Watermark {
    /// A watermark at `start`: what a run before this one has copied counts as dispatched.
    pub(crate) fn behind(start: Frontier, plan: &Arc<Plan>) -> Self {
        Self {
            plan: plan.clone(),
            dispatched: Arc::new(RwLock::new(start)),
        }
    }

    /// Whether a change of this key must be kept.
    pub fn wants(&self, key: &Key) -> bool {
        let dispatched = self.dispatched.read().unwrap_or_else(PoisonError::into_inner);
        covers(&self.plan.key.columns, &dispatched, key)
    }

    /// Moves it, before the read of what lies below is sent.
    pub(super) fn dispatch(&self, through: Frontier) {
        *self.dispatched.write().unwrap_or_else(PoisonError::into_inner) = through;
    }
}

fn covers(columns: &[KeyColumn], dispatched: &Frontier, key: &Key) -> bool {
    match dispatched {
        Frontier::Everything => true,
        Frontier::Key(mark) => key::compare(columns, key, mark) != Some(Ordering::Greater),
        // Nothing is dispatched, so the order of keys does not matter yet.
        Frontier::Nothing => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ident;
    use crate::key::{KeyKind, KeyValue};

    #[test]
    fn changes_above_it_are_forgotten_and_all_others_kept() {
        let int = KeyKind::Int {
            unsigned: false,
            bytes: 8,
        };
        let check = |kind, mark: Frontier, key: KeyValue, expected| {
            let column = KeyColumn {
                name: Ident::new("k"),
                ordinal: 0,
                kind,
                charset: None,
            };
            assert_eq!(covers(&[column], &mark, &Key(vec![key])), expected);
        };
        let at = |value| Frontier::Key(Key(vec![value]));
        check(int, Frontier::Nothing, KeyValue::Int(1), false);
        check(int, at(KeyValue::Int(5)), KeyValue::Int(5), true);
        check(int, at(KeyValue::Int(5)), KeyValue::Int(6), false);
        check(int, Frontier::Everything, KeyValue::Int(6), true);
        let text = |text: &str| KeyValue::Bytes(text.into());
        check(KeyKind::Text, at(text("b")), text("z"), true);
    }
}
