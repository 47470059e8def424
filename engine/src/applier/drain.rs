//! Taking what is pending out of the applier, to reconcile it elsewhere.

use tokio::sync::{mpsc, oneshot};

use super::change_set::Batch;
use super::core::Command;
use crate::position::Position;

/// What a drain is given.
#[derive(Debug)]
pub(super) struct Share {
    /// Everything pending.
    pub(super) batch: Option<Batch>,
    /// Whether the stream has come far enough, so that nothing more needs to be asked for.
    pub(super) reached: bool,
}

/// Somebody who wants everything up to a position.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) through: Position,
    pub(super) reply: oneshot::Sender<Share>,
}

impl Drain {
    /// Gives back the batch when nobody listens any more.
    pub(super) fn answer(self, batch: Option<Batch>, reached: bool) -> Result<(), Batch> {
        match self.reply.send(Share { batch, reached }) {
            Ok(()) => Ok(()),
            Err(unheard) => unheard.batch.map_or(Ok(()), Err),
        }
    }
}

/// A batch out for draining. Unless it is told reconciled, it goes back when this is dropped: keys must not
/// get lost with a future that is given up.
#[derive(Debug)]
pub(super) struct OnLoan {
    batch: Option<Batch>,
    commands: mpsc::UnboundedSender<Command>,
}

impl OnLoan {
    pub(super) fn new(batch: Batch, commands: mpsc::UnboundedSender<Command>) -> Self {
        Self {
            batch: Some(batch),
            commands,
        }
    }

    pub(super) fn reconciled(mut self) {
        if let Some(batch) = self.batch.take() {
            // The task has ended: then nobody counts on it either.
            let _ = self.commands.send(Command::Drained(batch));
        }
    }
}

impl Drop for OnLoan {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            let _ = self.commands.send(Command::NotDrained(batch));
        }
    }
}
