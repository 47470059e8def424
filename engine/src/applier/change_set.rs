//! Keys that have changed and are not yet reconciled, and the positions that wait for them.
//!
//! # Why the barrier is right
//! Every key that comes gets a number, ever greater, unless it is pending already: then its earlier number stands
//! for both, as the read that will serve it is still to begin. A position that comes waits with the next number to
//! be given. It passes once no key with a smaller number is pending or in flight: then every change in front of it
//! has been reconciled by a read that began after the change had come.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use tokio::sync::oneshot;

use crate::key::Key;
use crate::position::Position;

/// So many positions wait at most, about a megabyte of them.
const TOKENS_MAX: usize = 4096;

/// Every change at or before a position is reconciled. Only the barrier can say so.
#[derive(Clone, Debug)]
pub struct AppliedThrough(Position);

impl AppliedThrough {
    pub(crate) fn into_position(self) -> Position {
        self.0
    }

    #[cfg(test)]
    pub(crate) fn for_test(position: Position) -> Self {
        Self(position)
    }
}

/// Keys handed out together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    id: u64,
    /// Whether the rows' locks are to be waited for.
    pub(super) wait: bool,
    numbered: Vec<(u64, Key)>,
}

impl Batch {
    pub(super) fn keys(&self) -> Vec<Key> {
        self.numbered.iter().map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.numbered.len()
    }

    /// The share of the batch whose rows were locked.
    fn into_locked(self, locked: &[Key]) -> Vec<(u64, Key)> {
        let locked: HashSet<&Key> = locked.iter().collect();
        let numbered = self.numbered.into_iter();
        numbered.filter(|(_, key)| locked.contains(key)).collect()
    }
}

/// What waits in the queue behind keys.
#[derive(Debug)]
enum Token {
    Position(Position),
    Reply(oneshot::Sender<()>),
}

/// What the barrier let pass.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// The last of the positions; the ones before it are implied.
    pub(super) applied_through: Option<AppliedThrough>,
    /// Those who asked to be told.
    pub(super) replies: Vec<oneshot::Sender<()>>,
}

/// The keys and the tokens. Knows nothing of connections.
#[derive(Debug, Default)]
pub(super) struct ChangeSet {
    next_number: u64,
    next_batch: u64,
    /// Keys to be handed out, by number.
    pending: BTreeMap<u64, Key>,
    /// Keys whose rows were locked when they were tried, by number.
    locked: BTreeMap<u64, Key>,
    /// The number of each key that is pending or locked.
    numbers: HashMap<Key, u64>,
    /// About what those keys take in memory.
    waiting_bytes: usize,
    /// Of each batch in flight, its smallest number and how many keys it has.
    in_flight: HashMap<u64, (u64, usize)>,
    keys_in_flight: HashSet<Key>,
    tokens: VecDeque<(u64, Token)>,
}

impl ChangeSet {
    /// A key has changed.
    pub(super) fn add(&mut self, key: Key) {
        if self.numbers.contains_key(&key) {
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.waiting_bytes += key.bytes();
        self.numbers.insert(key.clone(), number);
        self.pending.insert(number, key);
    }

    /// A transaction has ended: its position waits behind every key that has come.
    ///
    /// Behind a row that is locked for hours come millions of them. Every second one is given up then: that a position
    /// has passed is only known later by it, since each stands for all before it.
    pub(super) fn end_transaction(&mut self, position: Position) {
        if self.tokens.len() >= TOKENS_MAX {
            let mut odd = false;
            self.tokens.retain(|(_, token)| {
                odd = !odd;
                odd || matches!(token, Token::Reply(_))
            });
        }
        // With no key between them, the later position stands for both.
        match self.tokens.back_mut() {
            Some((number, Token::Position(last))) if *number == self.next_number => *last = position,
            _ => self
                .tokens
                .push_back((self.next_number, Token::Position(position))),
        }
    }

    /// Tells `reply` when every key that has come is reconciled.
    pub(super) fn tell(&mut self, reply: oneshot::Sender<()>) {
        self.tokens.push_back((self.next_number, Token::Reply(reply)));
    }

    /// Hands out up to `keys_max` pending keys, the oldest first, none that is in flight already.
    pub(super) fn take(&mut self, keys_max: usize) -> Option<Batch> {
        let ready = self.pending.iter();
        let ready = ready.filter(|(_, key)| !self.keys_in_flight.contains(*key));
        let numbered = ready.take(keys_max).map(|(number, key)| (*number, key.clone()));
        self.hand_out(numbered.collect(), false)
    }

    /// Hands out the oldest key whose row was locked, to be waited for.
    pub(super) fn take_locked(&mut self) -> Option<Batch> {
        let ready = self.locked.iter();
        let mut ready = ready.filter(|(_, key)| !self.keys_in_flight.contains(*key));
        let numbered = ready.next().map(|(number, key)| (*number, key.clone()));
        self.hand_out(numbered.into_iter().collect(), true)
    }

    /// Hands out everything. Only while nothing is in flight, so that nothing is left behind.
    pub(super) fn take_all(&mut self) -> Option<Batch> {
        let numbered = self.pending.iter().chain(&self.locked);
        let numbered = numbered.map(|(number, key)| (*number, key.clone()));
        self.hand_out(numbered.collect(), false)
    }

    fn hand_out(&mut self, numbered: Vec<(u64, Key)>, wait: bool) -> Option<Batch> {
        let oldest = numbered.iter().map(|(number, _)| *number).min()?;
        for (number, key) in &numbered {
            self.pending.remove(number);
            self.locked.remove(number);
            if self.numbers.remove(key).is_some() {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(key.bytes());
            }
            self.keys_in_flight.insert(key.clone());
        }
        let batch = Batch {
            id: self.next_batch,
            wait,
            numbered,
        };
        self.next_batch += 1;
        self.in_flight.insert(batch.id, (oldest, batch.len()));
        Some(batch)
    }

    /// A batch has come back; all of it is reconciled but `locked`, whose rows were locked.
    pub(super) fn done(&mut self, batch: Batch, locked: &[Key]) {
        self.land(&batch);
        for (number, key) in batch.into_locked(locked) {
            self.put_back(number, key, true);
        }
    }

    /// A batch has come back and nothing of it is known to be reconciled.
    pub(super) fn undone(&mut self, batch: Batch) {
        self.land(&batch);
        for (number, key) in batch.numbered {
            self.put_back(number, key, false);
        }
    }

    fn land(&mut self, batch: &Batch) {
        self.in_flight.remove(&batch.id);
        for (_, key) in &batch.numbered {
            self.keys_in_flight.remove(key);
        }
    }

    /// The key's old number must not be lost: positions behind it still wait for it.
    fn put_back(&mut self, number: u64, key: Key, locked: bool) {
        match self.numbers.insert(key.clone(), number) {
            Some(newer) => {
                self.pending.remove(&newer);
                self.locked.remove(&newer);
            }
            None => self.waiting_bytes += key.bytes(),
        }
        match locked {
            true => self.locked.insert(number, key),
            false => self.pending.insert(number, key),
        };
    }

    /// Lets pass what has waited long enough.
    pub(super) fn pass(&mut self) -> Passed {
        let done_below = self.done_below();
        let mut passed = Passed::default();
        while self
            .tokens
            .front()
            .is_some_and(|(number, _)| *number <= done_below)
        {
            match self.tokens.pop_front() {
                Some((_, Token::Position(position))) => {
                    passed.applied_through = Some(AppliedThrough(position));
                }
                Some((_, Token::Reply(reply))) => passed.replies.push(reply),
                None => break,
            }
        }
        passed
    }

    /// Every key with a smaller number is reconciled.
    fn done_below(&self) -> u64 {
        let first = |keys: &BTreeMap<u64, Key>| keys.keys().next().copied();
        self.in_flight
            .values()
            .map(|(oldest, _)| *oldest)
            .chain(first(&self.pending))
            .chain(first(&self.locked))
            .min()
            .unwrap_or(self.next_number)
    }

    /// Keys that are pending, set aside or in flight.
    pub(super) fn len(&self) -> usize {
        let in_flight: usize = self.in_flight.values().map(|(_, keys)| keys).sum();
        self.numbers.len() + in_flight
    }

    /// Keys that are pending or set aside.
    pub(super) fn waiting(&self) -> usize {
        self.numbers.len()
    }

    /// About what they take in memory.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(super) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests;
