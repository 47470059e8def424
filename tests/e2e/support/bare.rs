//! A client made of bare packets, which can do what no driver does.

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::DEADLINE;

/// A client of bare packets that may send a header first.
pub(crate) struct Bare(pub(crate) TcpStream);

/// How a login ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Entered,
    Refused(u16, String),
    Closed,
}

impl Bare {
    pub(crate) async fn connect(port: u16, header: &[u8]) -> Result<Bare> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(header).await?;
        Ok(Bare(stream))
    }

    /// One packet; `None` at the end.
    pub(crate) async fn packet(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        let read = async {
            let mut header = [0; 4];
            self.0.read_exact(&mut header).await?;
            let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await?;
            Ok::<_, std::io::Error>((header[3], payload))
        };
        // A server that closes with bytes unread resets the connection; both are an end.
        Ok(tokio::time::timeout(DEADLINE, read)
            .await
            .context("the connection hangs")?
            .ok())
    }

    pub(crate) async fn send(&mut self, sequence: u8, payload: &[u8]) {
        let header = (payload.len() as u32 | u32::from(sequence) << 24).to_le_bytes();
        // Who has been refused already is told by what it reads.
        let _ = self.0.write_all(&[&header[..], payload].concat()).await;
    }

    /// Logs in without a password.
    pub(crate) async fn login(&mut self, user: &str) -> Result<Login> {
        let Some((_, greeting)) = self.packet().await? else {
            return Ok(Login::Closed);
        };
        if greeting[0] == 0xff {
            return Ok(refused(&greeting));
        }
        let capabilities: u32 = 0x0200 | 0x8000 | 0x0008_0000 | 1;
        let mut response = capabilities.to_le_bytes().to_vec();
        response.extend([0, 0, 0, 1, 45]);
        response.extend([0; 23]);
        response.extend(user.as_bytes());
        response.extend(b"\0\0mysql_native_password\0");
        self.send(1, &response).await;
        loop {
            match self.packet().await? {
                None => return Ok(Login::Closed),
                Some((_, payload)) if payload[0] == 0 => return Ok(Login::Entered),
                Some((_, payload)) if payload[0] == 0xff => return Ok(refused(&payload)),
                Some((sequence, payload)) if payload[0] == 0xfe => self.send(sequence + 1, b"").await,
                Some((_, payload)) => bail!("{payload:x?}"),
            }
        }
    }

    /// Sends a text.
    pub(crate) async fn query(&mut self, sql: &str) {
        self.send(0, &[b"\x03", sql.as_bytes()].concat()).await;
    }

    /// Sends bytes as they are.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// All packets until the connection ends.
    pub(crate) async fn until_the_end(&mut self) -> Result<Vec<(u8, Vec<u8>)>> {
        let mut packets = Vec::new();
        while let Some(packet) = self.packet().await? {
            packets.push(packet);
        }
        Ok(packets)
    }

    /// The one value of one row.
    pub(crate) async fn value(&mut self, sql: &str) -> Result<String> {
        self.send(0, &[b"\x03", sql.as_bytes()].concat()).await;
        let mut packets = Vec::new();
        for _ in 0..5 {
            let (_, payload) = self.packet().await?.context("the connection ended")?;
            ensure!(payload[0] != 0xff, "{:?}", refused(&payload));
            packets.push(payload);
        }
        Ok(String::from_utf8_lossy(&packets[3][1..]).into_owned())
    }
}

pub(crate) fn refused(payload: &[u8]) -> Login {
    let code = u16::from_le_bytes([payload[1], payload[2]]);
    let text = String::from_utf8_lossy(&payload[3..]).into_owned();
    let message = text.strip_prefix('#').map_or(text.as_str(), |text| &text[5..]);
    Login::Refused(code, message.to_owned())
}
