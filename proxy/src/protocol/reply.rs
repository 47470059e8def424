//! Follows the server's replies: where each one ends, and the status flags it leaves.
//!
//! *Invariant:* the tracker is idle exactly when every command that was announced has been answered to its last byte.
//! Only then may the proxy put a statement of its own on the connection.

use std::collections::VecDeque;

use super::capabilities::Capabilities;
use super::frame::Frames;
use super::shape::{Expect, Kind, Place, Step, step};

/// What the session must hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A statement was prepared.
    Prepared { id: u32 },
    /// A statement could not be prepared.
    PrepareFailed,
    /// The server waits for the client's file.
    LocalInfile,
    /// A reply that was watched for has come.
    Watched { watch: Watch, is_error: bool },
    /// The stream cannot be followed any more.
    Lost,
}

/// Why the end of a reply is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// It is a kill's.
    Kill,
    /// It is that of a schema change which the server does itself.
    Change,
}

/// The most replies that are watched for at a time.
const WATCHED_MAX: usize = 16;

/// Follows one server's stream.
#[derive(Debug)]
pub(crate) struct ReplyTracker {
    capabilities: Capabilities,
    frames: Frames,
    expected: VecDeque<Expect>,
    place: Place,
    /// What was answered last, if it is not beyond doubt, and the number a packet has that belongs to it all the same.
    doubtful: Option<(Expect, u8)>,
    /// Which replies are watched for, and how many are outstanding before each.
    watched: Vec<(Watch, usize)>,
    /// The last status flags seen.
    pub(crate) status: u16,
}

impl ReplyTracker {
    pub(crate) fn new(capabilities: Capabilities, status: u16) -> Self {
        Self {
            capabilities,
            frames: Frames::default(),
            expected: VecDeque::new(),
            place: Place::First,
            doubtful: None,
            watched: Vec::new(),
            status,
        }
    }

    /// Announces a command's reply.
    pub(crate) fn expect(&mut self, expect: Expect) {
        self.expected.push_back(expect);
    }

    /// Has the end of the reply reported that was announced last; whether it will be.
    pub(crate) fn watch_last(&mut self, watch: Watch) -> bool {
        match self.expected.len().checked_sub(1) {
            Some(before) if self.watched.len() < WATCHED_MAX => {
                self.watched.push((watch, before));
                true
            }
            _ => false,
        }
    }

    /// Whether the end of a reply is watched for because of this.
    pub(crate) fn watches(&self, watch: Watch) -> bool {
        self.watched.iter().any(|(for_this, _)| *for_this == watch)
    }

    /// Whether everything announced has been answered, to the last byte.
    pub(crate) fn is_idle(&self) -> bool {
        self.expected.is_empty() && self.frames.at_boundary()
    }

    /// How many replies are outstanding.
    pub(crate) fn outstanding(&self) -> usize {
        self.expected.len()
    }

    /// Follows `data`, the stream's next bytes, up to its end or to the next event.
    pub(crate) fn feed(&mut self, data: &mut &[u8]) -> Option<Event> {
        while let Some(head) = self.frames.next(data) {
            self.dispel_doubt();
            // What the server says unasked (that it closes an idle connection) is one packet.
            let expect = self.expected.front().copied().unwrap_or(Expect::Simple);
            let seen = step(expect, self.place, &head, self.capabilities);
            self.status = seen.status.unwrap_or(self.status);
            match seen.step {
                Step::At(place) => self.place = place,
                Step::Done => {
                    if let Some(watch) = self.ended() {
                        let is_error = matches!(seen.kind, Kind::Error);
                        return Some(Event::Watched { watch, is_error });
                    }
                }
                Step::DoneOrRow => {
                    let ended = self.ended();
                    self.doubtful = Some((expect, self.frames.sequence().wrapping_add(1)));
                    if let Some(watch) = ended {
                        let is_error = false;
                        return Some(Event::Watched { watch, is_error });
                    }
                }
                Step::Lost => return Some(Event::Lost),
            }
            match seen.kind {
                Kind::Prepared { id } => return Some(Event::Prepared { id }),
                Kind::Error if expect == Expect::Prepare => return Some(Event::PrepareFailed),
                Kind::LocalInfile => return Some(Event::LocalInfile),
                _ => {}
            }
        }
        None
    }

    /// Notes the end of a reply, and why it was watched for.
    fn ended(&mut self) -> Option<Watch> {
        self.place = Place::First;
        self.expected.pop_front();
        let mut found = None;
        self.watched
            .retain_mut(|(watch, before)| match before.checked_sub(1) {
                Some(less) => {
                    *before = less;
                    true
                }
                None => {
                    found = Some(*watch);
                    false
                }
            });
        found
    }

    /// Goes back into a reply that had not ended. The next reply begins with another number: the command before it has few
    /// packets, and a result with rows has had more.
    fn dispel_doubt(&mut self) {
        if let Some((expect, sequence)) = self.doubtful.take()
            && self.frames.sequence() == sequence
        {
            self.expected.push_front(expect);
            self.watched.iter_mut().for_each(|(_, before)| *before += 1);
            self.place = Place::Rows { then_more: false };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::capabilities::{DEPRECATE_EOF, OPTIONAL_METADATA};
    use crate::protocol::frame::put_packet;
    use bytes::BytesMut;
    use proptest::prelude::*;

    const OLD: Capabilities = Capabilities { base: 0, extended: 0 };
    const NEW: Capabilities = Capabilities {
        base: DEPRECATE_EOF,
        extended: 0,
    };
    const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0";

    fn stream(packets: &[&[u8]]) -> Vec<u8> {
        let mut out = BytesMut::new();
        for (index, packet) in packets.iter().enumerate() {
            put_packet(&mut out, index as u8 + 1, packet);
        }
        out.to_vec()
    }

    /// Feeds `bytes` in pieces; answers the events, whether all is answered, and the status flags.
    fn follow(
        caps: Capabilities,
        expected: &[Expect],
        bytes: &[u8],
        cuts: &[usize],
    ) -> (Vec<Event>, bool, u16) {
        let mut tracker = ReplyTracker::new(caps, 0);
        expected.iter().for_each(|expect| tracker.expect(*expect));
        let mut events = Vec::new();
        let mut rest = bytes;
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let size = cuts.next().copied().unwrap_or(rest.len()).clamp(1, rest.len());
            let (mut piece, after) = rest.split_at(size);
            assert!(!tracker.is_idle(), "idle before the last byte");
            while let Some(event) = tracker.feed(&mut piece) {
                events.push(event);
            }
            rest = after;
        }
        (events, tracker.is_idle(), tracker.status)
    }

    struct Case {
        name: &'static str,
        caps: Capabilities,
        expect: Vec<Expect>,
        packets: Vec<&'static [u8]>,
        events: Vec<Event>,
        status: u16,
    }

    fn cases() -> Vec<Case> {
        let case =
            |name, caps, expect: &[Expect], packets: &[&'static [u8]], events: &[Event], status| Case {
                name,
                caps,
                expect: expect.to_vec(),
                packets: packets.to_vec(),
                events: events.to_vec(),
                status,
            };
        let metadata = Capabilities {
            base: OPTIONAL_METADATA | DEPRECATE_EOF,
            extended: 0,
        };
        let old_metadata = Capabilities {
            base: OPTIONAL_METADATA,
            extended: 0,
        };
        let cache = Capabilities {
            base: 0,
            extended: 1 << 4,
        };
        let progress = Capabilities { base: 0, extended: 1 };
        let infile = [Event::LocalInfile];
        let ok: &[u8] = b"\0\0\0\x02\0\0\0";
        let more: &[u8] = b"\0\x01\0\x0a\0\0\0";
        let eof: &[u8] = b"\xfe\0\0\x02\0";
        let end: &[u8] = b"\xfe\0\0\x22\0\0\0";
        let err: &[u8] = b"\xff\x7a\x04#42S02no";
        use Expect::*;
        vec![
            case("ok", OLD, &[Query], &[ok], &[], 2),
            case("error", OLD, &[Query], &[err], &[], 0),
            case(
                "rows, eof",
                OLD,
                &[Query],
                &[b"\x01", DEFINITION, eof, b"\x011", b"\xfb", eof],
                &[],
                2,
            ),
            case(
                "empty, eof",
                OLD,
                &[Query],
                &[b"\x01", DEFINITION, eof, eof],
                &[],
                2,
            ),
            case(
                "rows, no eof",
                NEW,
                &[Query],
                &[b"\x01", DEFINITION, b"\x011", end],
                &[],
                0x22,
            ),
            case(
                "error in rows",
                NEW,
                &[Query],
                &[b"\x01", DEFINITION, b"\x011", err],
                &[],
                0,
            ),
            case(
                "error in definitions",
                OLD,
                &[Query],
                &[b"\x02", DEFINITION, err],
                &[],
                0,
            ),
            case(
                "two replies",
                NEW,
                &[Query],
                &[more, b"\x01", DEFINITION, end],
                &[],
                0x22,
            ),
            case(
                "pipelined",
                OLD,
                &[Query, Line, Simple],
                &[ok, b"Uptime: 1", eof],
                &[],
                2,
            ),
            case(
                "cursor, eof",
                OLD,
                &[Execute, Simple],
                &[b"\x01", DEFINITION, b"\xfe\0\0\x42\0", ok],
                &[],
                2,
            ),
            case(
                "cursor, no eof",
                NEW,
                &[Execute],
                &[b"\x01", DEFINITION, b"\xfe\0\0\x42\0\0\0"],
                &[],
                0x42,
            ),
            case(
                "no cursor after one, eof",
                OLD,
                &[ExecuteAgain, Simple],
                &[b"\x01", DEFINITION, ok, ok],
                &[],
                2,
            ),
            case(
                "rows after a cursor, eof",
                OLD,
                &[ExecuteAgain],
                &[b"\x01", DEFINITION, eof, b"\0\0\0\x02\0\0\0", eof],
                &[],
                2,
            ),
            case(
                "no cursor after one, no eof",
                NEW,
                &[ExecuteAgain],
                &[b"\x01", DEFINITION, ok],
                &[],
                2,
            ),
            case(
                "rows after a cursor, no eof",
                NEW,
                &[ExecuteAgain],
                &[
                    b"\x01",
                    DEFINITION,
                    b"\0\0\0\x02\0\0\0\0",
                    b"\0\0\0\x02\0\0\0",
                    end,
                ],
                &[],
                0x22,
            ),
            case(
                "fetch",
                OLD,
                &[Rows],
                &[b"\0\0\x01", b"\xfe\0\0\x82\0"],
                &[],
                0x82,
            ),
            case(
                "out parameters, eof",
                OLD,
                &[Execute],
                &[b"\x01", DEFINITION, b"\xfe\0\0\x0a\x10", b"\0\0\x01", eof, ok],
                &[],
                2,
            ),
            case(
                "out parameters, said twice",
                OLD,
                &[Execute],
                &[
                    b"\x01",
                    DEFINITION,
                    b"\xfe\0\0\x0a\x10",
                    b"\0\0\x01",
                    b"\xfe\0\0\x0a\x10",
                    ok,
                ],
                &[],
                2,
            ),
            case("local infile", OLD, &[Query], &[b"\xfb/tmp/x", ok], &infile, 2),
            case(
                "prepare, eof",
                OLD,
                &[Prepare],
                &[
                    b"\0\x07\0\0\0\x01\0\x01\0\0\0\0",
                    DEFINITION,
                    eof,
                    DEFINITION,
                    eof,
                ],
                &[Event::Prepared { id: 7 }],
                2,
            ),
            case(
                "prepare, no eof",
                NEW,
                &[Prepare],
                &[
                    b"\0\x07\0\0\0\x01\0\x02\0\0\0\0",
                    DEFINITION,
                    DEFINITION,
                    DEFINITION,
                ],
                &[Event::Prepared { id: 7 }],
                0,
            ),
            case(
                "prepare, nothing",
                OLD,
                &[Prepare],
                &[b"\0\x07\0\0\0\0\0\0\0\0\0\0"],
                &[Event::Prepared { id: 7 }],
                0,
            ),
            case(
                "prepare, error",
                OLD,
                &[Prepare],
                &[err],
                &[Event::PrepareFailed],
                0,
            ),
            case(
                "prepare, no metadata",
                metadata,
                &[Prepare],
                &[b"\0\x07\0\0\0\x01\0\x02\0\0\0\0\0"],
                &[Event::Prepared { id: 7 }],
                0,
            ),
            case(
                "prepare, no metadata, eof",
                old_metadata,
                &[Prepare],
                &[b"\0\x07\0\0\0\x02\0\x01\0\0\0\0\0", eof, eof],
                &[Event::Prepared { id: 7 }],
                2,
            ),
            case(
                "no metadata",
                metadata,
                &[Query],
                &[b"\x02\0", b"\x011", end],
                &[],
                0x22,
            ),
            case(
                "full metadata",
                metadata,
                &[Query],
                &[b"\x01\x01", DEFINITION, b"\x011", end],
                &[],
                0x22,
            ),
            case(
                "no metadata, eof",
                old_metadata,
                &[Query],
                &[b"\x02\0", eof, b"\x011", eof],
                &[],
                2,
            ),
            case(
                "cached metadata",
                cache,
                &[Execute],
                &[b"\x01\0", eof, b"\0\0\x01", eof],
                &[],
                2,
            ),
            case(
                "progress",
                progress,
                &[Query],
                &[
                    b"\xff\xff\xff\x01\x01\x02\0\0\0\x02ab",
                    b"\xff\xff\xff\x01\x01\x02\0\0\0\x02ab",
                    ok,
                ],
                &[],
                2,
            ),
            case("field list", OLD, &[Rows], &[DEFINITION, DEFINITION, eof], &[], 2),
            case(
                "unknown command",
                OLD,
                &[Unknown],
                &[b"\xff\x17\x04#08S01Unknown command"],
                &[],
                0,
            ),
        ]
    }

    #[test]
    fn every_shape_ends_where_it_ends() {
        for case in cases() {
            let bytes = stream(&case.packets);
            let found = follow(case.caps, &case.expect, &bytes, &[]);
            assert_eq!(found, (case.events, true, case.status), "{}", case.name);
        }
    }

    #[test]
    fn no_cut_of_a_reply_is_taken_for_its_end() {
        for case in cases() {
            let bytes = stream(&case.packets);
            for short in 1..bytes.len() {
                let (_, idle, _) = follow(case.caps, &case.expect, &bytes[..short], &[]);
                assert!(!idle, "{} cut at {short}", case.name);
            }
        }
    }

    /// Of a row that reads as an OK packet the next packet's number tells that it was one.
    #[test]
    fn a_row_like_an_ok_packet_is_no_end() {
        let ok: &[u8] = b"\0\0\0\x02\0\0\0";
        let mut tracker = ReplyTracker::new(NEW, 0);
        tracker.expect(Expect::ExecuteAgain);
        tracker.expect(Expect::Simple);
        let mut rows = &stream(&[b"\x01", DEFINITION, ok, ok, b"\xfe\0\0\x22\0\0\0"])[..];
        assert_eq!(tracker.feed(&mut rows), None);
        assert_eq!((tracker.outstanding(), tracker.status), (1, 0x22));
        assert_eq!(tracker.feed(&mut &stream(&[ok])[..]), None);
        assert!(tracker.is_idle());
    }

    #[test]
    fn a_long_row_that_begins_like_an_end_is_a_row() {
        let mut bytes = stream(&[b"\x01", DEFINITION]);
        bytes.extend([0xff, 0xff, 0xff, 3, 0xfe]);
        bytes.extend(vec![0; 0xff_fffe]);
        bytes.extend([2, 0, 0, 4, 0xff, 0xff]);
        bytes.extend([7, 0, 0, 5, 0xfe, 0, 0, 0x22, 0, 0, 0]);
        assert_eq!(follow(NEW, &[Expect::Query], &bytes, &[]), (vec![], true, 0x22));
    }

    #[test]
    fn what_is_not_understood_is_lost() {
        let lost = |expect, packet: &[u8]| {
            let (events, _, _) = follow(OLD, &[expect], &stream(&[packet]), &[]);
            assert_eq!(events, [Event::Lost], "{packet:x?}");
        };
        lost(Expect::Simple, b"\x01");
        lost(Expect::Query, b"");
        lost(Expect::Query, b"\0\0");
        lost(Expect::Unknown, b"\0\0\0\x02\0\0\0");
        lost(Expect::Endless, b"\0");
    }

    #[test]
    fn each_reply_that_is_watched_for_is_reported() {
        let mut tracker = ReplyTracker::new(OLD, 0);
        tracker.expect(Expect::Query);
        assert!(tracker.watch_last(Watch::Change));
        tracker.expect(Expect::Query);
        tracker.expect(Expect::Query);
        assert!(tracker.watch_last(Watch::Kill));
        let (ok, err): (&[u8], &[u8]) = (b"\0\0\0\x02\0\0\0", b"\xff\x7a\x04#42S02no");
        let mut events = Vec::new();
        for packet in [ok, ok, err] {
            let bytes = stream(&[packet]);
            let mut rest = &bytes[..];
            while let Some(event) = tracker.feed(&mut rest) {
                events.push(event);
            }
        }
        let watched = |watch, is_error| Event::Watched { watch, is_error };
        assert_eq!(
            events,
            [watched(Watch::Change, false), watched(Watch::Kill, true)]
        );
        assert!(!tracker.watches(Watch::Change) && !tracker.watches(Watch::Kill));
        assert!(!tracker.watch_last(Watch::Kill), "nothing is outstanding");
    }

    proptest! {
        #[test]
        fn pieces_never_change_what_is_followed(cuts in prop::collection::vec(1usize..40, 1..20)) {
            for case in cases() {
                let bytes = stream(&case.packets);
                prop_assert_eq!(follow(case.caps, &case.expect, &bytes, &cuts), (case.events, true, case.status));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), base: u32, extended: u32, which in 0usize..8) {
            use Expect::*;
            let expect = [Simple, Line, Query, Execute, Prepare, Rows, Unknown, Endless][which];
            let mut tracker = ReplyTracker::new(Capabilities { base, extended }, 0);
            tracker.expect(expect);
            let mut data = &bytes[..];
            while tracker.feed(&mut data).is_some() {}
        }
    }
}
