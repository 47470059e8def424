//! Since when the session's transaction may have a snapshot, and what must not be read with it.
//!
//! A REPEATABLE READ transaction reads all tables as they were at its first read. A table that replaces another one was
//! empty once: with a snapshot from before it was full, rows would be missing, and nobody would say so. A server whose own
//! ALTER rebuilt the table answers such a read with 1412, and so does the proxy.
//!
//! *Why this finds them all:* a transaction that has touched the table itself holds its metadata lock, so it cannot be
//! replaced before the transaction ends. So it is enough to know when the snapshot can have come into being at the earliest:
//! when the first statement of the transaction was sent that is not only its beginning, or a savepoint. Moments are the
//! gate's, which orders them with the swaps. What a text does not show (a view on the table) is not found, nor is a session
//! past the proxy.

use crate::gate::Moment;
use crate::intercept::words::{self, Boundary};

/// One session's knowledge of its snapshot.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// No snapshot of the open transaction is older.
    since: Option<Moment>,
    /// No snapshot of a statement without an answer is older.
    pending: Option<Moment>,
}

impl Snapshot {
    /// A statement is sent `now`.
    pub(super) fn sent(&mut self, text: Option<&[u8]>, now: Moment) {
        match text.and_then(words::boundary) {
            Some(Boundary::Plain) => *self = Self::default(),
            Some(Boundary::WithSnapshot) => {
                *self = Self {
                    since: None,
                    pending: Some(now),
                };
            }
            None if text.is_some_and(words::reads_nothing) => {}
            None => self.pending = self.pending.or(Some(now)),
        }
    }

    /// Everything sent is answered; the session is in a transaction or not.
    pub(super) fn answered(&mut self, in_transaction: bool) {
        let pending = self.pending.take();
        self.since = self.since.or(pending).filter(|_| in_transaction);
    }

    /// Whether the session surely has no snapshot, nor a statement under way that could take one.
    pub(super) fn is_none(&self) -> bool {
        self.since.is_none() && self.pending.is_none()
    }

    /// The moment before which there was no snapshot, if there may be one.
    pub(super) fn since(&self) -> Option<Moment> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Gate;

    #[test]
    fn a_snapshot_is_no_older_than_the_first_statement_that_may_read() {
        let gate = Gate::default();
        let mut snapshot = Snapshot::default();
        let send = |snapshot: &mut Snapshot, text: &str, in_transaction| {
            let now = gate.now();
            snapshot.sent(Some(text.as_bytes()), now);
            snapshot.answered(in_transaction);
            gate.swapped("app", "t");
            now
        };
        send(&mut snapshot, "SELECT 1", false);
        assert_eq!(snapshot.since(), None);
        send(&mut snapshot, "BEGIN", true);
        assert_eq!(snapshot.since(), None);
        for text in ["SHOW WARNINGS", "SAVEPOINT a", "ROLLBACK TO a"] {
            send(&mut snapshot, text, true);
            assert_eq!(snapshot.since(), None);
        }
        let first = send(&mut snapshot, "SELECT * FROM other", true);
        send(&mut snapshot, "SELECT * FROM other", true);
        assert_eq!(snapshot.since(), Some(first));
        send(&mut snapshot, "COMMIT AND CHAIN", true);
        assert_eq!(snapshot.since(), None);
        let chained = send(&mut snapshot, "UPDATE other SET a = 1", true);
        assert_eq!(snapshot.since(), Some(chained));
        send(&mut snapshot, "ROLLBACK", false);
        let consistent = send(&mut snapshot, "START TRANSACTION WITH CONSISTENT SNAPSHOT", true);
        assert_eq!(snapshot.since(), Some(consistent));
    }
}
