//! Schema changes that the server carried out itself, recorded afterwards for people to read.
//!
//! # Invariants
//! A client never waits for such a record, and no statement fails by it: it is handed over when the client has its answer, to
//! a queue that is bounded, and what does not fit into the queue is not recorded. It is written over a connection of its own,
//! so that no migration waits for it either. No decision is ever based on it: every question that the engine asks of the
//! state table leaves these rows out.

use tokio::sync::mpsc;

use super::Engine;
use super::store::Store;
use super::way::Way;
use crate::TableName;

/// How many may wait to be written.
const QUEUE: usize = 256;

/// A longer statement is cut: the record is for people.
const STATEMENT_MAX_CHARS: usize = 4_000;

/// A schema change that the server has carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// The table.
    pub source: TableName,
    /// The client's statement.
    pub statement: String,
    /// How.
    pub way: Way,
    /// Why it was no other way: it ends "left to the server, because …".
    pub reason: Option<String>,
    /// The record that it has already, as a migration that was refused.
    pub record: Option<u64>,
}

/// Where such changes are handed over. What is still in it is written when this is dropped.
#[derive(Clone, Debug)]
pub struct Notes(mpsc::Sender<Native>);

impl Notes {
    /// Hands a record over, without waiting.
    pub fn note(&self, mut native: Native) {
        if let Some((at, _)) = native.statement.char_indices().nth(STATEMENT_MAX_CHARS) {
            native.statement.truncate(at);
        }
        if self.0.try_send(native).is_err() {
            tracing::debug!("too many schema changes at a time to record each that the server did itself");
        }
    }
}

impl Engine {
    /// Begins to record what the server carries out itself. To be called on the runtime where that is to be done.
    pub fn notes(&self) -> Notes {
        let (notes, mut queue) = mpsc::channel(QUEUE);
        let upstream = self.shared.upstream.clone();
        tokio::spawn(async move {
            while let Some(first) = queue.recv().await {
                // The connection is for as many as come at once: it shall not lie idle.
                let store = Store::new(upstream.clone());
                let mut next = Some(first);
                while let Some(native) = next {
                    write(&store, &native).await;
                    next = queue.try_recv().ok();
                }
            }
        });
        Notes(notes)
    }
}

async fn write(store: &Store, native: &Native) {
    if let Err(error) = store.note(native).await {
        let Native { source, way, .. } = native;
        tracing::warn!(table = %source, %way, %error, "a schema change that the server did itself is not recorded");
    }
}
