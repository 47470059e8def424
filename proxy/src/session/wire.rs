//! The two connections of a session and the bytes on their way between them.
//!
//! Bytes stay in the buffer they were read into until they are written: nothing is copied on the way.
//!
//! *Invariants:* bytes leave in the order they came, and the proxy's own packets stand where they were put. Each direction
//! stops reading when what it could not write yet reaches a bound, and never stops the other one: no cycle of waits.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{End, spare};
use crate::protocol::frame::{HEADER_BYTES, put_packet};
use crate::stream::Stream;

const CHUNK_MIN_BYTES: usize = spare::SPARE_BYTES;
const CHUNK_MAX_BYTES: usize = 256 << 10;
/// Approved bytes that wait for a slow receiver before reading stops.
const UNSENT_MAX_BYTES: usize = 256 << 10;
/// Undecided bytes before reading stops: one inspected command with what is pipelined behind it.
pub(crate) const UNDECIDED_MAX_BYTES: usize = 1280 << 10;

/// One direction.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// The proxy's own packets, written before `buffer`.
    own: BytesMut,
    /// What was read: approved bytes, then undecided ones.
    buffer: BytesMut,
    approved: usize,
    chunk: usize,
    /// The buffer is larger than the traffic needs by now.
    oversized: bool,
    /// The sender will send no more.
    pub(crate) ended: bool,
    /// The receiver takes no more.
    broken: bool,
    /// How many bytes it has taken, round and round.
    taken: usize,
}

impl Pipe {
    pub(super) fn new() -> Self {
        let (own, buffer) = (BytesMut::new(), BytesMut::new());
        Self {
            own,
            buffer,
            approved: 0,
            chunk: CHUNK_MIN_BYTES,
            oversized: false,
            ended: false,
            broken: false,
            taken: 0,
        }
    }

    /// Bytes arrive without a connection.
    #[cfg(any(test, fuzzing))]
    pub(super) fn arrive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What may leave.
    #[cfg(any(test, fuzzing))]
    pub(super) fn approved_bytes(&self) -> &[u8] {
        self.buffer.get(..self.approved).unwrap_or_default()
    }

    /// What may leave leaves; how many bytes that are.
    #[cfg(test)]
    pub(super) fn leave(&mut self) -> usize {
        let left = std::mem::take(&mut self.approved);
        self.buffer.advance(left);
        left
    }

    /// The bytes nobody has decided about.
    pub(crate) fn undecided(&self) -> &[u8] {
        self.buffer.get(self.approved..).unwrap_or_default()
    }

    pub(crate) fn undecided_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.approved..).unwrap_or_default()
    }

    /// Lets the next `count` undecided bytes pass.
    pub(crate) fn approve(&mut self, count: usize) {
        self.approved = self.buffer.len().min(self.approved + count);
    }

    /// Lets every byte pass that has been read.
    pub(crate) fn approve_all(&mut self) {
        self.approved = self.buffer.len();
    }

    /// Takes the next `count` undecided bytes out.
    pub(crate) fn discard(&mut self, count: usize) {
        if self.approved == 0 {
            self.buffer.advance(count.min(self.buffer.len()));
            return;
        }
        let mut undecided = self.buffer.split_off(self.approved);
        undecided.advance(count.min(undecided.len()));
        self.buffer.unsplit(undecided);
    }

    /// Puts other bytes in the place of the next `count` undecided ones.
    pub(crate) fn replace(&mut self, count: usize, mut bytes: BytesMut) {
        let undecided = self.buffer.split_off(self.approved);
        bytes.extend_from_slice(undecided.get(count..).unwrap_or_default());
        if self.buffer.is_empty() {
            self.buffer = bytes;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// Gives the packet at the front of the undecided bytes another sequence number.
    pub(crate) fn renumber(&mut self, sequence: u8) {
        if let Some(byte) = self.undecided_mut().get_mut(HEADER_BYTES - 1) {
            *byte = sequence;
        }
    }

    /// Puts a packet of the proxy's own behind the approved bytes.
    pub(crate) fn send(&mut self, sequence: u8, payload: &[u8]) {
        self.send_with(|out| put_packet(out, sequence, payload));
    }

    /// Lets `put` append packets of the proxy's own behind the approved bytes.
    pub(crate) fn send_with(&mut self, put: impl FnOnce(&mut BytesMut)) {
        if self.approved > 0 {
            self.own.extend_from_slice(&self.buffer.split_to(self.approved));
            self.approved = 0;
        }
        put(&mut self.own);
    }

    /// What the receiver has taken, while there is something it has not.
    pub(crate) fn stuck_at(&self) -> Option<usize> {
        (self.approved > 0 || !self.own.is_empty()).then_some(self.taken)
    }

    fn wants_bytes(&self) -> bool {
        !self.ended
            && self.approved + self.own.len() < UNSENT_MAX_BYTES
            && self.buffer.len() - self.approved < UNDECIDED_MAX_BYTES
    }

    /// Holds no memory while there is nothing to hold.
    fn rest(&mut self) {
        if self.buffer.is_empty() {
            spare::give(std::mem::take(&mut self.buffer));
        }
    }

    fn poll_read(&mut self, from: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if from.poll_may_read(cx).is_pending() {
            self.rest();
            return Poll::Pending;
        }
        if self.buffer.is_empty() && (self.oversized || self.buffer.capacity() == 0) {
            self.buffer = spare::take();
            self.oversized = false;
        }
        self.buffer.reserve(self.chunk);
        let polled = pin!(from.read_buf(&mut self.buffer)).poll(cx);
        if polled.is_pending() {
            self.rest();
        }
        if let Poll::Ready(Ok(count)) = polled {
            // The chunk follows the traffic: big results take few reads, and an idle session little memory.
            if count >= self.chunk {
                self.chunk = (self.chunk * 2).min(CHUNK_MAX_BYTES);
            } else if count < self.chunk / 4 && self.chunk > CHUNK_MIN_BYTES {
                self.chunk /= 2;
                self.oversized = true;
            }
        }
        polled
    }

    /// Writes until everything approved is out; `Pending` while the receiver is slow.
    fn poll_write(&mut self, to: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken {
            self.own = BytesMut::new();
            self.buffer.advance(self.approved);
            self.approved = 0;
        }
        while !self.own.is_empty() {
            let written = write_some(to, &self.own, cx);
            match written {
                Poll::Ready(Ok(count)) => {
                    self.own.advance(count);
                    self.taken = self.taken.wrapping_add(count);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.own.capacity() > 0 {
            self.own = BytesMut::new();
        }
        while self.approved > 0 {
            let ready = self.buffer.get(..self.approved).unwrap_or_default();
            match write_some(to, ready, cx) {
                Poll::Ready(Ok(count)) => {
                    self.buffer.advance(count);
                    self.approved -= count;
                    self.taken = self.taken.wrapping_add(count);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Pin::new(to).poll_flush(cx)
    }
}

fn write_some(to: &mut Stream, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    match pin!(to.write(bytes)).poll(cx) {
        Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        polled => polled,
    }
}

/// What happened on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The client sent this many bytes.
    Client(usize),
    /// The client will send no more.
    ClientEnded,
    /// The client cannot be written to.
    ClientGone,
    /// The server sent this many bytes.
    Upstream(usize),
    /// The server's connection is over.
    UpstreamEnded,
}

/// Both connections and both directions.
#[derive(Debug)]
pub(crate) struct Wire {
    client: Stream,
    upstream: Stream,
    /// From the client to the server.
    pub(crate) up: Pipe,
    /// From the server to the client.
    pub(crate) down: Pipe,
    half_closed: bool,
    /// The server has more to hear, whether the client goes on or not.
    pub(super) is_at_work: bool,
}

impl Wire {
    pub(crate) fn new(client: Stream, upstream: Stream) -> Self {
        Self {
            client,
            upstream,
            up: Pipe::new(),
            down: Pipe::new(),
            half_closed: false,
            is_at_work: false,
        }
    }

    /// A client whose server is not chosen yet: nothing is expected of that side.
    pub(crate) fn waiting(client: Stream) -> Self {
        let mut wire = Self::new(client, Stream::default());
        wire.down.ended = true;
        wire
    }

    /// Gives a waiting client its server.
    pub(crate) fn open_upstream(&mut self, upstream: Stream) {
        self.upstream = upstream;
        self.down.ended = false;
    }

    /// The client's connection.
    pub(crate) fn client(&self) -> &Stream {
        &self.client
    }

    /// The server's connection.
    pub(crate) fn upstream(&self) -> &Stream {
        &self.upstream
    }

    /// Answers the client's request for TLS; what it sent behind the request belongs to TLS.
    pub(crate) async fn secure_client(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        let (approved, read) = (self.up.approved, std::mem::take(&mut self.up.buffer));
        debug_assert_eq!(approved, 0, "only the request was sent");
        self.client = std::mem::take(&mut self.client)
            .accept_tls(read, acceptor)
            .await?;
        Ok(())
    }

    /// Begins TLS with the server, which has been asked for it and has nothing else to say.
    pub(crate) async fn secure_upstream(
        &mut self,
        name: ServerName<'static>,
        connector: &TlsConnector,
    ) -> io::Result<()> {
        self.flush_upstream().await?;
        if !self.down.undecided().is_empty() {
            return Err(io::Error::other("the server spoke before TLS had begun"));
        }
        self.upstream = std::mem::take(&mut self.upstream)
            .connect_tls(name, connector)
            .await?;
        Ok(())
    }

    async fn flush_upstream(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.up.poll_write(&mut self.upstream, cx)).await
    }

    /// Writes what is approved and answers what arrived.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        self.poll_upstream_write(cx);
        if let Poll::Ready(Err(_)) = self.down.poll_write(&mut self.client, cx) {
            return Poll::Ready(Arrival::ClientGone);
        }
        if self.down.wants_bytes()
            && let Poll::Ready(read) = self.down.poll_read(&mut self.upstream, cx)
        {
            return Poll::Ready(match read {
                Ok(0) | Err(_) => {
                    self.down.ended = true;
                    Arrival::UpstreamEnded
                }
                Ok(count) => Arrival::Upstream(count),
            });
        }
        if self.up.wants_bytes()
            && let Poll::Ready(read) = self.up.poll_read(&mut self.client, cx)
        {
            return Poll::Ready(match read {
                Ok(0) | Err(_) => {
                    self.up.ended = true;
                    Arrival::ClientEnded
                }
                Ok(count) => Arrival::Client(count),
            });
        }
        Poll::Pending
    }

    /// A server that takes no more bytes may still have said why: reading goes on until its end.
    fn poll_upstream_write(&mut self, cx: &mut Context<'_>) {
        match self.up.poll_write(&mut self.upstream, cx) {
            Poll::Ready(Err(_)) => self.up.broken = true,
            Poll::Ready(Ok(())) if self.up.ended && !self.half_closed && !self.is_at_work => {
                // The client said its last word; the server hears so, and may still answer.
                self.half_closed = Pin::new(&mut self.upstream).poll_shutdown(cx).is_ready();
            }
            _ => {}
        }
    }

    /// What arrives next.
    pub(crate) async fn arrival(&mut self) -> Arrival {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Returns when the client has taken something of what is approved for it: whether it has taken everything.
    pub(crate) async fn flush_some(&mut self) -> Result<bool, End> {
        let before = self.down.stuck_at();
        poll_fn(|cx| match self.down.poll_write(&mut self.client, cx) {
            Poll::Pending if self.down.stuck_at() != before => Poll::Ready(Ok(false)),
            polled => polled.map_ok(|()| true),
        })
        .await
        .map_err(|_| End::ClientLeft)
    }

    /// Ends the client's TLS as TLS wants it: without its last word a client takes the end for an attack.
    pub(crate) async fn end_client_tls(&mut self) {
        if self.client.is_tls() {
            // A client that is gone already does not miss it.
            let _ = self.client.shutdown().await;
        }
    }
}
