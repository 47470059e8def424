//! `KILL` by the id that a client was greeted with, which is none of its server's.
//!
//! The server's id takes the place of that one in the client's own packet, with zeros before it, so that the packet keeps its
//! length and the statement all else that was written.

use super::words::tokens;
use crate::protocol::command;
use crate::protocol::frame::HEADER_BYTES;
use crate::protocol::shape::Expect;
use crate::routing::ids;
use crate::session::{Caught, End, Session};

/// `ER_NO_SUCH_THREAD`.
const NO_SUCH_THREAD: u16 = 1094;

/// The id in a statement, if it is a `KILL` by an id of the proxy's.
pub(crate) fn told_id(text: &[u8]) -> Option<u32> {
    target(text).filter(|id| ids::is_told(*id))
}

/// The id in a statement, if it is a `KILL` by a connection's id.
pub(crate) fn target(text: &[u8]) -> Option<u32> {
    let mut tokens = tokens(text, 6)?;
    while tokens.last().is_some_and(|token| token == ";") {
        tokens.pop();
    }
    let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let number = match words.as_slice() {
        ["KILL", number]
        | ["KILL", "HARD" | "SOFT" | "CONNECTION" | "QUERY", number]
        | ["KILL", "HARD" | "SOFT", "CONNECTION" | "QUERY", number] => number,
        _ => return None,
    };
    number.parse().ok()
}

impl Session {
    /// Handles a kill of the client that was told this id.
    pub(super) fn kill(&mut self, caught: &Caught, told: u32) -> Result<(), End> {
        let seat = self.shared.router.ids().find(told);
        let own = self.server.upstream.as_ref();
        if let Some(seat) = &seat
            && own != Some(&seat.upstream)
        {
            let message = format!(
                "Unknown thread id: {told} (it is {} on {}, and this connection is on another server)",
                seat.id, seat.upstream
            );
            let sequence = caught.header.sequence.wrapping_add(1);
            self.answer_err(caught, sequence, NO_SUCH_THREAD, "HY000", &message);
            return Ok(());
        }
        if let Some(seat) = seat {
            let length = caught.header.length;
            let payload = self.front_mut().get_mut(HEADER_BYTES..HEADER_BYTES + length);
            put(payload.unwrap_or_default(), told, seat.id);
        }
        let is_text = self.front_mut().get(HEADER_BYTES) == Some(&command::QUERY);
        self.note(caught.header);
        self.forward(
            caught.header,
            Some(if is_text { Expect::Query } else { Expect::Simple }),
        );
        Ok(())
    }
}

/// Puts one id in the other's place, as text or as the four bytes of `COM_PROCESS_KILL`.
fn put(payload: &mut [u8], told: u32, id: u32) {
    let (old, new) = match payload.first() {
        Some(&command::QUERY) => {
            let old = told.to_string().into_bytes();
            let new = format!("{id:0width$}", width = old.len()).into_bytes();
            (old, new)
        }
        _ => (told.to_le_bytes().to_vec(), id.to_le_bytes().to_vec()),
    };
    let at = payload.windows(old.len()).rposition(|window| window == old);
    let place = at.and_then(|at| payload.get_mut(at..at + new.len()));
    if let Some(place) = place.filter(|place| place.len() == new.len()) {
        place.copy_from_slice(&new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_by_any_id() {
        let check = |text: &str, expected| assert_eq!(target(text.as_bytes()), expected, "{text}");
        check("KILL QUERY 42", Some(42));
        check("KILL 0000000042", Some(42));
        check("KILL QUERY ID 42", None);
        check("KILL QUERY CONNECTION_ID()", None);
        check("KILL QUERY 42; SELECT 1", None);
    }

    #[test]
    fn kills_by_told_ids() {
        let check = |text: &str, expected| assert_eq!(told_id(text.as_bytes()), expected, "{text}");
        check("KILL 2147483650", Some(2_147_483_650));
        check("kill /* it */ query 2147483650 ;", Some(2_147_483_650));
        check("KILL CONNECTION 2147483650", Some(2_147_483_650));
        check("KILL HARD QUERY 2147483650", Some(2_147_483_650));
        check("KILL SOFT 2147483650", Some(2_147_483_650));
        check("KILL QUERY 42", None);
        check("KILL QUERY ID 2147483650", None);
        check("KILL USER x", None);
        check("KILL 99999999999", None);
        check("KILL", None);
        check("SELECT 2147483650", None);
    }

    #[test]
    fn ids_change_places() {
        let check = |payload: &[u8], expected: &[u8]| {
            let mut found = payload.to_vec();
            put(&mut found, 2_147_483_650, 42);
            assert_eq!(found, expected);
        };
        check(b"\x03KILL QUERY 2147483650;", b"\x03KILL QUERY 0000000042;");
        check(b"\x0c\x02\0\0\x80", b"\x0c\x2a\0\0\0");
        check(b"\x03KILL 7", b"\x03KILL 7");
    }
}
