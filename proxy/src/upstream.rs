//! Opens the connection to the server.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Upstream;
use crate::protocol::frame::{HEADER_BYTES, peek_packet};
use crate::protocol::greeting::Greeting;
use crate::protocol::ok::Error;
use crate::stream::Stream;

/// `ER_CONNECT_TO_FOREIGN_DATA_SOURCE`: the number of an error by which a client hears that its server cannot be reached.
/// A client's own number (2002, 2003) in a packet is "malformed" to MariaDB's clients, which take it for forged.
pub const UNREACHABLE: u16 = 1429;

/// Connects to the server, or says what is wrong in the words a client would have used itself.
pub(crate) async fn connect(upstream: &Upstream, limit: Duration) -> Result<Stream, String> {
    let opened = match timeout(limit, open(upstream)).await {
        Ok(opened) => opened,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
    };
    opened.map_err(|error| failure(upstream, &error))
}

/// The words in which a client hears that its server cannot be reached.
pub(crate) fn failure(upstream: &Upstream, reason: &dyn fmt::Display) -> String {
    format!("Can't connect to MySQL server on '{upstream}' ({reason})")
}

async fn open(upstream: &Upstream) -> io::Result<Stream> {
    Stream::tcp(TcpStream::connect((upstream.host.as_str(), upstream.port)).await?)
}

/// The longest greeting.
const GREETING_MAX_BYTES: usize = 4 << 10;

/// Reads the greeting of a server and leaves again.
pub(crate) async fn greeting(upstream: &Upstream, limit: Duration) -> Result<Greeting, String> {
    let mut stream = connect(upstream, limit).await?;
    let read = match timeout(limit, first_packet(&mut stream)).await {
        Ok(read) => read,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no greeting in time")),
    };
    let packet = read.map_err(|error| failure(upstream, &error))?;
    let payload = packet.get(HEADER_BYTES..).unwrap_or_default();
    if let Some(error) = Error::parse(payload).filter(|_| payload.first() == Some(&0xff)) {
        return Err(failure(upstream, &error.message));
    }
    Greeting::parse(payload).ok_or_else(|| failure(upstream, &"its greeting is not understood"))
}

async fn first_packet(stream: &mut Stream) -> io::Result<BytesMut> {
    let mut bytes = BytesMut::new();
    loop {
        if let Some((header, _)) = peek_packet(&bytes) {
            bytes.truncate(HEADER_BYTES + header.length);
            return Ok(bytes);
        }
        if bytes.len() > GREETING_MAX_BYTES {
            return Err(io::Error::other("it does not greet as a server does"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
