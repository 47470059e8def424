//! Brings changes of the source to the ghost.
//!
//! The stream says which keys have changed; the applier reconciles batches of distinct keys on several connections,
//! in any order. One task owns all that is pending; workers only write what they are handed.
//!
//! # Invariants
//! * **A position is passed on only behind the changes before it.** It waits in the queue with the number of the last change in
//!   front of it, until everything up to that number is reconciled; nobody else can make an [`AppliedThrough`].
//! * **A change counts as reconciled only by a read that began after it came.** A key that comes again while it is in flight
//!   is pending anew, with a new number. One that comes again while it is still pending is not.
//! * **Memory is bounded.** At most [`Options::pending_max`] keys are pending, of [`Options::pending_max_bytes`]; then the
//!   stream has to wait. The positions between them are bounded, too, however long a row is locked.
//! * **A locked row holds up nobody else.** Keys whose rows are locked are set aside, and waited for one at a time
//!   while other workers go on.

mod change_set;
mod core;
mod drain;
mod failure;
mod hand;
mod handle;

pub use change_set::AppliedThrough;
pub(crate) use handle::StandsStill;
pub use handle::{ApplierHandle, Options, start};
