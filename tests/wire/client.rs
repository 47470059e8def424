//! A connection that sends bytes in pieces and takes down every byte that comes back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::packet::{Frame, put};

/// Only something broken reaches it.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a text is cut at most, so that long ones take no longer than short ones.
const PIECES_MAX: usize = 400;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    writer: OwnedWriteHalf,
    incoming: mpsc::UnboundedReceiver<Vec<u8>>,
    reader: JoinHandle<()>,
    /// Bytes of a frame that has not ended.
    partial: Vec<u8>,
    /// What was received since it was taken last.
    pub(crate) frames: Vec<Frame>,
    /// The other side closed the connection.
    pub(crate) closed: bool,
}

impl Client {
    /// Connects to a port of this machine. What arrives is read at once, so that writing never waits for reading.
    pub(crate) async fn connect(port: u16) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (mut half, writer) = stream.into_split();
        let (received, incoming) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 256 << 10];
            while let Ok(count @ 1..) = half.read(&mut buffer).await {
                if received.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Client {
            writer,
            incoming,
            reader,
            partial: Vec::new(),
            frames: Vec::new(),
            closed: false,
        })
    }

    /// Sends bytes in pieces, as `cuts` has it. A connection that the other side has closed takes them no more, which its
    /// last words will show.
    pub(crate) async fn send(&mut self, bytes: &[u8], cuts: &mut StdRng) {
        let mut rest = bytes;
        let piece_max = match cuts.random_range(0..5) {
            0 => 3,
            1 => 40,
            2 => 5_000,
            _ => usize::MAX,
        };
        let piece_max = piece_max
            .max(bytes.len().div_ceil(PIECES_MAX))
            .min(bytes.len().max(1));
        while !rest.is_empty() {
            let length = cuts.random_range(1..=piece_max).min(rest.len());
            let (piece, after) = rest.split_at(length);
            if self.writer.write_all(piece).await.is_err() {
                return;
            }
            rest = after;
            tokio::task::yield_now().await;
        }
    }

    /// Sends one payload at once.
    pub(crate) async fn send_whole(&mut self, sequence: u8, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(payload.len() + 8);
        put(&mut bytes, sequence, payload);
        // A closed connection shows in what is received.
        let _ = self.writer.write_all(&bytes).await;
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn half_close(&mut self) {
        let _ = self.writer.shutdown().await;
    }

    /// Receives until `done` says so of the frames received, or the other side closes.
    pub(crate) async fn until(&mut self, done: impl Fn(&[Frame]) -> bool) -> Result<()> {
        loop {
            if self.closed || done(&self.frames) {
                return Ok(());
            }
            let arrived = timeout(DEADLINE, self.incoming.recv()).await;
            let arrived = arrived.with_context(|| format!("stuck; received so far: {:#?}", self.frames))?;
            match arrived {
                Some(bytes) => self.take_in(bytes),
                None => {
                    self.closed = true;
                    ensure!(self.partial.is_empty(), "closed in the middle of a packet");
                }
            }
        }
    }

    fn take_in(&mut self, bytes: Vec<u8>) {
        self.partial.extend(bytes);
        let mut rest = &self.partial[..];
        while let Some((frame, after)) = Frame::split(rest) {
            self.frames.push(frame);
            rest = after;
        }
        let used = self.partial.len() - rest.len();
        self.partial.drain(..used);
    }

    /// The next frame, which is taken away.
    pub(crate) async fn frame(&mut self) -> Result<Option<Frame>> {
        self.until(|frames| !frames.is_empty()).await?;
        Ok((!self.frames.is_empty()).then(|| self.frames.remove(0)))
    }

    /// Takes away what was received.
    pub(crate) fn take(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.frames)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
