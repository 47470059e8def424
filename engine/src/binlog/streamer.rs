//! The task that reads the log, and the handle it is read by.
//!
//! The stream runs in a task of its own: a panic in the library that decodes packets ends that task and becomes
//! an error here, instead of taking a migration down without a word.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Connection, connect, file_after};
use super::decoder::Decoder;
use super::{StreamEnd, StreamItem, StreamRequest};
use crate::position::Position;
use crate::session::Upstream;
use crate::{Error, Result};

/// How many batches wait between the task and its reader.
const BATCHES: usize = 64;

/// Keys in a batch inside a transaction; a transaction's end sends what there is.
const BATCH_ITEMS: usize = 256;

/// How long a server may be silent. It is asked for a heartbeat every two seconds.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a lost server is tried again: longer than a failover takes.
const RECONNECT_FOR: Duration = Duration::from_secs(120);

/// The pause between two tries, at first and at most.
const RECONNECT_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// MySQL's and MariaDB's number for a stream they cannot serve: purged, damaged, or ahead of the server.
const CANNOT_READ_LOG: u16 = 1236;

/// MariaDB's words, with that number, where a crash has cut the last event of a file off.
const CUT_OFF: &str = "truncated in the middle of event";

/// Where the events of a file begin.
const FIRST_EVENT: u64 = 4;

/// A session that was killed may hear this before it ends.
const INTERRUPTED: u16 = 1317;

/// The server's own trouble with the connection: it could not read or write a packet.
const NETWORK_FIRST: u16 = 1156;
const NETWORK_LAST: u16 = 1161;

/// A stream of the keys that change in one table.
#[derive(Debug)]
pub struct Streamer {
    batches: mpsc::Receiver<Vec<StreamItem>>,
    /// `None` once it has said how the stream ended.
    task: Option<JoinHandle<StreamEnd>>,
    ready: VecDeque<StreamItem>,
}

impl Drop for Streamer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Streamer {
    /// Starts to stream. A position the server cannot resume from is the first thing [`Streamer::next`] says.
    ///
    /// # Errors
    /// Those of the first connection.
    pub async fn open(upstream: &Upstream, request: StreamRequest) -> Result<Self> {
        let first = match connect(upstream, &request.start).await {
            Err(StreamEnd::Server(error)) => return Err(error),
            other => other,
        };
        let (sender, batches) = mpsc::channel(BATCHES);
        let task = tokio::spawn(run(upstream.clone(), request, first, sender));
        Ok(Self {
            batches,
            task: Some(task),
            ready: VecDeque::new(),
        })
    }

    /// The next item. Cancel safe: a call that is dropped has taken nothing.
    ///
    /// # Errors
    /// Why the stream ended. It does not go on after that.
    pub async fn next(&mut self) -> Result<StreamItem, StreamEnd> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            match self.batches.recv().await {
                Some(batch) => self.ready.extend(batch),
                None => return Err(self.end().await),
            }
        }
    }

    async fn end(&mut self) -> StreamEnd {
        let Some(task) = &mut self.task else {
            return StreamEnd::Server(Error::fatal("the binary log's stream has ended before"));
        };
        let end = match task.await {
            Ok(end) => end,
            Err(died) => StreamEnd::Server(Error::fatal(format!("the binary log's reader died: {died}"))),
        };
        self.task = None;
        end
    }
}

/// Why one connection came to its end.
enum Lost {
    /// It can be made again.
    Connection(Error),
    /// The stream is over.
    Stream(StreamEnd),
    /// The file ends in the middle of an event, in the server's words.
    CutOff {
        server: String,
        file: String,
        why: String,
    },
}

async fn run(
    upstream: Upstream,
    mut request: StreamRequest,
    first: Result<Connection, StreamEnd>,
    sender: mpsc::Sender<Vec<StreamItem>>,
) -> StreamEnd {
    let mut connection = first;
    let mut patience = Patience::new();
    loop {
        let lost = match connection {
            Ok(connection) => follow(connection, &upstream, &mut request, &sender, &mut patience).await,
            Err(StreamEnd::Server(error @ Error::Transient(_))) => Lost::Connection(error),
            Err(end) => Lost::Stream(end),
        };
        match lost {
            Lost::Stream(end) => return end,
            Lost::Connection(error) => {
                let Some(pause) = patience.pause() else {
                    return StreamEnd::Server(error);
                };
                tracing::warn!(%error, position = %request.start, "the binary log's stream broke off; connecting again");
                sleep(pause).await;
            }
            Lost::CutOff { server, file, why } => {
                match pass_over_cut(&upstream, &mut request, server, &file).await {
                    Ok(true) => {}
                    Ok(false) => return StreamEnd::Purged(why),
                    Err(error) => {
                        connection = Err(StreamEnd::Server(error));
                        continue;
                    }
                }
            }
        }
        connection = connect(&upstream, &request.start).await;
    }
}

/// Goes on in the file after the one that a crash cut off; false where there is none.
///
/// Nothing is passed over by that. The server sends a file's events in order, so all whole transactions of the file are
/// delivered. What was cut off never had an end in the log, and a server that recovers rolls such a transaction back. MySQL
/// removes the stump from the file when it recovers; MariaDB leaves it there and stops every stream at it.
async fn pass_over_cut(
    upstream: &Upstream,
    request: &mut StreamRequest,
    server: String,
    file: &str,
) -> Result<bool> {
    let Some(next) = file_after(upstream, file).await? else {
        return Ok(false);
    };
    tracing::warn!(
        file,
        next,
        "a crash of the server cut its binary log off; going on in the next file"
    );
    request.start = Position {
        server,
        file: next,
        offset: FIRST_EVENT,
        gtids: request.start.gtids.take(),
    };
    Ok(true)
}

/// Delivers what one connection yields; `request.start` follows what was delivered.
async fn follow(
    connection: Connection,
    upstream: &Upstream,
    request: &mut StreamRequest,
    sender: &mpsc::Sender<Vec<StreamItem>>,
    patience: &mut Patience,
) -> Lost {
    let Connection {
        mut stream,
        server,
        ignore_case,
    } = connection;
    let mut decoder = match Decoder::new(request, upstream.flavor(), server, ignore_case) {
        Ok(decoder) => decoder,
        Err(error) => return Lost::Stream(StreamEnd::Server(error)),
    };
    let mut batch = Vec::new();
    loop {
        let event = match timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(event))) => event,
            Ok(Some(Err(error))) => return lost(error, &decoder),
            Ok(None) => return Lost::Connection(broken("the server ended the stream")),
            Err(_) => return Lost::Connection(broken("the server fell silent")),
        };
        patience.renew();
        let decoded = decoder.decode(&event);
        batch.append(&mut decoder.take());
        let ends = matches!(batch.last(), Some(StreamItem::TransactionEnd(_)));
        if ends || batch.len() >= BATCH_ITEMS || decoded.is_err() {
            let delivered = batch.iter().rev().find_map(|item| match item {
                StreamItem::TransactionEnd(position) => Some(position.clone()),
                StreamItem::Key(_) => None,
            });
            if sender.send(std::mem::take(&mut batch)).await.is_err() {
                return Lost::Stream(StreamEnd::Server(Error::fatal(
                    "the binary log's stream was closed",
                )));
            }
            if let Some(position) = delivered {
                request.start = position;
            }
        }
        if let Err(end) = decoded {
            return Lost::Stream(end);
        }
    }
}

/// What an error of the stream means for it.
fn lost(error: mysql_async::Error, decoder: &Decoder) -> Lost {
    if let mysql_async::Error::Server(server) = &error {
        match server.code {
            CANNOT_READ_LOG if server.message.contains(CUT_OFF) => {
                return Lost::CutOff {
                    server: decoder.server().to_owned(),
                    file: decoder.file().to_owned(),
                    why: server.message.clone(),
                };
            }
            CANNOT_READ_LOG => return Lost::Stream(StreamEnd::Purged(server.message.clone())),
            INTERRUPTED | NETWORK_FIRST..=NETWORK_LAST => return Lost::Connection(Error::Transient(error)),
            _ => {}
        }
    }
    match Error::from(error) {
        error @ Error::Transient(_) => Lost::Connection(error),
        error => Lost::Stream(StreamEnd::Server(error)),
    }
}

fn broken(text: &str) -> Error {
    let error = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, text.to_owned());
    Error::Transient(mysql_async::Error::Io(error.into()))
}

/// How long, and how often, a lost server is tried again.
struct Patience {
    since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            since: None,
            pause: RECONNECT_PAUSE.0,
        }
    }

    /// Something was heard.
    fn renew(&mut self) {
        *self = Self::new();
    }

    /// The pause before the next try; `None` when it has been long enough.
    fn pause(&mut self) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > RECONNECT_FOR {
            return None;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(RECONNECT_PAUSE.1);
        Some(pause)
    }
}
