//! Traffic is held here for the few milliseconds of a cut-over.
//!
//! A table is *watched* while its cut-over is being tried, and *closed* during an attempt. A session is *inside* from the
//! moment it sends a statement that names the table until no transaction of its holds on to it. While the gate is closed,
//! a statement that names the table waits here unless its session is inside: who is inside has to finish.
//! Tables that the server locks together are one room with several doors: who is in by one may use the others.
//!
//! # Invariant
//! A session enters and a gate closes under one lock. So nobody enters a closed gate, and once it is *drained* no session
//! of the proxy's has the table's metadata lock through a text that names it, or is on its way to one.
//!
//! That is what a request for the table lock needs. A transaction that has read a table and now writes it needs a
//! second, stronger metadata lock; behind a *waiting* request for the table lock that is a deadlock, and the server gives the
//! transaction error 1213. With nobody inside there is no such transaction.
//!
//! The gate also remembers which tables were replaced, and when: a snapshot from before that must not be read with (see
//! `session::snapshot`).
//!
//! *Beyond that the gate is a courtesy.* What it cannot see (a name behind a view or in a routine, a session that does not
//! come through the proxy) waits at the server's metadata lock instead, and every wait here is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a statement is held at most.
pub(crate) const HOLD_LIMIT: Duration = Duration::from_secs(5);

/// So many replaced tables are remembered, far more than can be replaced while a transaction is open.
const SWAPS_KEPT: usize = 4096;

/// A moment of the proxy: later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// The gate of one proxy; its clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The length of `tables`: all that is read while nothing is watched.
    watched: AtomicUsize,
    tables: Mutex<Vec<Table>>,
    /// A gate opened, or a session left.
    changed: Notify,
    /// Numbers tables, sessions and moments.
    next_id: AtomicU64,
    /// The moment of the newest of `swaps`: all that is read most of the time.
    last_swap: AtomicU64,
    swaps: Mutex<VecDeque<Swap>>,
}

#[derive(Debug)]
struct Swap {
    at: Moment,
    schema: String,
    name: String,
}

#[derive(Debug)]
struct Table {
    id: u64,
    /// Its name, and those of the tables that are locked with it.
    names: Vec<String>,
    is_closed: bool,
    /// The sessions inside and when they entered.
    inside: BTreeMap<u64, Instant>,
}

/// A table that is watched until this is dropped.
#[derive(Debug)]
pub struct Watched {
    inner: Arc<Inner>,
    id: u64,
}

/// A closed gate; it opens when this is dropped.
#[derive(Debug)]
pub struct Closed {
    inner: Arc<Inner>,
    id: u64,
}

/// The tables one session is inside of; it has left them all when this is dropped.
#[derive(Debug)]
pub(crate) struct Visitor {
    inner: Arc<Inner>,
    session: u64,
    /// Whether it is inside anywhere: all that is read most of the time.
    is_inside: bool,
}

impl Gate {
    /// Watches a table and what is locked with it. Schemas do not matter: a text that names a table may mean its default
    /// schema, so every statement with a table's name counts.
    pub fn watch<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Watched {
        let id = self.0.new_id();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        tracing::debug!(?names, "gate watched");
        let mut tables = self.0.lock();
        tables.push(Table {
            id,
            names,
            is_closed: false,
            inside: BTreeMap::new(),
        });
        self.0.watched.store(tables.len(), Ordering::Release);
        Watched {
            inner: self.0.clone(),
            id,
        }
    }

    /// From now on `table` is another one than before. Called before its gate opens.
    pub fn swapped(&self, schema: &str, table: &str) {
        let at = Moment(self.0.new_id());
        tracing::debug!(schema, table, "table replaced");
        let mut swaps = self.0.swaps.lock().unwrap_or_else(PoisonError::into_inner);
        if swaps.len() == SWAPS_KEPT {
            swaps.pop_front();
        }
        swaps.push_back(Swap {
            at,
            schema: schema.to_owned(),
            name: table.to_owned(),
        });
        self.0.last_swap.store(at.0, Ordering::Release);
    }

    /// Now: not before any swap that has been told, and before every later one.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.0.next_id.load(Ordering::Acquire))
    }

    /// Whether `text` names a table that was replaced after `moment`.
    pub(crate) fn has_swapped_since(&self, moment: Moment, text: &[u8]) -> bool {
        self.any_swap_since(moment, |swap| named(text, &swap.name))
    }

    /// The same for a session whose default schema is `default`: a table of another schema is meant only where that is
    /// named, too.
    pub(crate) fn has_swapped_in(&self, moment: Moment, text: &[u8], default: &[u8]) -> bool {
        self.any_swap_since(moment, |swap| {
            let is_default = swap.schema.as_bytes().eq_ignore_ascii_case(default);
            named(text, &swap.name) && (is_default || named(text, &swap.schema))
        })
    }

    fn any_swap_since(&self, moment: Moment, is_meant: impl Fn(&Swap) -> bool) -> bool {
        if self.0.last_swap.load(Ordering::Acquire) <= moment.0 {
            return false;
        }
        let swaps = self.0.swaps.lock().unwrap_or_else(PoisonError::into_inner);
        swaps
            .iter()
            .rev()
            .take_while(|swap| swap.at > moment)
            .any(is_meant)
    }

    /// A new session, inside of nothing.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor {
            inner: self.0.clone(),
            session: self.0.new_id(),
            is_inside: false,
        }
    }

    /// Whether no table is watched.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.watched.load(Ordering::Acquire) == 0
    }

    /// Returns when nothing holds a statement any more; `None` is a statement whose text is not known.
    pub(crate) async fn opened(&self, text: Option<&[u8]>) {
        self.0
            .wait_until(|tables| {
                !tables
                    .iter()
                    .any(|table| table.is_closed && table.is_named_in(text))
            })
            .await;
    }
}

impl Watched {
    /// Holds the statements of the sessions that are not inside.
    pub fn close(&self) -> Closed {
        self.inner.set_closed(self.id, true);
        Closed {
            inner: self.inner.clone(),
            id: self.id,
        }
    }

    /// How long the session that has been inside longest has been there; zero while there is none.
    pub fn longest_stay(&self) -> Duration {
        let tables = self.inner.lock();
        let entered = tables.iter().find(|table| table.id == self.id);
        let entered = entered.and_then(|table| table.inside.values().min());
        entered.map_or(Duration::ZERO, Instant::elapsed)
    }
}

impl Closed {
    /// Returns when nobody is inside.
    pub async fn drained(&self) {
        self.inner
            .wait_until(|tables| {
                !tables
                    .iter()
                    .any(|table| table.id == self.id && !table.inside.is_empty())
            })
            .await;
    }
}

impl Visitor {
    /// Whether a statement goes on; if it does, its session is inside of the tables it names from now on. `insists` is
    /// for one that has waited long enough.
    pub(crate) fn passes(&mut self, text: Option<&[u8]>, insists: bool) -> bool {
        if self.inner.watched.load(Ordering::Acquire) == 0 {
            return true;
        }
        let mut tables = self.inner.lock();
        let named = |table: &&mut Table| table.is_named_in(text);
        let holds = |table: &mut Table| table.is_closed && !table.inside.contains_key(&self.session);
        if !insists && tables.iter_mut().filter(named).any(holds) {
            return false;
        }
        for table in tables.iter_mut().filter(named) {
            table.inside.entry(self.session).or_insert_with(Instant::now);
            self.is_inside = true;
        }
        true
    }

    /// The session has no transaction and no statement under way.
    pub(crate) fn leave(&mut self) {
        if !self.is_inside {
            return;
        }
        self.is_inside = false;
        for table in self.inner.lock().iter_mut() {
            table.inside.remove(&self.session);
        }
        self.inner.changed.notify_waiters();
    }
}

impl Inner {
    fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// No code panics while it holds the lock, and each change of the list is a single one.
    fn lock(&self) -> MutexGuard<'_, Vec<Table>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_closed(&self, id: u64, is_closed: bool) {
        for table in self.lock().iter_mut().filter(|table| table.id == id) {
            table.is_closed = is_closed;
        }
        self.changed.notify_waiters();
    }

    async fn wait_until(&self, is_so: impl Fn(&[Table]) -> bool) {
        loop {
            // Made before the look, so that no change between the look and the wait is missed.
            let changed = self.changed.notified();
            if is_so(&self.lock()) {
                return;
            }
            changed.await;
        }
    }
}

impl Table {
    fn is_named_in(&self, text: Option<&[u8]>) -> bool {
        text.is_none_or(|text| self.names.iter().any(|name| named(text, name)))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut tables = self.inner.lock();
        tables.retain(|table| table.id != self.id);
        self.inner.watched.store(tables.len(), Ordering::Release);
        drop(tables);
        self.inner.changed.notify_waiters();
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.inner.set_closed(self.id, false);
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether `text` names `name`, plainly or with the quotes in it doubled.
fn named(text: &[u8], name: &str) -> bool {
    let doubled = |quote: char, twice: &str| {
        name.contains(quote) && contains(text, name.replace(quote, twice).as_bytes())
    };
    contains(text, name.as_bytes()) || doubled('`', "``") || doubled('"', "\"\"")
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

    const LONG: Duration = Duration::from_secs(5);

    #[test]
    fn holds_what_names_the_table_until_dropped() {
        let gate = Gate::default();
        assert!(gate.is_idle());
        let (first, second) = (gate.watch(["Orders"]), gate.watch(["orders"]));
        let (first_closed, second_closed) = (first.close(), second.close());
        let check = |text: Option<&str>, passes| {
            let passed = gate.visitor().passes(text.map(str::as_bytes), false);
            assert_eq!(passed, passes, "{text:?}");
        };
        check(Some("select * from ORDERS where id=1"), false);
        check(Some("select 1"), true);
        check(Some("select * from reorders, orders_2, o$orders"), true);
        check(None, false);
        drop(first_closed);
        check(Some("update app.`orders` set a=1"), false);
        drop(second_closed);
        check(None, true);
        assert!(!gate.is_idle());
        drop((first, second));
        assert!(gate.is_idle());
    }

    #[test]
    fn who_is_inside_goes_on() {
        let gate = Gate::default();
        let watched = gate.watch(["orders"]);
        let (mut early, mut late) = (gate.visitor(), gate.visitor());
        let text: Option<&[u8]> = Some(b"select * from orders");
        assert!(early.passes(text, false));
        let closed = watched.close();
        assert!(early.passes(text, false));
        assert!(!late.passes(text, false));
        early.leave();
        assert!(!early.passes(text, false));
        assert!(late.passes(text, true), "who has waited too long goes on");
        drop(closed);
        assert!(watched.longest_stay() > Duration::ZERO);
        drop(late);
        assert_eq!(watched.longest_stay(), Duration::ZERO);
    }

    #[test]
    fn tables_locked_together_are_one_room() {
        let gate = Gate::default();
        let watched = gate.watch(["orders", "audit"]);
        let (mut early, mut late) = (gate.visitor(), gate.visitor());
        assert!(early.passes(Some(b"insert into audit values (1)"), false));
        let _closed = watched.close();
        assert!(early.passes(Some(b"update orders set a=1"), false));
        assert!(!late.passes(Some(b"update orders set a=1"), false));
        assert!(!late.passes(Some(b"insert into audit values (1)"), false));
        assert!(late.passes(Some(b"insert into other values (1)"), false));
    }

    #[test]
    fn replaced_tables_are_remembered() {
        let gate = Gate::default();
        let text = b"select * from app.orders";
        let before = gate.now();
        assert!(!gate.has_swapped_since(before, text));
        gate.swapped("app", "orders");
        let after = gate.now();
        gate.swapped("app", "other");
        assert!(gate.has_swapped_since(before, text));
        assert!(!gate.has_swapped_since(before, b"select * from reorders"));
        assert!(!gate.has_swapped_since(after, text));
        assert!(gate.has_swapped_since(after, b"select * from other"));
        assert!(gate.has_swapped_in(before, text, b"shop"));
        assert!(gate.has_swapped_in(before, b"select * from orders", b"App"));
        assert!(!gate.has_swapped_in(before, b"select * from orders", b"shop"));
        gate.swapped("app", "a`b");
        assert!(gate.has_swapped_since(after, b"select * from `a``b`"));
    }

    #[tokio::test]
    async fn waiters_go_on_when_their_table_opens() {
        let gate = Gate::default();
        let (orders, other) = (gate.watch(["orders"]), gate.watch(["other"]));
        let (orders_closed, other_closed) = (orders.close(), other.close());
        let waiter = tokio::spawn({
            let gate = gate.clone();
            async move { gate.opened(Some(b"select * from orders")).await }
        });
        tokio::task::yield_now().await;
        drop(other_closed);
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(orders_closed);
        tokio::time::timeout(LONG, waiter).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn it_is_drained_when_the_last_one_leaves() {
        let gate = Gate::default();
        let watched = gate.watch(["orders"]);
        let (mut first, mut second) = (gate.visitor(), gate.visitor());
        assert!(first.passes(None, false) && second.passes(None, false));
        let closed = Arc::new(watched.close());
        let waiter = tokio::spawn({
            let closed = Arc::clone(&closed);
            async move { closed.drained().await }
        });
        first.leave();
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(second);
        tokio::time::timeout(LONG, waiter).await.unwrap().unwrap();
    }
}
