//! Traffic is held here for the few milliseconds of a cut-over.
//!
//! While a table's gate is closed, statements that name the table and start outside a transaction wait in the proxy and not
//! at the server, where they would take connections and stand in its lock queue.
//!
//! *Why this is correct:* the gate is a courtesy. A statement that passes a closed gate waits at the server's
//! metadata lock instead, so a session may look at the gate late, a name may hide from the text, and every wait is bounded.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a statement is held at most.
pub(crate) const HOLD_LIMIT: Duration = Duration::from_secs(5);

/// The gate of one proxy; its clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The length of `tables`: all that is read while nothing is closed.
    closed: AtomicUsize,
    tables: Mutex<Vec<Table>>,
    opened: Notify,
    next_id: AtomicU64,
}

#[derive(Debug)]
struct Table {
    id: u64,
    name: String,
}

/// A closed gate; it opens when this is dropped.
#[derive(Debug)]
pub struct ClosedGate {
    inner: Arc<Inner>,
    id: u64,
}

impl Gate {
    /// Holds statements that name `table`. The schema is for the record: a text that names the table may mean
    /// its default schema, so every statement with the table's name is held.
    pub fn close(&self, schema: &str, table: &str) -> ClosedGate {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let mut tables = self.0.lock();
        tables.push(Table {
            id,
            name: table.to_owned(),
        });
        self.0.closed.store(tables.len(), Ordering::Release);
        tracing::debug!(schema, table, "gate closed");
        ClosedGate {
            inner: self.0.clone(),
            id,
        }
    }

    /// Whether nothing is held.
    pub(crate) fn is_open(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed) == 0
    }

    /// Whether a statement is held; `None` is a statement whose text is not known.
    pub(crate) fn holds(&self, text: Option<&[u8]>) -> bool {
        let tables = self.0.lock();
        match text {
            None => !tables.is_empty(),
            Some(text) => tables.iter().any(|table| contains(text, table.name.as_bytes())),
        }
    }

    /// Returns when a statement is not held any more.
    pub(crate) async fn opened(&self, text: Option<&[u8]>) {
        loop {
            let opened = self.0.opened.notified();
            if !self.holds(text) {
                return;
            }
            opened.await;
        }
    }
}

impl Inner {
    /// No code panics while it holds the lock, and a list of names has no state in between.
    fn lock(&self) -> MutexGuard<'_, Vec<Table>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClosedGate {
    fn drop(&mut self) {
        let mut tables = self.inner.lock();
        tables.retain(|table| table.id != self.id);
        self.inner.closed.store(tables.len(), Ordering::Release);
        drop(tables);
        self.inner.opened.notify_waiters();
    }
}

/// Whether `text` contains `name` as a word of its own, in any ASCII case.
fn contains(text: &[u8], name: &[u8]) -> bool {
    let is_word = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..))
    };
    let found = |(start, window): (usize, &[u8])| {
        window.eq_ignore_ascii_case(name)
            && !is_word(start.checked_sub(1).and_then(|before| text.get(before)))
            && !is_word(text.get(start + name.len()))
    };
    !name.is_empty() && text.windows(name.len()).enumerate().any(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_names_the_table_until_dropped() {
        let gate = Gate::default();
        assert!(gate.is_open());
        let first = gate.close("app", "Orders");
        let second = gate.close("app", "orders");
        let check =
            |text: Option<&str>, held| assert_eq!(gate.holds(text.map(str::as_bytes)), held, "{text:?}");
        check(Some("select * from ORDERS where id=1"), true);
        check(Some("select 1"), false);
        check(Some("select * from reorders, orders_2, o$orders"), false);
        check(None, true);
        drop(first);
        check(Some("update app.`orders` set a=1"), true);
        drop(second);
        check(None, false);
        assert!(gate.is_open());
    }

    #[tokio::test]
    async fn waiters_go_on_when_their_table_opens() {
        let gate = Gate::default();
        let (orders, other) = (gate.close("app", "orders"), gate.close("app", "other"));
        let waiter = tokio::spawn({
            let gate = gate.clone();
            async move { gate.opened(Some(b"select * from orders")).await }
        });
        tokio::task::yield_now().await;
        drop(other);
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(orders);
        tokio::time::timeout(Duration::from_secs(5), waiter)
            .await
            .unwrap()
            .unwrap();
    }
}
