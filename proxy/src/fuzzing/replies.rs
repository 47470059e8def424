//! The server's stream: frames, the replies the client waits for, and replies to statements of the proxy's own.

use super::{Cuts, Input};
use crate::protocol::frame::Frames;
use crate::protocol::reply::{Event, ReplyTracker};
use crate::protocol::shape::Expect;
use crate::session::fuzzing::read_aside;

const EXPECTATIONS: [Expect; 9] = [
    Expect::Simple,
    Expect::Line,
    Expect::Query,
    Expect::Execute,
    Expect::Prepare,
    Expect::Rows,
    Expect::Unknown,
    Expect::Endless,
    Expect::ExecuteAgain,
];

/// Packets have the same boundaries and heads however the stream is cut.
pub fn frames(data: &[u8]) {
    let mut input = Input(data);
    let cuts = input.cuts();
    let found = |cuts: &Cuts| {
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        cuts.each(input.0, |mut piece| {
            while let Some(head) = frames.next(&mut piece) {
                assert!(head.bytes().len() <= head.length);
                found.push(head);
            }
            assert!(piece.is_empty(), "bytes are left behind");
        });
        (found, frames.at_boundary())
    };
    assert_eq!(found(&cuts), found(&Cuts::whole()));
}

/// Replies are followed alike however the stream is cut, and no more is expected than was announced.
pub fn replies(data: &[u8]) {
    let mut input = Input(data);
    let capabilities = input.capabilities();
    let expected: Vec<Expect> = (0..input.byte() % 6)
        .filter_map(|_| EXPECTATIONS.get(usize::from(input.byte() % 9)).copied())
        .collect();
    let cuts = input.cuts();
    let stream = input.0;
    let follow = |cuts: &Cuts| {
        let mut tracker = ReplyTracker::new(capabilities, 0);
        expected.iter().for_each(|expect| tracker.expect(*expect));
        let mut events = Vec::new();
        cuts.each(stream, |mut piece| {
            while events.last() != Some(&Event::Lost) {
                let before = piece.len();
                match tracker.feed(&mut piece) {
                    Some(event) => events.push(event),
                    None => break,
                }
                assert!(piece.len() < before, "an event without a byte");
            }
        });
        // A reply that was thought to have ended may turn out not to have.
        assert!(tracker.outstanding() <= expected.len());
        let is_lost = events.last() == Some(&Event::Lost);
        let outcome = (tracker.outstanding(), tracker.is_idle(), tracker.status);
        // What is not understood is followed no further, so nothing is asked of what comes after.
        (events, Some(outcome).filter(|_| !is_lost))
    };
    assert_eq!(follow(&cuts), follow(&Cuts::whole()));
}

/// The reply to a statement of the proxy's own is read alike however it arrives, and nothing behind it is taken.
pub fn aside(data: &[u8]) {
    let mut input = Input(data);
    let capabilities = input.capabilities();
    let cuts = input.cuts();
    let read = |cuts: &Cuts| {
        let mut pieces = Vec::new();
        cuts.each(input.0, |piece| pieces.push(piece));
        read_aside(capabilities, &pieces)
    };
    assert_eq!(read(&cuts), read(&Cuts::whole()));
}
