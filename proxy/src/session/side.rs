//! Statements of the proxy's own on the client's connection, at a moment when it is quiet.
//!
//! *Invariant:* a side statement is sent only while the tracker is idle, and its reply is read to the end before anything else
//! is sent; the client sees nothing of it. The bytes that arrive meanwhile belong to the reply, so they stay undecided and
//! are taken out of the pipe here.

use bytes::Bytes;

use super::relay::Happening;
use super::wire::{Arrival, Pipe};
use super::{End, Session};
use crate::protocol::capabilities::Capabilities;
use crate::protocol::frame::{HEADER_BYTES, Head, Header, peek_packet};
use crate::protocol::ok::{self, Error, status};
use crate::protocol::query;
use crate::protocol::reader::Reader;
use crate::protocol::session_state::{self, Entry};
use crate::protocol::shape::{Expect, Kind, Place, Step, step};

/// The longest packet of a side statement's reply.
const PACKET_MAX_BYTES: usize = 1 << 20;
/// The most rows.
const ROWS_MAX: usize = 70_000;

/// One row of text values.
pub(crate) type Row = Vec<Option<Vec<u8>>>;

/// The reply to a side statement.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// OK, with the packet's payload.
    Ok { payload: Bytes, ok: ok::Ok },
    /// An error, with the packet's payload.
    Err { payload: Bytes, error: Error },
    /// Rows.
    Rows(Vec<Row>),
}

impl Reply {
    /// The first row's values.
    pub(crate) fn into_first_row(self) -> Option<Row> {
        match self {
            Self::Rows(rows) => rows.into_iter().next(),
            Self::Ok { .. } | Self::Err { .. } => None,
        }
    }

    /// The error number, if it is an error.
    pub(crate) fn error_code(&self) -> Option<u16> {
        match self {
            Self::Err { error, .. } => Some(error.code),
            Self::Ok { .. } | Self::Rows(_) => None,
        }
    }
}

/// Reads one reply out of the pipe, packet by packet.
#[derive(Debug)]
pub(crate) struct ReplyReader {
    capabilities: Capabilities,
    place: Place,
    rows: Vec<Row>,
    found: Option<Reply>,
    status: Option<u16>,
    /// What it told of the session.
    told: Vec<Entry>,
    /// The packets around the rows, where they are wanted.
    around: Option<Vec<Bytes>>,
}

impl ReplyReader {
    pub(super) fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            place: Place::First,
            rows: Vec::new(),
            found: None,
            status: None,
            told: Vec::new(),
            around: None,
        }
    }

    /// Keeps the packets around the rows, too.
    pub(crate) fn with_packets(mut self) -> Self {
        self.around = Some(Vec::new());
        self
    }

    /// The packets around the rows: the last one stands behind them.
    pub(crate) fn into_packets(self) -> Vec<Bytes> {
        self.around.unwrap_or_default()
    }

    /// Reads on; `Some` is the whole reply.
    pub(super) fn read(&mut self, pipe: &mut Pipe) -> Result<Option<Reply>, End> {
        while let Some((header, payload)) = peek_packet(pipe.undecided()) {
            let seen = step(Expect::Query, self.place, &Head::of(payload), self.capabilities);
            self.keep(seen.kind, payload)?;
            self.status = seen.status.or(self.status);
            if seen
                .status
                .is_some_and(|flags| flags & status::SESSION_STATE_CHANGED != 0)
            {
                session_state::collect(&mut self.told, payload);
            }
            pipe.discard(HEADER_BYTES + header.length);
            match seen.step {
                Step::At(place) => self.place = place,
                Step::Lost | Step::DoneOrRow => {
                    return Err(End::Protocol("the reply to a side statement is not understood"));
                }
                Step::Done => {
                    let rows = std::mem::take(&mut self.rows);
                    return Ok(Some(self.found.take().unwrap_or(Reply::Rows(rows))));
                }
            }
        }
        match Header::peek(pipe.undecided()) {
            Some(header) if header.length > PACKET_MAX_BYTES => {
                Err(End::Protocol("a side statement's reply is too long"))
            }
            _ => Ok(None),
        }
    }

    fn keep(&mut self, kind: Kind, payload: &[u8]) -> Result<(), End> {
        match kind {
            Kind::Ok => {
                let ok = ok::Ok::parse(payload).unwrap_or_default();
                self.found = Some(Reply::Ok {
                    payload: Bytes::copy_from_slice(payload),
                    ok,
                });
            }
            Kind::Error => {
                let error = Error::parse(payload).ok_or(End::Protocol("an ERR packet is cut short"))?;
                self.found = Some(Reply::Err {
                    payload: Bytes::copy_from_slice(payload),
                    error,
                });
            }
            Kind::Row if self.rows.len() < ROWS_MAX => {
                self.rows
                    .push(row(payload).ok_or(End::Protocol("a row is cut short"))?);
            }
            Kind::Other => {
                if let Some(around) = &mut self.around {
                    around.push(Bytes::copy_from_slice(payload));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn row(payload: &[u8]) -> Option<Row> {
    let mut reader = Reader::new(payload);
    let mut values = Vec::new();
    while !reader.rest().is_empty() {
        values.push(reader.text_value()?.map(<[u8]>::to_vec));
    }
    Some(values)
}

impl Session {
    /// Sends a side statement; `answered` reads its reply.
    pub(crate) fn send_aside(&mut self, sql: &str) -> ReplyReader {
        let payload = query::payload(sql, self.capabilities);
        self.wire.up.send(0, &payload);
        ReplyReader::new(self.capabilities)
    }

    /// The reply to the side statement sent last. Nothing is lost when this is dropped and called again.
    pub(crate) async fn answered(&mut self, reader: &mut ReplyReader) -> Result<Reply, End> {
        loop {
            if let Some(reply) = reader.read(&mut self.wire.down)? {
                self.tracker.status = reader.status.unwrap_or(self.tracker.status);
                session_state::merge(&mut self.untold, std::mem::take(&mut reader.told));
                self.settle();
                return Ok(reply);
            }
            self.attend().await?;
        }
    }

    /// Runs one side statement.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Reply, End> {
        let mut reader = self.send_aside(sql);
        self.answered(&mut reader).await
    }

    /// Waits until something happens while the client waits for the proxy: whoever leaves now ends the session.
    pub(crate) async fn attend(&mut self) -> Result<(), End> {
        if self.wire.up.ended {
            return Err(End::ClientLeft);
        }
        match self.happening().await {
            Happening::StopAsked => self.stopping = true,
            Happening::Stalled => return Err(End::Stalled),
            Happening::Arrived(Arrival::Client(_) | Arrival::Upstream(_)) => {}
            Happening::Arrived(Arrival::ClientEnded | Arrival::ClientGone) => return Err(End::ClientLeft),
            Happening::Arrived(Arrival::UpstreamEnded) => return Err(End::UpstreamLost),
        }
        Ok(())
    }

    /// Whether the proxy is shutting down.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_text_values() {
        assert_eq!(
            row(b"\x01a\xfb\0"),
            Some(vec![Some(b"a".to_vec()), None, Some(vec![])])
        );
        assert_eq!(row(b"\x05a"), None);
        assert_eq!(row(b"\xff"), None);
    }
}
