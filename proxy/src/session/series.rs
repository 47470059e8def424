//! A text of several statements, carried out part by part.
//!
//! The client's command is taken out of what it sent, and a command for each part is put in its place. Each of these is then
//! decided about, let through, held or caught like any other command; only what comes back is put together to one reply
//! (`protocol::joined`). So whatever is true of a statement that stands alone is true of a part.
//!
//! *Invariants:* a part is decided about when the one before it has been answered, and only if that was no error: the server would
//! not have read on either. While there are parts the front of the undecided bytes is the next of them, and what the client sent
//! behind the text is behind them. A kill that is noted ends the text before the next part: the server forgets one that comes
//! between two of them, where it would have met a statement of the whole text.
//!
//! *Why a wrong cut does no harm:* a part that ends where its statement does not is a syntax error, for which nothing has been
//! done. The server's answer is then kept from the client, and the server is given all that is left of the text, beginning with
//! that part, as it would have read it itself. That is also how it comes to name what stands behind the statement in the text of
//! its error; only of a `CALL` or an `EXECUTE` it is not known whether the error is its own.

use std::ops::Range;

use bytes::BytesMut;

use super::command::Phase;
use super::{End, Session};
use crate::intercept::Killable;
use crate::intercept::split::Split;
use crate::intercept::words::starts_with_any;
use crate::protocol::capabilities::Capabilities;
use crate::protocol::frame::{HEADER_BYTES, Header, put_packet};
use crate::protocol::joined::{Ending, Joined};
use crate::protocol::query;

/// `ER_PARSE_ERROR`.
const UNREAD: u16 = 1064;

/// The parts of a text that are not answered yet.
#[derive(Debug)]
pub(crate) struct Series {
    text: String,
    /// Where they stand in the text; the first of them is under way, or the next.
    parts: Vec<Range<usize>>,
    current: usize,
    joined: Joined,
    /// The server has a part to answer.
    pub(super) is_asked: bool,
    /// How the answer of the proxy's own to the part ended.
    answered: Option<Ending>,
    killable: Killable,
}

impl Series {
    fn part(&self, index: usize) -> &str {
        let part = self.parts.get(index).cloned().unwrap_or_default();
        self.text.get(part).unwrap_or_default()
    }

    fn is_last(&self) -> bool {
        self.current + 1 >= self.parts.len()
    }

    /// How many bytes the commands of the parts behind the current one have.
    fn bytes_behind(&self, capabilities: Capabilities) -> usize {
        let behind = self.current + 1..self.parts.len();
        behind
            .map(|index| HEADER_BYTES + query::payload(self.part(index), capabilities).len())
            .sum()
    }

    /// Whether the server did not read the current part, so that it can be given it once more: statements that carry others
    /// may have done something before the error.
    fn is_unread(&self, code: u16) -> bool {
        let carries = starts_with_any(self.part(self.current).as_bytes(), &[&b"CALL"[..], b"EXECUTE"]);
        code == UNREAD && !carries && !self.is_last()
    }

    /// Whether the client's command was killed by now.
    pub(super) fn is_killed(&self) -> bool {
        self.killable.is_killed()
    }

    /// The note of a kill, for what is done in the course of a part.
    pub(crate) fn killable(&self) -> Killable {
        self.killable.clone()
    }
}

impl Session {
    /// Puts the parts of the text at the front in its place. There are at least two.
    pub(crate) fn begin_series(&mut self, header: Header, text: &str, split: Split, killable: Killable) {
        let series = Series {
            text: text.to_owned(),
            parts: split.parts,
            current: 0,
            joined: Joined::new(header.sequence),
            is_asked: false,
            answered: None,
            killable,
        };
        let mut commands = BytesMut::with_capacity(text.len() + 16 * series.parts.len());
        for index in 0..series.parts.len() {
            put_packet(
                &mut commands,
                0,
                &query::payload(series.part(index), self.capabilities),
            );
        }
        self.wire.up.replace(HEADER_BYTES + header.length, commands);
        self.wire.is_at_work = true;
        self.series = Some(Box::new(series));
    }

    /// Whether the command at the front has to wait for the answer to the part before it.
    pub(super) fn waits_for_part(&self) -> bool {
        self.series.as_ref().is_some_and(|series| series.is_asked)
    }

    /// Puts packets of the proxy's own, which answer the command at the front, behind what is approved for the client.
    pub(super) fn deliver(&mut self, put: impl FnOnce(&mut BytesMut)) {
        let Some(series) = &mut self.series else {
            return self.wire.down.send_with(put);
        };
        let mut packets = BytesMut::new();
        put(&mut packets);
        let is_last = series.is_last();
        let (_, ending) = series.joined.pass(&mut packets, is_last, self.capabilities);
        series.answered = ending.or(series.answered);
        self.wire.down.send_with(|out| out.extend_from_slice(&packets));
    }

    /// The command at the front, which the proxy has answered itself, was taken away.
    pub(super) fn part_consumed(&mut self) {
        if let Some(series) = &mut self.series {
            let ending = series.answered.take().unwrap_or(Ending::Over);
            self.part_answered(ending);
        }
    }

    /// Lets through what the server answers a part with.
    pub(super) fn follow_part(&mut self) -> Result<(), End> {
        let Some(series) = self.series.as_mut().filter(|series| series.is_asked) else {
            self.wire.down.approve_all();
            return Ok(());
        };
        let is_last = series.is_last();
        let reply = self.wire.down.undecided_mut();
        let (passed, ending) = series.joined.pass(reply, is_last, self.capabilities);
        match ending {
            Some(Ending::Lost) => {
                return Err(End::Protocol(
                    "the reply to one of several statements is not understood",
                ));
            }
            Some(Ending::Error { code, bytes }) if series.is_unread(code) => {
                series.joined.take_back();
                self.wire.down.approve(passed - bytes);
                self.wire.down.discard(bytes);
                self.leave_rest();
            }
            Some(ending) => {
                self.wire.down.approve(passed);
                self.part_answered(ending);
            }
            None => self.wire.down.approve(passed),
        }
        Ok(())
    }

    /// Goes on to the next part, if there is one and this one was no error.
    fn part_answered(&mut self, ending: Ending) {
        let Some(series) = &mut self.series else { return };
        series.is_asked = false;
        let is_over = series.is_last() || ending != Ending::Over;
        if is_over {
            let behind = series.bytes_behind(self.capabilities);
            self.wire.up.discard(behind);
            self.wire.is_at_work = false;
            self.series = None;
        } else {
            series.current += 1;
        }
    }

    /// Has the server read all that is left of the text, from the current part on.
    fn leave_rest(&mut self) {
        let Some(series) = &mut self.series else { return };
        let behind = series.bytes_behind(self.capabilities);
        let start = series.parts.get(series.current).map_or(0, |part| part.start);
        series.is_asked = false;
        series.parts.truncate(series.current);
        series.parts.push(start..series.text.len());
        let mut command = BytesMut::new();
        let rest = query::payload(series.part(series.current), self.capabilities);
        put_packet(&mut command, 0, &rest);
        self.wire.up.replace(behind, command);
        debug_assert!(matches!(self.phase, Phase::Command));
    }
}
