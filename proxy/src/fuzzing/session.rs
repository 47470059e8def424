//! A session's decisions about the client's bytes, without its connections.

use super::{Cuts, Input};
use crate::session::fuzzing::Offline;

/// One step of a session's life.
enum Step<'a> {
    Client(&'a [u8]),
    /// One packet. A server says nothing unasked.
    Server(Vec<u8>),
    /// A table is replaced.
    Swap,
}

/// Commands are decided about alike however the client's and the server's bytes are cut, and nothing is kept that need not be.
pub fn commands(data: &[u8]) {
    let mut input = Input(data);
    let (capabilities, is_mariadb) = (input.capabilities(), input.byte() % 2 == 1);
    let cuts = input.cuts();
    let mut steps = Vec::new();
    while !input.0.is_empty() && steps.len() < 64 {
        let head = input.byte();
        steps.push(match head % 8 {
            0..5 => Step::Client(input.counted()),
            5 | 6 => {
                let payload = input.counted();
                let length = u8::try_from(payload.len()).unwrap_or_default();
                Step::Server([&[length, 0, 0, 1], payload].concat())
            }
            _ => Step::Swap,
        });
    }
    let play = |cuts: &Cuts| {
        let mut session = Offline::new(capabilities, is_mariadb);
        for step in &steps {
            match step {
                Step::Client(bytes) => cuts.each(bytes, |piece| session.client_sends(piece)),
                Step::Server(bytes) if session.awaits_server() => {
                    cuts.each(bytes, |piece| session.server_sends(piece));
                    session.decide();
                }
                Step::Server(_) => {}
                Step::Swap => session.swap("t"),
            }
        }
        session.summary()
    };
    assert_eq!(play(&cuts), play(&Cuts::whole()));
}
