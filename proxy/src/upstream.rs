//! Opens the connection to the server.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::Upstream;
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
    match upstream {
        Upstream::Tcp { .. } => format!("Can't connect to MySQL server on '{upstream}' ({reason})"),
        Upstream::Unix(_) => format!("Can't connect to MySQL server through socket '{upstream}' ({reason})"),
    }
}

async fn open(upstream: &Upstream) -> io::Result<Stream> {
    match upstream {
        Upstream::Tcp { host, port } => Stream::tcp(TcpStream::connect((host.as_str(), *port)).await?),
        Upstream::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
    }
}
