//! A client without a connection, for tests and `cargo fuzz`: it sends given bytes in given pieces and keeps what it hears.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes it takes at once, so that whoever writes has to come again.
const TAKES: usize = 5;

/// The client. Clones hear what it hears.
#[derive(Clone)]
pub(super) struct Pieces {
    incoming: VecDeque<Vec<u8>>,
    outgoing: Arc<Mutex<Vec<u8>>>,
}

impl Pieces {
    /// `bytes` in pieces of the lengths `cuts`, repeated to the end.
    pub(super) fn new(mut bytes: &[u8], cuts: &[usize]) -> Self {
        let mut incoming = VecDeque::new();
        for cut in cuts.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let (piece, rest) = bytes.split_at((*cut).min(bytes.len()));
            incoming.push_back(piece.to_vec());
            bytes = rest;
        }
        let outgoing = Arc::default();
        Self { incoming, outgoing }
    }

    /// What it has heard so far.
    pub(super) fn heard(&self) -> Vec<u8> {
        let heard = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.incoming.pop_front() {
            let rest = piece.split_off(piece.len().min(out.remaining()));
            out.put_slice(&piece);
            if !rest.is_empty() {
                self.incoming.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let part = bytes.get(..TAKES).unwrap_or(bytes);
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        outgoing.extend(part);
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
