//! The one task that hears both facts.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::book::Book;
use super::{Checkpoint, Frontier};
use crate::applier::AppliedThrough;
use crate::plan::Plan;
use crate::position::Position;
use crate::row_copy::{ChunkDurable, Watermark};

/// How many facts may be on their way.
const FACTS_MAX: usize = 256;

#[derive(Debug)]
enum Fact {
    Applied(AppliedThrough),
    Durable(ChunkDurable),
}

/// Hears what has become true, and says what may be resumed from. Its task ends with its last clone.
///
/// A ledger serves one run: the row copy's chunks and the watermark both begin at the frontier it was started
/// with, so that nobody can start them at different places.
#[derive(Clone, Debug)]
pub struct Ledger {
    facts: mpsc::Sender<Fact>,
    checkpoint: watch::Receiver<Option<Checkpoint>>,
    start: Frontier,
    watermark: Watermark,
}

impl Ledger {
    /// Begins where a checkpoint left off, or with [`Frontier::Nothing`] and the position the stream starts from.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(plan: &Arc<Plan>, start: Frontier, position: Option<Position>) -> Self {
        let book = Book::new(start.clone(), position);
        let (facts, heard) = mpsc::channel(FACTS_MAX);
        let (publish, checkpoint) = watch::channel(book.checkpoint());
        tokio::spawn(keep(book, heard, publish));
        Self {
            facts,
            checkpoint,
            watermark: Watermark::behind(start.clone(), plan),
            start,
        }
    }

    /// What may be resumed from, as it grows.
    pub fn checkpoint(&self) -> watch::Receiver<Option<Checkpoint>> {
        self.checkpoint.clone()
    }

    /// The watermark of this run's row copy.
    pub fn watermark(&self) -> Watermark {
        self.watermark.clone()
    }

    /// Where this run began to copy.
    pub fn start_frontier(&self) -> &Frontier {
        &self.start
    }

    /// The applier's barrier has passed a position.
    pub(crate) async fn applied_through(&self, fact: AppliedThrough) {
        // The task lives as long as this sender does.
        let _ = self.facts.send(Fact::Applied(fact)).await;
    }

    /// A chunk is committed.
    pub(crate) async fn chunk_durable(&self, fact: ChunkDurable) {
        let _ = self.facts.send(Fact::Durable(fact)).await;
    }
}

async fn keep(mut book: Book, mut heard: mpsc::Receiver<Fact>, publish: watch::Sender<Option<Checkpoint>>) {
    while let Some(fact) = heard.recv().await {
        match fact {
            Fact::Applied(fact) => book.applied_through(fact),
            Fact::Durable(fact) => book.chunk_durable(fact),
        }
        publish.send_replace(book.checkpoint());
    }
}
