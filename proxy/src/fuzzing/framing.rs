//! Packets of every telling length, under any split of the stream: what begins and ends where does not change.
//!
//! *Telling* is a length that ends before, at or behind the end of a frame, or far behind it: such a payload travels in one
//! frame, in one and an empty one, or in several. Other lengths are the fuzz targets' (`frames`, `replies`, `commands`), which
//! do not reach these.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::protocol::capabilities::{Capabilities, DEPRECATE_EOF};
use crate::protocol::frame::{FRAME_MAX_BYTES, Frames, HEADER_BYTES};
use crate::protocol::reply::ReplyTracker;
use crate::protocol::shape::Expect;
use crate::session::fuzzing::Offline;

/// 16 MiB is one more than a frame takes.
const LENGTHS: [usize; 7] = [
    0,
    1,
    FRAME_MAX_BYTES - 1,
    FRAME_MAX_BYTES,
    FRAME_MAX_BYTES + 1,
    FRAME_MAX_BYTES + 2,
    40 << 20,
];
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const ALTER: &[u8] = b"\x03ALTER TABLE t ADD c INT";

/// A stream, and the places in it where a cut is most telling.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    headers: Vec<usize>,
    sequence: u8,
}

impl Stream {
    /// Appends a packet of `length` bytes that begins with `head`, in as many frames as it takes.
    fn packet(&mut self, head: &[u8], length: usize, filling: u8) {
        let mut left = length;
        loop {
            let frame = left.min(FRAME_MAX_BYTES);
            self.headers.push(self.bytes.len());
            let [low, middle, high, ..] = frame.to_le_bytes();
            self.bytes.extend([low, middle, high, self.sequence]);
            self.sequence = self.sequence.wrapping_add(1);
            let begin = self.bytes.len();
            self.bytes.resize(begin + frame, filling);
            if left == length {
                let head = &head[..head.len().min(frame)];
                self.bytes[begin..begin + head.len()].copy_from_slice(head);
            }
            left -= frame;
            if frame < FRAME_MAX_BYTES {
                return;
            }
        }
    }

    fn short(&mut self, payload: &[u8]) {
        self.packet(payload, payload.len(), 0);
    }

    /// The next packet is a command's first.
    fn command(&mut self) -> &mut Self {
        self.sequence = 0;
        self
    }

    /// The stream in the pieces that `cuts` make of it.
    fn pieces(&self, cuts: &Cuts) -> Vec<&[u8]> {
        let mut at: Vec<usize> = cuts
            .anywhere
            .iter()
            .map(|cut| cut.index(self.bytes.len()))
            .collect();
        for (header, offset) in &cuts.at_headers {
            let header = self.headers[header.index(self.headers.len())];
            at.push(header.saturating_add_signed(*offset).min(self.bytes.len()));
        }
        at.push(self.bytes.len());
        at.sort_unstable();
        let mut begin = 0;
        let pieces = at.into_iter().map(|end| {
            let piece = &self.bytes[begin..end];
            begin = end;
            piece
        });
        pieces.filter(|piece| !piece.is_empty()).collect()
    }
}

/// Where a stream is cut: around headers, and elsewhere.
#[derive(Clone, Debug)]
struct Cuts {
    at_headers: Vec<(Index, isize)>,
    anywhere: Vec<Index>,
}

fn cuts() -> impl Strategy<Value = Cuts> {
    let near = -3..=6_isize;
    (
        prop::collection::vec((any::<Index>(), near), 0..40),
        prop::collection::vec(any::<Index>(), 0..8),
    )
        .prop_map(|(at_headers, anywhere)| Cuts { at_headers, anywhere })
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop::sample::select(&LENGTHS[..]), 1..4)
}

/// What the rest of a long packet is made of: text, what looks like more headers, what looks like an end or an error.
fn filling() -> impl Strategy<Value = u8> {
    prop::sample::select(&[b'x', 0, 1, 0xfe, 0xff][..])
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn modes() -> [Capabilities; 2] {
    [0, DEPRECATE_EOF].map(|base| Capabilities { base, extended: 0 })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn packets_end_where_they_end(lengths in lengths(), cuts in cuts(), filling in filling()) {
        let mut stream = Stream::default();
        let mut expected = Vec::new();
        for length in lengths {
            let first = stream.sequence;
            stream.packet(b"head", length, filling);
            let mut head = [&b"head"[..], &[filling; 20]].concat();
            head.truncate(length);
            expected.push((length.min(FRAME_MAX_BYTES), head, first));
        }
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for mut piece in stream.pieces(&cuts) {
            while let Some(head) = frames.next(&mut piece) {
                found.push((head.length, head.bytes().to_vec(), frames.sequence()));
            }
            prop_assert!(piece.is_empty());
        }
        prop_assert!(frames.at_boundary());
        prop_assert_eq!(found, expected);
    }

    /// A result of rows of these lengths, then another reply: each ends with its last byte and no earlier.
    #[test]
    fn replies_end_where_they_end(lengths in lengths(), cuts in cuts(), filling in filling(), which in 0..2_usize) {
        const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0";
        let capabilities = modes()[which];
        let (eof, end) = match which {
            0 => (Some(b"\xfe\0\0\x02\0"), &b"\xfe\0\0\x22\0"[..]),
            _ => (None, &b"\xfe\0\0\x22\0\0\0"[..]),
        };
        let mut stream = Stream { sequence: 1, ..Stream::default() };
        stream.short(b"\x01");
        stream.short(DEFINITION);
        eof.into_iter().for_each(|eof| stream.short(eof));
        for length in lengths {
            // A row is not empty, and one that begins as an end does is as long as a frame.
            let head = if length >= FRAME_MAX_BYTES { b"\xfe" } else { b"\xfb" };
            stream.packet(head, length.max(1), filling);
        }
        stream.short(end);
        let first_ends = stream.bytes.len();
        stream.sequence = 1;
        stream.short(OK);

        let mut tracker = ReplyTracker::new(capabilities, 0);
        tracker.expect(Expect::Query);
        tracker.expect(Expect::Simple);
        let mut passed = 0;
        for mut piece in stream.pieces(&cuts) {
            passed += piece.len();
            prop_assert_eq!(tracker.feed(&mut piece), None);
            let left = usize::from(passed < first_ends) + usize::from(passed < stream.bytes.len());
            prop_assert_eq!(tracker.outstanding(), left, "after {} bytes", passed);
            prop_assert_eq!(tracker.is_idle(), left == 0);
        }
        prop_assert_eq!(tracker.status, 2);
    }

    /// Commands of these lengths with a schema change behind each, which is caught; and every byte leaves.
    #[test]
    fn commands_begin_where_they_begin(lengths in lengths(), cuts in cuts(), filling in filling()) {
        let mut stream = Stream::default();
        let mut replies = Vec::new();
        for length in &lengths {
            stream.command().packet(b"\x03SELECT '", *length, filling);
            replies.push(if *length == 0 { &b"\xff\x17\x04#08S01no"[..] } else { OK });
            stream.command().short(ALTER);
            replies.push(OK);
        }
        let mut session = Offline::new(modes()[0], false);
        let mut replies = replies.into_iter();
        let mut left = 0;
        for piece in stream.pieces(&cuts) {
            session.client_sends(piece);
            while session.awaits_server() {
                session.server_sends(&packet(replies.next().unwrap_or_default()));
                session.decide();
            }
            left += session.leave();
        }
        prop_assert_eq!(session.caught().len(), lengths.len());
        prop_assert_eq!(left, stream.bytes.len());
        prop_assert_eq!(replies.count(), 0);
    }

    /// A file in packets of these lengths: none of them is its end but the empty one, and a schema change behind it is caught.
    #[test]
    fn files_end_where_they_end(lengths in lengths(), cuts in cuts(), filling in filling()) {
        let mut session = Offline::new(modes()[0], false);
        session.client_sends(&packet_numbered(0, b"\x03LOAD DATA LOCAL INFILE 'x' INTO TABLE t"));
        session.server_sends(&packet(b"\xfbx"));
        let mut stream = Stream { sequence: 2, ..Stream::default() };
        for length in lengths {
            stream.packet(b"ALTER TABLE", length.max(1), filling);
        }
        stream.short(b"");
        let file_ends = stream.bytes.len();
        stream.command().short(ALTER);
        let (mut passed, mut is_answered) = (0, false);
        for piece in stream.pieces(&cuts) {
            passed += piece.len();
            session.client_sends(piece);
            session.leave();
            if passed >= file_ends && !is_answered {
                prop_assert!(session.caught().is_empty());
                session.server_sends(&packet(OK));
                session.decide();
                is_answered = true;
            }
        }
        prop_assert_eq!(session.caught().len(), 1);
    }
}

/// A server's first packet.
fn packet(payload: &[u8]) -> Vec<u8> {
    packet_numbered(1, payload)
}

fn packet_numbered(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut stream = Stream {
        sequence,
        ..Stream::default()
    };
    stream.short(payload);
    assert!(stream.bytes.len() == HEADER_BYTES + payload.len());
    stream.bytes
}
