//! The server tells a client of each step of its transaction, and the proxy's own statements are such steps.
//!
//! What it tells is what has changed since it told last, in the next OK packet. MySQL 9.7 tells every client that takes such
//! notes (`CLIENT_SESSION_TRACK`) when a transaction that was begun by a statement ends, as it does when the server is asked
//! about an ALTER. `Session::untold` is what it told then. It is passed on: in the answer, if that is an OK; otherwise the
//! session is brought back to where the server has it still to tell.
//!
//! With `session_track_transaction_info` the server tells of much more, down to "a result set was sent". Such a session does
//! its own ALTER, and so does one that has `lock_wait_timeout` tracked, which the proxy's questions set: MariaDB tells of it
//! only with the client's next statement.

/// Opens a transaction.
pub(super) const OPENS: &str = "BEGIN";
/// Ends the transaction as any ALTER does, and fails: no OK packet tells of the end yet.
pub(super) const LEAVES_UNTOLD: &str = "ALTER TABLE alterego.no_such_table COMMENT ''";

/// Whether a `SET` statement may have the server tell of what the proxy's own statements do. Turning that off counts as well,
/// which only costs the detour.
pub(crate) fn is_asked_for(text: &[u8]) -> bool {
    let names = |name: &[u8]| {
        text.windows(name.len())
            .any(|window| window.eq_ignore_ascii_case(name))
    };
    names(b"session_track_transaction_info")
        || names(b"session_track_system_variables") && (names(b"*") || names(b"lock_wait_timeout"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks() {
        assert!(is_asked_for(
            b"SET @@session.Session_Track_Transaction_Info = 'STATE'"
        ));
        assert!(is_asked_for(b"SET session_track_system_variables = '*'"));
        assert!(is_asked_for(
            b"SET session_track_system_variables='autocommit,lock_wait_timeout'"
        ));
        assert!(!is_asked_for(b"SET session_track_system_variables='autocommit'"));
        assert!(!is_asked_for(b"SET session_track_schema = 1"));
    }
}
