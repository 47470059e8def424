//! What is asked of everything here that reads bytes from outside, as functions of one input.
//!
//! Each target takes any bytes and panics if something does not hold: that a stream is understood alike however it is cut,
//! that what is written is read back as it was, that nothing keeps more than it was given. `cargo fuzz` calls them from
//! `fuzz/`; the tests below call them with the seeds of `fuzz/seeds` and with seeded variations, on any compiler.
//!
//! The module exists for tests and for `cargo fuzz` (which sets the `fuzzing` configuration) only.

#[cfg(test)]
mod framing;
mod packets;
mod replies;
mod session;
mod words;

pub use packets::{greeting, login, ok, query};
pub use replies::{aside, frames, replies};
pub use session::commands;
#[cfg(test)]
pub(crate) use words::check_split;
pub use words::words;

use crate::protocol::capabilities::Capabilities;

/// Takes an input apart: first what chooses, then the bytes to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The next byte; an input that is used up goes on with zeros.
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *byte
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    fn capabilities(&mut self) -> Capabilities {
        let (base, extended) = (self.u32(), u32::from(self.byte()));
        Capabilities { base, extended }
    }

    /// At most `count` of the next bytes.
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// The bytes behind a count of them.
    fn counted(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte());
        self.bytes(count)
    }

    /// A way to cut a stream: sizes, used again and again.
    fn cuts(&mut self) -> Cuts {
        let count = usize::from(self.byte() % 8) + 1;
        Cuts((0..count).map(|_| usize::from(self.byte()) + 1).collect())
    }
}

/// Sizes of pieces, used again and again.
struct Cuts(Vec<usize>);

impl Cuts {
    fn whole() -> Self {
        Self(vec![usize::MAX])
    }

    /// Hands on `bytes` piece by piece.
    fn each<'a>(&self, bytes: &'a [u8], mut take: impl FnMut(&'a [u8])) {
        let mut rest = bytes;
        for size in self.0.iter().cycle() {
            if rest.is_empty() {
                return;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            take(piece);
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use alterego_testkit::fuzz::vary;

    #[test]
    fn frames() {
        vary("frames", super::frames);
    }

    #[test]
    fn replies() {
        vary("replies", super::replies);
    }

    #[test]
    fn aside() {
        vary("aside", super::aside);
    }

    #[test]
    fn greeting() {
        vary("greeting", super::greeting);
    }

    #[test]
    fn login() {
        vary("login", super::login);
    }

    #[test]
    fn query() {
        vary("query", super::query);
    }

    #[test]
    fn ok() {
        vary("ok", super::ok);
    }

    #[test]
    fn words() {
        vary("words", super::words);
    }

    #[test]
    fn commands() {
        vary("commands", super::commands);
    }
}
