//! How far a replica is behind, by what it has and not by what it says.
//!
//! A replica's own word (`Seconds_Behind_Source`) is about what it has received: one that receives nothing any more calls
//! itself punctual. Here each look at the primary is kept with its time, and a replica that has everything of such a look
//! is at most as far behind as that look is old. Its own word is asked only for a time before the first look, and raises
//! the figure where it is worse.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::report::Look;
use super::super::transactions::Transactions;

/// How many looks are kept. They lie apart as the limit demands, so that a lag at the limit is known to a part of this.
const KEPT: usize = 64;
/// How much of the past is kept where no limit asks for any.
const SPAN: Duration = Duration::from_secs(60);

/// The primary's transactions in the course of time.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct History {
    /// Oldest first.
    kept: VecDeque<(Instant, Transactions)>,
    /// The latest look, kept or not.
    latest: Option<(Instant, Transactions)>,
}

/// How far a replica is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Lag {
    /// At most so far.
    Within(Duration),
    /// Further than the past reaches back.
    Beyond(Duration),
    /// There is nothing to tell it by.
    Unknown,
}

impl History {
    /// The primary had these when it was asked.
    pub(super) fn note(&mut self, asked: Instant, transactions: &Transactions, limit: Option<Duration>) {
        if self.latest.as_ref().is_some_and(|(latest, _)| *latest >= asked) {
            return;
        }
        // Twice the limit, so that a lag at the limit is told from one beyond it.
        let span = limit.map_or(SPAN, |limit| limit.saturating_mul(2).max(SPAN));
        let apart = span / u32::try_from(KEPT).unwrap_or(u32::MAX);
        let newest = self.kept.back().map(|(time, _)| *time);
        if newest.is_none_or(|newest| asked.saturating_duration_since(newest) >= apart) {
            self.kept.push_back((asked, transactions.clone()));
        }
        while self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        self.latest = Some((asked, transactions.clone()));
    }

    /// How far behind the server was that answered so.
    pub(super) fn lag(&self, look: &Look) -> Lag {
        let told = look.report.behind();
        match (self.shown(look), told) {
            (Some(shown), Some(told)) if shown > Duration::ZERO => Lag::Within(shown.max(told)),
            (Some(shown), _) => Lag::Within(shown),
            (None, Some(told)) => Lag::Within(told.max(self.age(look))),
            (None, None) if self.latest.is_some() => Lag::Beyond(self.age(look)),
            (None, None) => Lag::Unknown,
        }
    }

    /// What its transactions show.
    fn shown(&self, look: &Look) -> Option<Duration> {
        let theirs = look.report.transactions.as_ref()?;
        let has = |ours: &Transactions| ours.missing_in(theirs).is_empty();
        let (_, latest) = self.latest.as_ref()?;
        if has(latest) {
            return Some(Duration::ZERO);
        }
        let reached = self.kept.iter().rev().find(|(_, then)| has(then));
        reached.map(|(then, _)| look.asked.saturating_duration_since(*then))
    }

    /// How far back the past reaches.
    fn age(&self, look: &Look) -> Duration {
        let oldest = self.kept.front().map(|(time, _)| *time);
        oldest.map_or(Duration::ZERO, |oldest| {
            look.asked.saturating_duration_since(oldest)
        })
    }
}
