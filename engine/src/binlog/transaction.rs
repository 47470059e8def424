//! Where transactions begin and end in the stream: a pure `next(state, step)`.
//!
//! # Why this is correct
//! A GTID event (anonymous ones included) opens every group. MySQL says by the next event which kind it is: BEGIN
//! or XA START, or else a single statement, which is the whole group. MariaDB says so in the GTID event. A group
//! that is not a single statement ends with an XID event, COMMIT, ROLLBACK or XA PREPARE, and with nothing else:
//! statements inside it (savepoints, CREATE TABLE … SELECT) do not end it.

/// Between or inside transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// At a boundary.
    Outside,
    /// Behind a GTID event that does not tell the kind of its group.
    Opened,
    /// In a group with an end of its own.
    Inside,
    /// In a group of one statement.
    Single,
}

/// What an event means for the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// MySQL's GTID event.
    Gtid,
    /// MariaDB's GTID event; `true` for a single statement.
    GtidOf { single: bool },
    /// BEGIN, XA START.
    Begin,
    /// A statement that changes something by itself.
    Statement,
    /// Row events and what only stands inside transactions.
    Part,
    /// XID, COMMIT, ROLLBACK, XA PREPARE, XA COMMIT, XA ROLLBACK.
    End,
    /// A log file begins: a group the server did not finish before a crash is no group.
    NewFile,
}

/// The next state, and whether a transaction ended here. `None` for a step that cannot happen in this state.
pub(super) fn next(state: State, step: Step) -> Option<(State, bool)> {
    let next = match (state, step) {
        (_, Step::NewFile) => (State::Outside, false),
        (State::Outside, Step::Gtid) => (State::Opened, false),
        (State::Outside, Step::GtidOf { single: true }) => (State::Single, false),
        (State::Outside, Step::GtidOf { single: false }) => (State::Inside, false),
        (State::Outside | State::Opened | State::Inside, Step::Begin | Step::Part) => (State::Inside, false),
        (State::Inside, Step::Statement) => (State::Inside, false),
        (State::Outside | State::Opened | State::Single, Step::Statement) => (State::Outside, true),
        (_, Step::End) => (State::Outside, true),
        (State::Opened | State::Inside | State::Single, Step::Gtid | Step::GtidOf { .. })
        | (State::Single, Step::Begin | Step::Part) => return None,
    };
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_end_where_the_server_ends_them() {
        let check = |steps: &[Step], ends: &[bool]| {
            let mut state = State::Outside;
            let mut ended = Vec::new();
            for step in steps {
                let (after, end) = next(state, *step).unwrap();
                state = after;
                ended.push(end);
            }
            assert_eq!(ended, ends, "{steps:?}");
        };
        use Step::{Begin, End, Gtid, GtidOf, NewFile, Part, Statement};
        // MySQL: a transaction, a DDL statement, CREATE TABLE … SELECT, XA.
        check(
            &[Gtid, Begin, Part, Part, End],
            &[false, false, false, false, true],
        );
        check(&[Gtid, Statement], &[false, true]);
        check(
            &[Gtid, Begin, Statement, Part, End],
            &[false, false, false, false, true],
        );
        check(&[Gtid, End], &[false, true]);
        // MariaDB.
        check(
            &[GtidOf { single: false }, Statement, Part, End],
            &[false, false, false, true],
        );
        check(&[GtidOf { single: true }, Statement], &[false, true]);
        check(&[GtidOf { single: true }, End], &[false, true]);
        // A crash cut a transaction off.
        check(&[Gtid, Begin, Part, NewFile, Gtid], &[false; 5]);
        // Logs without GTID events.
        check(&[Begin, Part, End, Statement], &[false, false, true, true]);
    }

    #[test]
    fn a_group_inside_a_group_is_refused() {
        for state in [State::Opened, State::Inside, State::Single] {
            assert_eq!(next(state, Step::Gtid), None);
            assert_eq!(next(state, Step::GtidOf { single: true }), None);
        }
        assert_eq!(next(State::Single, Step::Part), None);
    }
}
