//! `session_track_transaction_info`: the server tells a client of each step of its transaction.
//!
//! What it tells is what has changed since it told last. A statement of the proxy's own within the transaction is such a
//! step, and its report would be missing from the client's next reply. So a session that asked to be told does its own
//! ALTER while it has a transaction open, or would open one with any statement.

use crate::protocol::ok::status;

const VARIABLE: &[u8] = b"session_track_transaction_info";

/// Whether a `SET` statement may turn the reports on. Turning them off counts as well, which only costs the detour.
pub(crate) fn is_asked_for(text: &[u8]) -> bool {
    let mut windows = text.windows(VARIABLE.len());
    windows.any(|window| window.eq_ignore_ascii_case(VARIABLE))
}

/// Whether a statement of the proxy's own would be told of, given the session's status flags.
pub(crate) fn would_tell(flags: u16) -> bool {
    flags & status::IN_TRANSACTION != 0 || flags & status::AUTOCOMMIT == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_and_who_is_told() {
        assert!(is_asked_for(b"SET @@session.Session_Track_Transaction_Info = 'STATE'"));
        assert!(!is_asked_for(b"SET session_track_schema = 1"));
        assert!(would_tell(0x0003) && would_tell(0) && would_tell(1));
        assert!(!would_tell(0x0002));
    }
}
