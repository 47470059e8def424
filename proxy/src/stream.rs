//! A connection, by TCP or by unix socket, with or without TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Any kind of connection.
#[derive(Debug, Default)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Boxed, because its state is large and plain connections are many.
    Tls(Box<TlsStream<Rewound>>),
    /// Nothing: what is left of a connection while TLS begins on it, and if that fails.
    #[default]
    Closed,
}

impl Stream {
    /// Wraps a TCP connection. Nagle's algorithm is off: a relay writes whole packets, and waiting to fill a segment would
    /// only delay them. Keep-alive is on, as a server has it: a machine that vanished is noticed some day.
    pub(crate) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_keepalive(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Takes a connection over from another thread, so that its events wake this one. A connection in TLS stays where it is.
    pub(crate) fn moved_here(self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(TcpStream::from_std(stream.into_std()?)?),
            Self::Unix(stream) => Self::Unix(UnixStream::from_std(stream.into_std()?)?),
            other @ (Self::Tls(_) | Self::Closed) => other,
        })
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether a read may have something to say; without asking the system, and without a buffer.
    pub(crate) fn poll_may_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx).map(drop),
            Self::Unix(stream) => stream.poll_read_ready(cx).map(drop),
            // What was decrypted may be waiting in memory.
            Self::Tls(_) | Self::Closed => Poll::Ready(()),
        }
    }

    /// Whether it is a unix socket, inside TLS or not.
    pub(crate) fn is_unix(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tls(tls) => tls.get_ref().0.stream.is_unix(),
            Self::Tcp(_) | Self::Closed => false,
        }
    }

    /// Begins TLS as the server of the connection; `read` are bytes of it that were read already.
    pub(crate) async fn accept_tls(self, read: BytesMut, acceptor: &TlsAcceptor) -> io::Result<Self> {
        let stream = acceptor.accept(Rewound { read, stream: self }).await?;
        Ok(Self::Tls(Box::new(TlsStream::Server(stream))))
    }

    /// Begins TLS as the client of the connection.
    pub(crate) async fn connect_tls(
        self,
        name: ServerName<'static>,
        connector: &TlsConnector,
    ) -> io::Result<Self> {
        let rewound = Rewound {
            read: BytesMut::new(),
            stream: self,
        };
        let stream = connector.connect(name, rewound).await?;
        Ok(Self::Tls(Box::new(TlsStream::Client(stream))))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // What was encrypted may still wait for the socket.
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(_) | Self::Unix(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

/// A connection of which some bytes were read before TLS began: a client sends its first bytes of TLS right behind its
/// request for it. They are read again as TLS, so nothing sent before the encryption can pass for something sent inside it.
#[derive(Debug)]
pub(crate) struct Rewound {
    read: BytesMut,
    stream: Stream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read.split_to(count));
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
