//! Stands between a client that has logged in and opensrv.
//!
//! # Invariants, and why they hold
//! - *One whole packet per read, and never a byte of the next one.* opensrv's reader hands out memory it has freed
//!   when it finds the start of another packet behind the one it wanted. Bytes are asked of the stream only up to the end of the current
//!   packet, so the next one is still with the kernel when this one is handed on.
//! - *Nothing but commands opensrv knows,* with sequence id 0 and valid text: it answers what it does not know with OK,
//!   and panics at a wrong sequence id. Everything else is answered here; opensrv keeps waiting.
//! - *Bounded.* A longer packet than [`MAX_PAYLOAD_BYTES`] ends the connection before a byte of it is read.
//! - *Replies do not mix.* opensrv flushes its reply before it reads the next command, and answers of this file are written out
//!   whole inside that read.
//!
//! opensrv begins with a login of its own. It is shown a response made here, and what it writes meanwhile, a greeting
//! and an OK, is swallowed: the client has had both.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::greeting::Client;
use super::packet::{self, HEADER_BYTES, Header, MAX_PAYLOAD_BYTES, Refusal};

/// The stream opensrv works on.
pub(super) struct Wire<S> {
    stream: S,
    /// The packet being read, header included.
    packet: Vec<u8>,
    /// How many bytes of `packet` have arrived, or, once it is whole, have been handed on.
    done: usize,
    step: Step,
    swallow: Swallow,
}

enum Step {
    /// `packet` is being filled from the stream.
    Fill,
    /// `packet` is being handed to opensrv.
    HandOn,
    /// `packet` holds an answer that is being written to the client; afterwards the connection goes on or ends.
    Answer { then_end: bool },
}

impl<S> Wire<S> {
    /// The stream of `client`, which has logged in.
    pub(super) fn new(stream: S, client: &Client) -> Self {
        Self {
            stream,
            packet: packet::framed(1, &client.for_opensrv()),
            done: 0,
            step: Step::HandOn,
            swallow: Swallow {
                packets: 2,
                header: Vec::new(),
                payload_bytes: 0,
            },
        }
    }

    fn begin(&mut self, step: Step, packet: Vec<u8>) {
        (self.step, self.packet, self.done) = (step, packet, 0);
    }

    /// What to do with the bytes gathered so far; `true` when the packet lacks more of them.
    fn consider(&mut self) -> bool {
        let Some((header, payload)) = self.packet.split_first_chunk::<HEADER_BYTES>() else {
            return true;
        };
        let header = Header::parse(*header);
        let verdict = if header.payload_bytes > MAX_PAYLOAD_BYTES {
            Verdict::End(packet::TOO_LONG)
        } else if header.sequence != 0 {
            Verdict::End(packet::OUT_OF_ORDER)
        } else if payload.len() < header.payload_bytes {
            return true;
        } else {
            judge(payload)
        };
        match verdict {
            Verdict::HandOn => (self.step, self.done) = (Step::HandOn, 0),
            Verdict::Ignore => self.begin(Step::Fill, Vec::new()),
            Verdict::Agree => self.answer(&packet::ok_payload(), header.sequence, false),
            Verdict::Refuse(refusal) => self.answer(&refusal.payload(), header.sequence, false),
            Verdict::End(refusal) => self.answer(&refusal.payload(), header.sequence, true),
        }
        false
    }

    fn answer(&mut self, payload: &[u8], sequence: u8, then_end: bool) {
        self.begin(
            Step::Answer { then_end },
            packet::framed(sequence.wrapping_add(1), payload),
        );
    }
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    HandOn,
    /// Commands the protocol gives no answer to.
    Ignore,
    /// Answered with OK here.
    Agree,
    Refuse(Refusal),
    /// Answered with an error, the last thing this client hears.
    End(Refusal),
}

const COM_QUIT: u8 = 0x01;
const COM_INIT_DB: u8 = 0x02;
const COM_QUERY: u8 = 0x03;
const COM_PING: u8 = 0x0e;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
const COM_STMT_CLOSE: u8 = 0x19;
const COM_STMT_RESET: u8 = 0x1a;
const COM_STMT_FETCH: u8 = 0x1c;
const COM_RESET_CONNECTION: u8 = 0x1f;

fn judge(payload: &[u8]) -> Verdict {
    let Some((command, rest)) = payload.split_first() else {
        return Verdict::Refuse(packet::UNKNOWN_COMMAND);
    };
    match *command {
        COM_QUIT | COM_PING => Verdict::HandOn,
        COM_QUERY | COM_INIT_DB if std::str::from_utf8(rest).is_ok() => Verdict::HandOn,
        COM_QUERY | COM_INIT_DB => Verdict::Refuse(packet::NOT_UTF8),
        COM_STMT_PREPARE | COM_STMT_EXECUTE | COM_STMT_RESET | COM_STMT_FETCH => {
            Verdict::Refuse(packet::NO_PREPARED_STATEMENTS)
        }
        COM_STMT_SEND_LONG_DATA | COM_STMT_CLOSE => Verdict::Ignore,
        // A session has no state here, so it is always as if new.
        COM_RESET_CONNECTION => Verdict::Agree,
        _ => Verdict::Refuse(packet::UNKNOWN_COMMAND),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Reads until a step other than filling is reached; `false` at the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.consider() {
            let have = self.packet.len();
            let wanted = match self.packet.first_chunk::<HEADER_BYTES>() {
                Some(header) => HEADER_BYTES + Header::parse(*header).payload_bytes,
                None => HEADER_BYTES,
            };
            self.packet.resize(wanted, 0);
            let mut space = ReadBuf::new(self.packet.get_mut(have..).unwrap_or_default());
            let polled = Pin::new(&mut self.stream).poll_read(cx, &mut space);
            let got = space.filled().len();
            self.packet.truncate(have + got);
            ready!(polled)?;
            if got == 0 {
                return Poll::Ready(if have == 0 {
                    Ok(false)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                });
            }
        }
        Poll::Ready(Ok(true))
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, then_end: bool) -> Poll<io::Result<()>> {
        while let Some(rest) = self.packet.get(self.done..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.done += written,
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if then_end {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the client broke the protocol",
            )));
        }
        self.begin(Step::Fill, Vec::new());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        loop {
            match wire.step {
                Step::Fill => {
                    if !ready!(wire.poll_fill(cx))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Step::Answer { then_end } => ready!(wire.poll_answer(cx, then_end))?,
                Step::HandOn => {
                    let rest = wire.packet.get(wire.done..).unwrap_or_default();
                    let part = rest.get(..out.remaining()).unwrap_or(rest);
                    out.put_slice(part);
                    wire.done += part.len();
                    if wire.done == wire.packet.len() {
                        wire.begin(Step::Fill, Vec::new());
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        match wire.swallow.take(bytes) {
            0 => Pin::new(&mut wire.stream).poll_write(cx, bytes),
            swallowed => Poll::Ready(Ok(swallowed)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Counts off the packets at the front of what opensrv writes that the client must not see.
struct Swallow {
    packets: u8,
    header: Vec<u8>,
    payload_bytes: usize,
}

impl Swallow {
    /// How many bytes at the front of `bytes` belong to those packets.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for byte in bytes {
            if self.packets == 0 {
                break;
            }
            taken += 1;
            self.byte(*byte);
        }
        taken
    }

    fn byte(&mut self, byte: u8) {
        if self.payload_bytes > 0 {
            self.payload_bytes -= 1;
        } else {
            self.header.push(byte);
            let Some(header) = self.header.first_chunk::<HEADER_BYTES>() else {
                return;
            };
            self.payload_bytes = Header::parse(*header).payload_bytes;
            self.header.clear();
        }
        if self.payload_bytes == 0 {
            self.packets -= 1;
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
