//! What a session remembers of its prepared statements.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::hooks::ClientSession;
use crate::protocol::command::LAST_STATEMENT;

/// A longer text is not kept; the statement then counts as unknown.
pub(super) const TEXT_MAX_BYTES: usize = 16 << 10;
/// All texts of a session.
pub(super) const TEXTS_MAX_BYTES: usize = 1 << 20;

/// A prepared schema change that may be done online.
#[derive(Clone, Debug, Default)]
pub(crate) struct PreparedChange {
    pub(crate) sql: String,
    /// The default schema and the settings at the time: they are part of what was prepared.
    pub(crate) schema: Option<String>,
    pub(crate) session: ClientSession,
}

/// One prepared statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) text: Option<Bytes>,
    pub(crate) change: Option<Arc<PreparedChange>>,
}

/// What happens to the statements once the server has answered so far.
#[derive(Debug)]
enum Awaiting {
    Prepare(Prepared),
    Close(u32),
    Clear,
}

/// All of a session's prepared statements.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    known: HashMap<u32, Prepared>,
    /// PREPAREs that are not answered yet, and what was sent behind them.
    awaiting: VecDeque<Awaiting>,
    last: Option<u32>,
    text_bytes: usize,
}

impl Statements {
    /// A PREPARE was forwarded.
    pub(crate) fn announce(&mut self, text: Option<&[u8]>, change: Option<Arc<PreparedChange>>) {
        let fits =
            |text: &&[u8]| text.len() <= TEXT_MAX_BYTES && self.text_bytes + text.len() <= TEXTS_MAX_BYTES;
        let text = text.filter(fits).map(Bytes::copy_from_slice);
        self.text_bytes += text.as_ref().map_or(0, Bytes::len);
        let statement = Prepared { text, change };
        self.awaiting.push_back(Awaiting::Prepare(statement));
    }

    /// The oldest unanswered PREPARE succeeded.
    pub(crate) fn prepared(&mut self, id: u32) {
        if let Some(Awaiting::Prepare(statement)) = self.awaiting.pop_front()
            && let Some(replaced) = self.known.insert(id, statement)
        {
            self.forget(&replaced);
        }
        self.last = Some(id);
        self.catch_up();
    }

    /// The oldest unanswered PREPARE failed.
    pub(crate) fn failed(&mut self) {
        if let Some(Awaiting::Prepare(statement)) = self.awaiting.pop_front() {
            self.forget(&statement);
        }
        self.last = None;
        self.catch_up();
    }

    pub(crate) fn close(&mut self, id: u32) {
        self.awaiting.push_back(Awaiting::Close(id));
        self.catch_up();
    }

    /// The session was reset: its statements are gone.
    pub(crate) fn clear(&mut self) {
        self.awaiting.push_back(Awaiting::Clear);
        self.catch_up();
    }

    /// Does what stands before the oldest unanswered PREPARE.
    fn catch_up(&mut self) {
        loop {
            match self.awaiting.front() {
                None | Some(Awaiting::Prepare(_)) => return,
                Some(&Awaiting::Close(id)) => {
                    if let Some(statement) = self.known.remove(&id) {
                        self.forget(&statement);
                    }
                }
                Some(Awaiting::Clear) => {
                    for statement in std::mem::take(&mut self.known).into_values() {
                        self.forget(&statement);
                    }
                    self.last = None;
                }
            }
            self.awaiting.pop_front();
        }
    }

    /// The statement an EXECUTE names; `None` if it is unknown.
    pub(crate) fn get(&self, id: u32) -> Option<&Prepared> {
        if id != LAST_STATEMENT {
            return self.known.get(&id);
        }
        let newest = self
            .awaiting
            .iter()
            .rfind(|awaiting| !matches!(awaiting, Awaiting::Close(_)));
        match newest {
            Some(Awaiting::Prepare(statement)) => Some(statement),
            Some(_) => None,
            None => self.known.get(&self.last?),
        }
    }

    /// Whether an unanswered PREPARE may turn out to be a schema change of this id.
    pub(crate) fn may_become_change(&self, id: u32) -> bool {
        let is_change = |awaiting: &Awaiting| matches!(awaiting, Awaiting::Prepare(statement) if statement.change.is_some());
        id != LAST_STATEMENT && self.awaiting.iter().any(is_change)
    }

    fn forget(&mut self, statement: &Prepared) {
        let bytes = statement.text.as_ref().map_or(0, Bytes::len);
        self.text_bytes = self.text_bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(statements: &Statements, id: u32) -> Option<&[u8]> {
        statements.get(id)?.text.as_deref()
    }

    #[test]
    fn answers_meet_their_statements_in_order() {
        let mut statements = Statements::default();
        statements.announce(Some(b"first"), None);
        statements.announce(Some(b"second"), None);
        assert_eq!(text(&statements, LAST_STATEMENT), Some(&b"second"[..]));
        statements.failed();
        statements.prepared(5);
        assert_eq!(text(&statements, 5), Some(&b"second"[..]));
        assert_eq!(text(&statements, LAST_STATEMENT), Some(&b"second"[..]));
        statements.close(5);
        assert_eq!(text(&statements, 5), None);
        statements.prepared(6);
        assert!(statements.get(6).is_none());
    }

    #[test]
    fn what_was_sent_behind_a_preparation_happens_behind_it() {
        let mut statements = Statements::default();
        statements.announce(Some(b"first"), None);
        statements.close(1);
        statements.announce(Some(b"second"), None);
        statements.clear();
        statements.announce(Some(b"third"), None);
        statements.prepared(1);
        assert_eq!(text(&statements, 1), None);
        statements.prepared(2);
        assert_eq!(text(&statements, 2), None);
        statements.prepared(3);
        assert_eq!(text(&statements, LAST_STATEMENT), Some(&b"third"[..]));
        assert!(!statements.may_become_change(4));
        statements.announce(None, Some(Arc::default()));
        assert!(statements.may_become_change(4));
        statements.failed();
        assert!(!statements.may_become_change(4));
    }

    #[test]
    fn texts_are_bounded() {
        let mut statements = Statements::default();
        for id in 0..100 {
            statements.announce(Some(&[b'x'; TEXT_MAX_BYTES]), None);
            statements.prepared(id);
        }
        assert!(text(&statements, 63).is_some());
        assert!(text(&statements, 64).is_none());
        statements.clear();
        assert_eq!(statements.text_bytes, 0);
        statements.announce(Some(&[b'x'; TEXT_MAX_BYTES + 1]), None);
        statements.prepared(1);
        assert!(
            statements
                .get(1)
                .is_some_and(|statement| statement.text.is_none())
        );
    }
}
