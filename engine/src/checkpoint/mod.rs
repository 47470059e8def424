//! What may be resumed from.
//!
//! # Why every pair (P, F) that is individually true may be resumed from
//! Two facts make a checkpoint. *Applied through P*: every change at or before P was either reconciled, or dropped
//! because its key lay above the watermark then dispatched. *Copied through F*: every chunk up to F is committed.
//! Both only grow, and they need not be of the same moment. Resuming streams from P, starts the watermark at F and
//! copies what lies above F. Take any key K and any change e of it.
//!
//! * **K above F**: its chunk is read anew, under a shared lock, after the resume. Whatever the ghost held is deleted
//!   first, and changes after that read are kept by the watermark's rule.
//! * **K at or below F, e after P**: e is streamed again, and kept, since the watermark starts at F.
//! * **K at or below F, e at or before P, reconciled**: the ghost has the row as it was after e, or later.
//! * **K at or below F, e at or before P, dropped**: the chunk of K was dispatched after e was in the binary log, so
//!   its locking read saw e (Rule 1); and that chunk is durable, since K is at or below F.
//!
//! A row that REPLACE displaced from the ghost has a change of its own not yet reconciled, hence after P, or lies
//! above F. Reconciling twice is reconciling once, so it does no harm that the crash lost track of what was done
//! after P.
//!
//! A checkpoint is written to the server the facts are about, after they became true there. Redo log and
//! replication keep that order, so it is never more durable than what it says.
//!
//! # Invariant
//! Nobody but the applier's barrier can make an [`AppliedThrough`](crate::applier::AppliedThrough), nobody but the row copy a
//! [`ChunkDurable`](crate::row_copy::ChunkDurable), and only the ledger makes a [`Checkpoint`] out of them.

mod book;
mod frontier;
mod ledger;

pub use book::Checkpoint;
pub use frontier::Frontier;
pub use ledger::Ledger;
