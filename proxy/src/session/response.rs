//! Answers in the server's place, in the client's dialect and with running sequence numbers.

use bytes::Bytes;

use super::auth::Exchange;
use super::{Caught, End, Session};
use crate::hooks::{Grid, Progress};
use crate::protocol::frame::{peek_packet, put_packet};
use crate::protocol::login::First;
use crate::protocol::response::unanswered_change_user;
use crate::protocol::{answer, progress, resultset, session_state};

impl Session {
    /// Answers the caught command with this payload and takes the command away. An OK also tells what is still untold.
    pub(crate) fn answer(&mut self, caught: &Caught, sequence: u8, payload: &[u8]) {
        let untold = std::mem::take(&mut self.untold);
        if payload.first() == Some(&0x00) {
            let payload = session_state::for_client(payload, untold);
            self.deliver(|out| put_packet(out, sequence, &payload));
        } else {
            self.deliver(|out| put_packet(out, sequence, payload));
        }
        self.consume(caught.header);
    }

    /// Answers with what the server said to the client's own statement: all that was untold is in it.
    pub(crate) fn answer_as_told(&mut self, caught: &Caught, sequence: u8, payload: &[u8]) {
        self.untold.clear();
        self.deliver(|out| put_packet(out, sequence, payload));
        self.consume(caught.header);
    }

    /// Answers with an OK packet.
    pub(crate) fn answer_ok(
        &mut self,
        caught: &Caught,
        sequence: u8,
        affected: u64,
        warnings: u16,
        info: &str,
    ) {
        let payload = answer::ok(0x00, affected, self.tracker.status, warnings, info);
        self.answer(caught, sequence, &payload);
    }

    /// Answers with an ERR packet.
    pub(crate) fn answer_err(
        &mut self,
        caught: &Caught,
        sequence: u8,
        code: u16,
        state: &str,
        message: &str,
    ) {
        let payload = answer::err(self.capabilities, code, state, message);
        self.answer(caught, sequence, &payload);
    }

    /// Answers with a result set.
    pub(crate) fn answer_grid(&mut self, caught: &Caught, grid: &Grid) {
        let (sequence, capabilities, status) = (
            caught.header.sequence.wrapping_add(1),
            self.capabilities,
            self.tracker.status,
        );
        self.deliver(|out| resultset::put(out, sequence, grid, capabilities, status));
        self.consume(caught.header);
    }

    /// Answers with rows of the proxy's own between the server's own packets.
    pub(crate) fn answer_rows(&mut self, caught: &Caught, around: &[Bytes], rows: &[Vec<Option<String>>]) {
        let Some((end, definitions)) = around.split_last() else {
            return;
        };
        let rows = rows.iter().map(|row| resultset::text_row(row).freeze());
        let packets = definitions.iter().cloned().chain(rows).chain([end.clone()]);
        let mut sequence = caught.header.sequence;
        self.deliver(|out| {
            for packet in packets {
                sequence = sequence.wrapping_add(1);
                put_packet(out, sequence, &packet);
            }
        });
        self.consume(caught.header);
    }

    /// Sends a progress packet before the answer.
    pub(crate) fn send_progress(&mut self, sequence: u8, report: &Progress) {
        let packet = progress::packet(report);
        self.deliver(|out| put_packet(out, sequence, &packet));
    }

    /// Forwards a change of user and relays its exchange, which ends with a session as new.
    pub(crate) async fn change_user(&mut self, caught: &Caught) -> Result<(), End> {
        self.note(caught.header);
        let payload = peek_packet(self.wire.up.undecided()).map(|(_, payload)| payload);
        let first = payload.and_then(|payload| First::of_change_user(payload, self.capabilities));
        // The client of a placed connection knows no challenge of its server's.
        let unanswered = payload
            .filter(|_| self.server.upstream.is_some())
            .and_then(|payload| unanswered_change_user(payload, self.capabilities));
        let mut exchange = Exchange::new(self.server.nonce.clone(), &self.shared.password_key, 0);
        match unanswered {
            Some(packet) => exchange.begin_unanswered(&mut self.wire, caught.header, &packet),
            None => exchange.begin(&mut self.wire, first).await?,
        }
        if let Some(status) = exchange.run(&mut self.wire).await? {
            self.tracker.status = status;
        }
        Ok(())
    }
}
