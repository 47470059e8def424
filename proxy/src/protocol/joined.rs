//! Several replies that are one to the client.
//!
//! The parts of a text are answered one by one, and the client sees what the server answers the whole text with: packets
//! numbered without a gap, where the status flags of every reply but the last say that another one follows. Both are
//! put into the packets as they pass; nothing else of them is changed, and rows are not looked into.

use super::capabilities::Capabilities;
use super::frame::{HEAD_BYTES, HEADER_BYTES, Head, Header};
use super::ok::{self, status};
use super::reader::Reader;
use super::shape::{Expect, Kind, Place, Step, step};

/// How one of the replies ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It ended well.
    Over,
    /// With an error, whose packet is as long as this.
    Error { code: u16, bytes: usize },
    /// It is not understood.
    Lost,
}

/// Puts replies together.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The number of the last packet that passed.
    sequence: u8,
    place: Place,
    /// What is still to pass of a frame.
    left: usize,
    /// The next frame belongs to the packet that is passing.
    is_continued: bool,
    /// How the reply ends with the packet that is passing.
    ending: Option<Ending>,
}

impl Joined {
    /// Joins the replies to a command whose last packet has this number.
    pub(crate) fn new(sequence: u8) -> Self {
        Self {
            sequence,
            place: Place::First,
            left: 0,
            is_continued: false,
            ending: None,
        }
    }

    /// The error that passed last has not passed.
    pub(crate) fn take_back(&mut self) {
        self.sequence = self.sequence.wrapping_sub(1);
    }

    /// Lets as many of these bytes pass as are understood by now, up to the end of the reply. `is_last` says that none follows.
    pub(crate) fn pass(
        &mut self,
        bytes: &mut [u8],
        is_last: bool,
        capabilities: Capabilities,
    ) -> (usize, Option<Ending>) {
        let mut passed = 0;
        loop {
            let rest = bytes.get_mut(passed..).unwrap_or_default();
            let passing = rest.len().min(self.left);
            self.left -= passing;
            passed += passing;
            if self.left > 0 {
                return (passed, None);
            }
            if !self.is_continued
                && let Some(ending) = self.ending.take()
            {
                self.place = Place::First;
                return (passed, Some(ending));
            }
            let rest = rest.get_mut(passing..).unwrap_or_default();
            let Some(header) = self.begin(rest, is_last, capabilities) else {
                return (passed, None);
            };
            self.sequence = self.sequence.wrapping_add(1);
            if let Some(number) = rest.get_mut(HEADER_BYTES - 1) {
                *number = self.sequence;
            }
            self.is_continued = header.is_continued();
            self.left = header.length;
            passed += HEADER_BYTES;
        }
    }

    /// Understands the frame at the front, once enough of it is there.
    fn begin(&mut self, bytes: &mut [u8], is_last: bool, capabilities: Capabilities) -> Option<Header> {
        let header = Header::peek(bytes)?;
        if self.is_continued {
            return Some(header);
        }
        let payload = bytes.get_mut(HEADER_BYTES..)?;
        if payload.len() < header.length.min(HEAD_BYTES) {
            return None;
        }
        let head = Head::of_frame(header.length, payload);
        let seen = step(Expect::Query, self.place, &head, capabilities);
        if seen.kind == Kind::Error && payload.len() < header.length {
            // It may have to be taken back, as a whole.
            return None;
        }
        match seen.step {
            Step::At(place) => self.place = place,
            Step::Done if seen.kind == Kind::Error => {
                let code = ok::Error::parse(head.bytes()).map(|error| error.code);
                self.ending = Some(Ending::Error {
                    code: code.unwrap_or_default(),
                    bytes: HEADER_BYTES + header.length,
                });
            }
            Step::Done => self.ending = Some(Ending::Over),
            Step::DoneOrRow | Step::Lost => self.ending = Some(Ending::Lost),
        }
        if seen.status.is_some() && !is_last {
            announce_more(payload, &head, capabilities);
        }
        Some(header)
    }
}

/// Has a packet with status flags say that another reply follows.
fn announce_more(payload: &mut [u8], head: &Head, capabilities: Capabilities) {
    const WARNINGS_BYTES: usize = 2;
    let is_ok = head.first() == Some(0) || capabilities.deprecate_eof() && head.length >= 7;
    let at = if is_ok {
        let mut reader = Reader::new(head.bytes());
        let counters = reader.u8().and(reader.lenenc()).and(reader.lenenc());
        counters.map(|_| head.bytes().len() - reader.rest().len())
    } else {
        Some(1 + WARNINGS_BYTES)
    };
    let [low, _] = status::MORE_RESULTS.to_le_bytes();
    if let Some(flags) = at.and_then(|at| payload.get_mut(at)) {
        *flags |= low;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::capabilities::DEPRECATE_EOF;
    use crate::protocol::frame::{Frames, peek_packet, put_packet};
    use crate::protocol::reply::ReplyTracker;
    use bytes::BytesMut;
    use proptest::prelude::*;

    const OLD: Capabilities = Capabilities { base: 0, extended: 0 };
    const NEW: Capabilities = Capabilities {
        base: DEPRECATE_EOF,
        extended: 1,
    };
    const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0";
    const OK: &[u8] = b"\0\0\0\x02\0\0\0";
    const MANY: &[u8] = b"\0\xfc\xe8\x03\xfd\0\0\x01\x02\0\x01\0\x04info";
    const EOF: &[u8] = b"\xfe\0\0\x02\0";
    const END: &[u8] = b"\xfe\0\0\x22\0\0\0";
    const ERR: &[u8] = b"\xff\x28\x04#42000You have an error in your SQL syntax";
    const PROGRESS: &[u8] = b"\xff\xff\xff\x01\x01\x02\0\0\0\x02ab";

    fn stream(packets: &[&[u8]]) -> Vec<u8> {
        let mut out = BytesMut::new();
        for (index, packet) in packets.iter().enumerate() {
            put_packet(&mut out, index as u8 + 1, packet);
        }
        out.to_vec()
    }

    /// Lets a reply pass in pieces: what passed, and how it ended.
    fn pass(
        joined: &mut Joined,
        stream: &[u8],
        is_last: bool,
        caps: Capabilities,
        piece: usize,
    ) -> (Vec<u8>, Option<Ending>) {
        let (mut waiting, mut out) = (Vec::new(), Vec::new());
        let mut found = None;
        for part in stream.chunks(piece) {
            waiting.extend_from_slice(part);
            let (passed, ending) = joined.pass(&mut waiting, is_last, caps);
            out.extend(waiting.drain(..passed));
            assert!(found.is_none(), "bytes behind the end");
            found = ending;
        }
        assert!(waiting.is_empty() || found.is_none());
        (out, found)
    }

    fn packets(stream: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let (mut rest, mut found) = (stream, Vec::new());
        while let Some((header, payload)) = peek_packet(rest) {
            found.push((header.sequence, payload.to_vec()));
            rest = &rest[HEADER_BYTES + header.length..];
        }
        assert!(rest.is_empty());
        found
    }

    #[test]
    fn replies_are_numbered_on_and_announce_the_next() {
        let check = |caps, reply: &[&[u8]], expected: &[&[u8]]| {
            for piece in 1..200 {
                let mut joined = Joined::new(254);
                let (out, ending) = pass(&mut joined, &stream(reply), false, caps, piece);
                let numbered: Vec<_> = expected
                    .iter()
                    .enumerate()
                    .map(|(index, packet)| (255u8.wrapping_add(index as u8), packet.to_vec()))
                    .collect();
                assert_eq!(
                    (packets(&out), ending),
                    (numbered, Some(Ending::Over)),
                    "pieces of {piece}"
                );
                let (out, ending) = pass(&mut joined, &stream(reply), true, caps, piece);
                let next = 255u8.wrapping_add(expected.len() as u8);
                let numbered: Vec<_> = reply
                    .iter()
                    .enumerate()
                    .map(|(index, packet)| (next.wrapping_add(index as u8), packet.to_vec()))
                    .collect();
                assert_eq!(
                    (packets(&out), ending),
                    (numbered, Some(Ending::Over)),
                    "the last"
                );
            }
        };
        check(OLD, &[OK], &[b"\0\0\0\x0a\0\0\0"]);
        check(NEW, &[MANY], &[b"\0\xfc\xe8\x03\xfd\0\0\x01\x0a\0\x01\0\x04info"]);
        check(
            NEW,
            &[PROGRESS, PROGRESS, OK],
            &[PROGRESS, PROGRESS, b"\0\0\0\x0a\0\0\0"],
        );
        check(
            OLD,
            &[b"\x01", DEFINITION, EOF, b"\x011", b"\xfb", EOF],
            &[
                b"\x01",
                DEFINITION,
                b"\xfe\0\0\x0a\0",
                b"\x011",
                b"\xfb",
                b"\xfe\0\0\x0a\0",
            ],
        );
        check(
            NEW,
            &[b"\x01", DEFINITION, b"\x011", END],
            &[b"\x01", DEFINITION, b"\x011", b"\xfe\0\0\x2a\0\0\0"],
        );
        // What a procedure answers has several results of its own.
        check(
            NEW,
            &[b"\x01", DEFINITION, b"\x011", b"\xfe\0\0\x2a\0\0\0", OK],
            &[
                b"\x01",
                DEFINITION,
                b"\x011",
                b"\xfe\0\0\x2a\0\0\0",
                b"\0\0\0\x0a\0\0\0",
            ],
        );
    }

    #[test]
    fn an_error_passes_whole_and_can_be_taken_back() {
        let bytes = stream(&[PROGRESS, ERR]);
        let error = Ending::Error {
            code: 1064,
            bytes: HEADER_BYTES + ERR.len(),
        };
        for piece in 1..bytes.len() {
            let mut joined = Joined::new(7);
            let (out, ending) = pass(&mut joined, &bytes, false, NEW, piece);
            assert_eq!(packets(&out), [(8, PROGRESS.to_vec()), (9, ERR.to_vec())]);
            assert_eq!(ending, Some(error));
            joined.take_back();
            let (out, _) = pass(&mut joined, &stream(&[OK]), true, NEW, piece);
            assert_eq!(packets(&out), [(9, OK.to_vec())]);
        }
        let mut joined = Joined::new(0);
        let mut short = bytes[..bytes.len() - 1].to_vec();
        let (passed, ending) = joined.pass(&mut short, false, NEW);
        assert_eq!((passed, ending), (HEADER_BYTES + PROGRESS.len(), None));
    }

    #[test]
    fn long_rows_pass_as_they_come() {
        let mut reply = stream(&[b"\x01", DEFINITION]);
        reply.extend([0xff, 0xff, 0xff, 3, 0xfe]);
        reply.extend(vec![0; 0xff_fffe]);
        reply.extend([2, 0, 0, 4, 0xff, 0xff]);
        reply.extend([7, 0, 0, 5, 0xfe, 0, 0, 0x22, 0, 0, 0]);
        let mut joined = Joined::new(10);
        let (out, ending) = pass(&mut joined, &reply, false, NEW, 100_000);
        assert_eq!(ending, Some(Ending::Over));
        let mut frames = Frames::default();
        let mut rest = &out[..];
        let mut numbers = Vec::new();
        while frames.next(&mut rest).is_some() {
            numbers.push(frames.sequence());
        }
        // The second frame of the long row has a number, too.
        assert_eq!(numbers, [11, 12, 13, 15]);
    }

    #[test]
    fn what_is_not_understood_is_lost() {
        let mut joined = Joined::new(0);
        let (_, ending) = pass(&mut joined, &stream(&[b""]), false, OLD, 9);
        assert_eq!(ending, Some(Ending::Lost));
    }

    proptest! {
        /// Whatever comes, it ends where the tracker sees its end.
        #[test]
        fn it_ends_where_the_tracker_says(
            bytes in prop::collection::vec(prop_oneof![3 => Just(0u8), 2 => 0u8..9, 1 => any::<u8>()], 0..200),
            base: u32,
            piece in 1usize..30,
        ) {
            let capabilities = Capabilities { base, extended: 0 };
            let mut tracker = ReplyTracker::new(capabilities, 0);
            tracker.expect(Expect::Query);
            let mut joined = Joined::new(0);
            let mut waiting = Vec::new();
            for part in bytes.chunks(piece) {
                waiting.extend_from_slice(part);
                let (passed, ending) = joined.pass(&mut waiting, false, capabilities);
                let mut rest = part;
                let mut is_lost = false;
                while let Some(event) = tracker.feed(&mut rest) {
                    is_lost |= event == crate::protocol::reply::Event::Lost;
                }
                if is_lost || tracker.outstanding() == 0 {
                    prop_assert!(ending.is_some(), "{passed} of {} passed", waiting.len());
                    return Ok(());
                }
                prop_assert!(ending.is_none_or(|ending| ending == Ending::Lost));
                if ending.is_some() {
                    return Ok(());
                }
                waiting.drain(..passed);
            }
        }
    }
}
