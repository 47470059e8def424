//! Whose turn it is on a table: one schema change at a time, in the order they were asked for.
//!
//! A migration has the turn from its acceptance to its end. A statement of a client's that would change the same table
//! takes a turn of its own, so that it neither ends the migration before it nor meets the one behind it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

use crate::TableName;

/// The turn on one table; the next in line has it when this is dropped.
#[derive(Debug)]
pub(super) struct Turn(#[allow(dead_code, reason = "it is there to be dropped")] OwnedMutexGuard<()>);

/// The queues of all tables that have one. A queue lives as long as somebody is in it.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<TableName, Weak<Queue<()>>>>);

impl Turns {
    /// Waits for the turn on `table`; who asks first is first.
    pub(super) async fn take(&self, table: &TableName) -> Turn {
        Turn(self.queue(table).lock_owned().await)
    }

    /// The turn, if nobody has it.
    pub(super) fn take_now(&self, table: &TableName) -> Option<Turn> {
        self.queue(table).try_lock_owned().ok().map(Turn)
    }

    fn queue(&self, table: &TableName) -> Arc<Queue<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(table).and_then(Weak::upgrade) {
            return queue;
        }
        queues.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(Queue::new(()));
        queues.insert(table.clone(), Arc::downgrade(&queue));
        queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_order() {
        let turns = Arc::new(Turns::default());
        let (t, u) = (TableName::new("app", "t"), TableName::new("app", "u"));
        let first = turns.take(&t).await;
        assert!(turns.take_now(&t).is_none());
        assert!(turns.take_now(&u).is_some(), "another table's");
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..4 {
            let (turns, t, order) = (Arc::clone(&turns), t.clone(), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _turn = turns.take(&t).await;
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        assert!(order.lock().unwrap().is_empty());
        drop(first);
        for waiter in waiting {
            waiter.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        assert!(turns.take_now(&t).is_some());
        turns.queue(&u);
        assert_eq!(
            turns.0.lock().unwrap().len(),
            1,
            "queues without anybody are forgotten"
        );
    }
}
