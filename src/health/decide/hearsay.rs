//! What others tell of the primary: replicas that have its transactions, and other proxies that saw it.
//!
//! # Why it is kept apart from what was seen
//! A replica may be looked at after the primary and rightly have more than that look shows. To demand it of the primary at
//! once would refuse a busy primary every other second. So the primary is held to what others told *before it was asked*;
//! every other server, if it is to take the writes instead, is held to all of it.

use std::time::Instant;

use super::super::memory::Memory;
use super::super::report::Identity;
use super::super::transactions::{Missing, Transactions};

/// What was told, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Hearsay(Vec<(Instant, Transactions)>);

impl Hearsay {
    /// Takes down what was told.
    pub(super) fn note(&mut self, told: Instant, transactions: Transactions) {
        self.0.push((told, transactions));
    }

    /// All of it.
    pub(super) fn all(&self) -> impl Iterator<Item = &Transactions> {
        self.0.iter().map(|(_, transactions)| transactions)
    }

    /// What the primary can be held to becomes what was seen: all that was told before it was asked, and all of it if it
    /// does not answer.
    pub(super) fn settle(&mut self, primary_asked: Option<Instant>, memory: &mut Memory) {
        self.0.retain(|(told, transactions)| {
            let later = primary_asked.is_some_and(|asked| *told > asked);
            if !later {
                memory.learn(transactions);
            }
            later
        });
    }

    /// What a server lacks of all that it has to have to take the writes.
    pub(super) fn missing_in(
        &self,
        memory: &Memory,
        identity: &Identity,
        transactions: Option<&Transactions>,
    ) -> Option<Missing> {
        if memory.is_primary(identity) || self.0.is_empty() {
            return memory.missing_in(identity, transactions);
        }
        let mut all = memory.clone();
        for told in self.all() {
            all.learn(told);
        }
        all.missing_in(identity, transactions)
    }
}
