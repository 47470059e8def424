//! A proxy in front of a private server, hooks that are told what to answer, and a client made of bare packets.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use alterego_proxy::hooks::{Answer, Attempt, Grid, Held, Hooks, Question, ReadMode, Request, Verdict};
use alterego_proxy::{Gate, Listeners, ProxyConfig, Upstream, run};
use alterego_testkit::{Flavor, Options, Server};
use anyhow::{Context, Result};
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) type Alter =
    Arc<dyn Fn(Request, Held) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Hooks that catch `ALTER TABLE name …` and answer with a function.
pub(crate) struct TestHooks(pub(crate) Alter);

#[async_trait::async_trait]
impl Hooks for TestHooks {
    fn inspect(&self, sql: &str, _: ReadMode) -> Verdict {
        let mut words = sql.split_whitespace();
        let is_alter = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("ALTER"))
            && words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("TABLE"));
        let Some(name) = words.next().filter(|_| is_alter) else {
            return Verdict::Unrelated;
        };
        let rest: Vec<&str> = words.collect();
        let (schema, table) = match name.split_once('.') {
            Some((schema, table)) => (Some(schema.to_owned()), table.to_owned()),
            None => (None, name.to_owned()),
        };
        Verdict::Ask(Question {
            schema,
            table,
            first: Attempt {
                sql: format!("ALTER TABLE {name} ALGORITHM=INSTANT, {}", rest.join(" ")),
                declined_codes: vec![1845, 1846, 4092],
                declined_text: None,
            },
            second: None,
            afterwards: Vec::new(),
        })
    }

    async fn alter(&self, request: Request, held: Held) -> Answer {
        (self.0)(request, held).await
    }

    async fn migrations(&self) -> Grid {
        Grid {
            columns: vec!["id".into(), "table".into()],
            rows: vec![
                vec![Some("1".into()), Some("app.t".into())],
                vec![Some("2".into()), None],
            ],
        }
    }
}

/// An answer that is there at once.
pub(crate) fn always(answer: Answer) -> Alter {
    Arc::new(move |_, _| {
        let answer = answer.clone();
        Box::pin(async move { answer })
    })
}

/// Hooks that leave everything to the server.
pub(crate) fn native() -> Alter {
    always(Answer::Native {
        reason: "the test says so".into(),
        record: None,
    })
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) tcp: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) gate: Gate,
    pub(crate) task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: Upstream, alter: Alter) -> Result<Proxy> {
        Self::start_with(ProxyConfig::new(upstream), alter).await
    }

    pub(crate) async fn start_with(config: ProxyConfig, alter: Alter) -> Result<Proxy> {
        Self::with_hooks(config, Arc::new(TestHooks(alter))).await
    }

    /// The configuration of a proxy in front of a server.
    pub(crate) fn config(server: &Server) -> ProxyConfig {
        ProxyConfig::new(Upstream {
            host: "127.0.0.1".into(),
            port: server.port(),
        })
    }

    pub(crate) async fn with_hooks(config: ProxyConfig, hooks: Arc<dyn Hooks>) -> Result<Proxy> {
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let address = tcp.local_addr()?;
        let socket = std::env::temp_dir().join(format!(
            "alterego-proxy-{}-{}.sock",
            std::process::id(),
            address.port()
        ));
        let unix = UnixListener::bind(&socket)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let gate = Gate::default();
        let listeners = Listeners {
            tcp: Some(tcp),
            unix: Some(unix),
            ..Listeners::default()
        };
        let task = tokio::spawn(run(listeners, config, hooks, gate.clone(), async {
            let _ = stopped.await;
        }));
        Ok(Proxy {
            tcp: address,
            socket,
            gate,
            task,
            stop: Some(stop),
        })
    }

    /// A proxy in front of a server, by TCP.
    pub(crate) async fn of(server: &Server, alter: Alter) -> Result<Proxy> {
        Self::start_with(Self::config(server), alter).await
    }

    pub(crate) fn ask_to_stop(&mut self) {
        self.stop.take();
    }

    pub(crate) fn tcp_opts(&self, user: &str, password: &str) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.tcp.port())
            .user(Some(user))
            .pass(Some(password).filter(|password| !password.is_empty()))
            .prefer_socket(false)
    }

    pub(crate) fn unix_opts(&self, user: &str, password: &str) -> OptsBuilder {
        OptsBuilder::default()
            .socket(self.socket.to_str())
            .user(Some(user))
            .pass(Some(password).filter(|password| !password.is_empty()))
    }

    pub(crate) async fn root(&self) -> Result<Conn> {
        Conn::new(Opts::from(self.tcp_opts("root", "")))
            .await
            .context("root cannot log in through the proxy")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Starts a server with a schema `app`.
pub(crate) async fn server(flavor: Flavor) -> Result<Server> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let mut root = server.root().await?;
    mysql_async::prelude::Queryable::query_drop(&mut root, "CREATE DATABASE app").await?;
    root.disconnect().await?;
    Ok(server)
}

/// Capabilities of the bare client.
pub(crate) const BASE: u32 =
    0x0200 | 0x8000 | 0x0008_0000 | 0x0002_0000 | 0x0001_0000 | 0x0004_0000 | 0x80 | 1 | 8;
pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;
pub(crate) const QUERY_ATTRIBUTES: u32 = 1 << 27;
pub(crate) const OPTIONAL_METADATA: u32 = 1 << 25;
/// A MariaDB client's: bit 0 cleared, so that the extended bits count.
pub(crate) const MARIADB: u32 = BASE & !1;

/// A client that sends and reads bare packets.
pub(crate) struct Raw {
    stream: TcpStream,
    pub(crate) connection_id: u32,
}

impl Raw {
    /// Has been greeted, with this challenge.
    pub(crate) async fn greeted(address: SocketAddr) -> Result<(Raw, Vec<u8>)> {
        let stream = TcpStream::connect(address).await?;
        let mut raw = Raw {
            stream,
            connection_id: 0,
        };
        let (_, greeting) = raw.packet().await?;
        let end = greeting
            .iter()
            .skip(1)
            .position(|byte| *byte == 0)
            .context("no version")?
            + 2;
        raw.connection_id = u32::from_le_bytes(greeting[end..end + 4].try_into()?);
        let nonce = [&greeting[end + 4..end + 12], &greeting[end + 31..end + 43]].concat();
        Ok((raw, nonce))
    }

    /// Logs in as root (who has no password) to the schema `app`.
    pub(crate) async fn connect(address: SocketAddr, base: u32, extended: u32) -> Result<Raw> {
        let (mut raw, _) = Raw::greeted(address).await?;
        let mut response = response(base, extended);
        response.extend(b"root\0\0app\0mysql_native_password\0");
        raw.send(1, &response).await?;
        loop {
            let (sequence, packet) = raw.packet().await?;
            match packet[0] {
                0 => return Ok(raw),
                0xfe => raw.send(sequence + 1, b"").await?,
                _ => anyhow::bail!("login refused: {}", String::from_utf8_lossy(&packet)),
            }
        }
    }

    pub(crate) async fn send(&mut self, sequence: u8, payload: &[u8]) -> Result<()> {
        let mut sequence = sequence;
        let mut bytes = Vec::with_capacity(payload.len() + 8);
        let mut rest = payload;
        loop {
            let (frame, after) = rest.split_at(rest.len().min(0xff_ffff));
            bytes.extend(&(frame.len() as u32).to_le_bytes()[..3]);
            bytes.push(sequence);
            bytes.extend(frame);
            sequence = sequence.wrapping_add(1);
            rest = after;
            if frame.len() < 0xff_ffff {
                break;
            }
        }
        self.raw(&bytes).await
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Both halves of the connection.
    pub(crate) fn split(self) -> (tokio::net::tcp::OwnedReadHalf, tokio::net::tcp::OwnedWriteHalf) {
        self.stream.into_split()
    }

    /// One frame: its number and payload.
    pub(crate) async fn packet(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).await?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await?;
        Ok((header[3], payload))
    }

    /// Sends a command and reads frames until one is told to be the last.
    pub(crate) async fn ask(
        &mut self,
        payload: &[u8],
        is_last: impl Fn(usize, &[u8]) -> bool,
    ) -> Result<Vec<Vec<u8>>> {
        self.send(0, payload).await?;
        self.read_until(is_last).await
    }

    pub(crate) async fn read_until(
        &mut self,
        is_last: impl Fn(usize, &[u8]) -> bool,
    ) -> Result<Vec<Vec<u8>>> {
        let mut packets = Vec::new();
        loop {
            let (_, packet) = self.packet().await?;
            let last = is_last(packets.len(), &packet);
            packets.push(packet);
            if last {
                return Ok(packets);
            }
        }
    }

    /// Asks for one packet.
    pub(crate) async fn one(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        Ok(self.ask(payload, |_, _| true).await?.remove(0))
    }

    /// Asks for one OK.
    pub(crate) async fn ok(&mut self, sql: &str) -> Result<()> {
        let packet = self.one(&query(sql)).await?;
        anyhow::ensure!(packet[0] == 0, "{sql}: {}", String::from_utf8_lossy(&packet));
        Ok(())
    }
}

/// A handshake response up to the user's name, which is a request for TLS if `base` says so.
pub(crate) fn response(base: u32, extended: u32) -> Vec<u8> {
    let mut response = base.to_le_bytes().to_vec();
    response.extend([0, 0, 0, 64, 45]);
    response.extend([0; 19]);
    response.extend(extended.to_le_bytes());
    response
}

/// A `COM_QUERY` without attributes.
pub(crate) fn query(sql: &str) -> Vec<u8> {
    [&[3], sql.as_bytes()].concat()
}
