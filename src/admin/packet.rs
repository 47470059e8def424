//! Packets as the endpoint sends and takes them outside of opensrv: four bytes of header, then at most
//! [`MAX_PAYLOAD_BYTES`].

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// No client has a reason to send an admin endpoint more than this.
pub(super) const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

pub(super) const HEADER_BYTES: usize = 4;

/// A packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// How many bytes follow.
    pub(super) payload_bytes: usize,
    /// The sequence id.
    pub(super) sequence: u8,
}

impl Header {
    pub(super) fn parse([low, middle, high, sequence]: [u8; HEADER_BYTES]) -> Self {
        let payload_bytes = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        Self {
            payload_bytes,
            sequence,
        }
    }
}

/// An error as the client is to hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: u16,
    state: &'static str,
    text: &'static str,
}

pub(super) const TOO_MANY_CONNECTIONS: Refusal = Refusal {
    code: 1040,
    state: "08004",
    text: "Too many connections to the admin endpoint",
};
pub(super) const BAD_HANDSHAKE: Refusal = Refusal {
    code: 1043,
    state: "08S01",
    text: "Bad handshake",
};
pub(super) const NO_SCHEMAS: Refusal = Refusal {
    code: 1049,
    state: "42000",
    text: "The admin endpoint has no schemas: connect without one",
};
pub(super) const UNKNOWN_COMMAND: Refusal = Refusal {
    code: 1047,
    state: "08S01",
    text: "The admin endpoint does not know this command",
};
pub(super) const NO_PREPARED_STATEMENTS: Refusal = Refusal {
    code: 1295,
    state: "HY000",
    text: "The admin endpoint has no prepared statements",
};
pub(super) const NOT_UTF8: Refusal = Refusal {
    code: 1300,
    state: "HY000",
    text: "Invalid utf8mb4 character string",
};
pub(super) const TOO_LONG: Refusal = Refusal {
    code: 1153,
    state: "08S01",
    text: "Got a packet bigger than 65536 bytes",
};
pub(super) const OUT_OF_ORDER: Refusal = Refusal {
    code: 1156,
    state: "08S01",
    text: "Got packets out of order",
};

impl Refusal {
    /// The ERR payload.
    pub(super) fn payload(&self) -> Vec<u8> {
        error_payload(self.code, self.state, self.text)
    }
}

/// An ERR payload.
pub(super) fn error_payload(code: u16, state: &str, text: &str) -> Vec<u8> {
    let mut payload = vec![0xff];
    payload.extend(code.to_le_bytes());
    payload.push(b'#');
    payload.extend(state.as_bytes());
    payload.extend(text.as_bytes());
    payload
}

/// An OK payload: nothing affected, autocommit on.
pub(super) fn ok_payload() -> Vec<u8> {
    vec![0, 0, 0, 2, 0, 0, 0]
}

/// `payload` behind its header. What the endpoint says by itself is far shorter than a header can count.
pub(super) fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [low, middle, high, ..] = payload.len().to_le_bytes();
    let mut packet = vec![low, middle, high, sequence];
    packet.extend(payload);
    packet
}

/// Reads one packet of the login: exactly its bytes, none of the next one's.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), sequence: u8) -> io::Result<Vec<u8>> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let header = Header::parse(header);
    if header.sequence != sequence || header.payload_bytes > MAX_PAYLOAD_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a packet of a login",
        ));
    }
    let mut payload = vec![0; header.payload_bytes];
    stream.read_exact(&mut payload).await?;
    Ok(payload)
}

/// Writes one packet of the login.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    sequence: u8,
    payload: &[u8],
) -> io::Result<()> {
    stream.write_all(&framed(sequence, payload)).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let packet = framed(3, &[7; 300]);
        let header = Header::parse(packet[..4].try_into().unwrap());
        assert_eq!(
            header,
            Header {
                payload_bytes: 300,
                sequence: 3
            }
        );
        assert_eq!(Header::parse([255; 4]).payload_bytes, 0xff_ffff);
    }
}
