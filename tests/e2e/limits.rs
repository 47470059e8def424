//! What does not fit, comes too slowly, stops reading, or dies: the client hears what it would hear from the server, and
//! nothing stays behind on either side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Bare, DEADLINE, Login, eventually, refused};

crate::both!(
    too_many_clients,
    slow_logins,
    idle_sessions,
    long_packets,
    half_closed_connections,
    a_client_that_reads_nothing,
    a_server_that_reads_nothing,
    whoever_leaves_leaves_nothing,
    a_server_that_dies,
);

/// Nothing but clients' connections, so that they can be counted.
const PLAIN: [&str; 2] = ["--strategy", "native"];

async fn rig(flavor: Flavor, options: &[&str]) -> Result<(Server, Alterego)> {
    let mut settings = Options::relaxed();
    for option in options {
        settings = settings.arg(*option);
    }
    let server = Server::start(flavor, &settings).await?;
    let mut root = server.root().await?;
    root.query_drop("CREATE USER anyone@'%'").await?;
    let proxy = Alterego::start(&server, &PLAIN, &[]).await?;
    Ok((server, proxy))
}

async fn entered(port: u16) -> Result<Bare> {
    let mut client = Bare::connect(port, b"").await?;
    let login = client.login("anyone").await?;
    ensure!(login == Login::Entered, "{login:?}");
    Ok(client)
}

/// The first packet is an error in the greeting's place.
async fn is_full(port: u16) -> Result<Option<(u8, Vec<u8>)>> {
    let first = Bare::connect(port, b"").await?.packet().await?;
    Ok(first.filter(|(_, payload)| payload[0] == 0xff))
}

async fn too_many_clients(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let mut root = server.root().await?;
    root.query_drop("CREATE USER anyone@'%'").await?;
    let args = [&PLAIN[..], &["--max-clients", "2"]].concat();
    let proxy = Alterego::start(&server, &args, &[]).await?;
    let one = entered(proxy.port()).await?;
    let _other = entered(proxy.port()).await?;
    let told = is_full(proxy.port())
        .await?
        .context("a third client is welcome")?;
    // As the server says it.
    root.query_drop("SET GLOBAL max_connections=10").await?;
    let mut waiting = Vec::new();
    let said = loop {
        ensure!(waiting.len() < 20, "the server takes any number");
        let mut client = Bare::connect(server.port(), b"").await?;
        let first = client.packet().await?.context("no greeting")?;
        if first.1[0] == 0xff {
            break first;
        }
        waiting.push(client);
    };
    ensure!(told == said, "{told:x?} is not {said:x?}");
    drop(waiting);
    drop(one);
    eventually("there is room again", async || {
        Ok(is_full(proxy.port()).await?.is_none().then_some(()))
    })
    .await
}

/// What a client hears that sends so much of its response and no more.
async fn silence_after(port: u16, bytes: &[u8]) -> Result<Vec<(u8, Vec<u8>)>> {
    let mut client = Bare::connect(port, b"").await?;
    client.packet().await?.context("no greeting")?;
    client.raw(bytes).await;
    client.until_the_end().await
}

async fn slow_logins(flavor: Flavor) -> Result<()> {
    let (server, proxy) = rig(flavor, &["--connect-timeout=2"]).await?;
    for bytes in [&b""[..], b"\x50\0\0"] {
        let told = silence_after(proxy.port(), bytes).await?;
        let said = silence_after(server.port(), bytes).await?;
        ensure!(told == said, "{bytes:?}: {told:x?} is not {said:x?}");
    }
    // The server does not see that a response has begun, which shows in the packet's number only.
    let codes = |packets: Vec<(u8, Vec<u8>)>| -> Vec<Login> {
        packets.iter().map(|(_, payload)| refused(payload)).collect()
    };
    let cut = b"\x50\0\0\x01abc";
    let told = codes(silence_after(proxy.port(), cut).await?);
    let said = codes(silence_after(server.port(), cut).await?);
    ensure!(told == said, "{told:?} is not {said:?}");
    Ok(())
}

async fn idle_sessions(flavor: Flavor) -> Result<()> {
    let (server, proxy) = rig(flavor, &[]).await?;
    let idle = async |port: u16, begun: &[u8]| -> Result<Vec<(u8, Vec<u8>)>> {
        let mut client = entered(port).await?;
        client.query("SET wait_timeout=1").await;
        client.packet().await?.context("no OK")?;
        client.raw(begun).await;
        client.until_the_end().await
    };
    let told = idle(proxy.port(), b"").await?;
    let said = idle(server.port(), b"").await?;
    ensure!(told == said, "{told:x?} is not {said:x?}");
    // Only a part of a header, a header only, and a part of a text that may be an ALTER.
    for begun in [&b"\x50\0\0"[..], b"\x50\0\0\0", b"\x50\0\0\0\x03ALTER TA"] {
        idle(proxy.port(), begun).await?;
    }
    Ok(())
}

async fn long_packets(flavor: Flavor) -> Result<()> {
    let (server, proxy) = rig(flavor, &["--max-allowed-packet=1M"]).await?;
    let too_long = Login::Refused(
        1153,
        "Got a packet bigger than 'max_allowed_packet' bytes".to_owned(),
    );
    for port in [server.port(), proxy.port()] {
        let mut client = entered(port).await?;
        let sql = format!("SELECT {}", "1".repeat(2 << 20));
        client.query(&sql).await;
        let told = client.until_the_end().await?;
        let told: Vec<_> = told.iter().map(|(_, payload)| refused(payload)).collect();
        ensure!(told == [too_long.clone()], "{told:?}");

        let mut client = Bare::connect(port, b"").await?;
        client.packet().await?.context("no greeting")?;
        client
            .raw(&[&b"\xff\xff\x4f\x01"[..], &[b'x'; 2000]].concat())
            .await;
        let told = client.until_the_end().await?;
        ensure!(told.len() == 1 && told[0].0 == 2, "{told:x?}");
        ensure!(refused(&told[0].1) == too_long, "{told:x?}");
    }
    Ok(())
}

/// The client says that it will send no more, and gets all that it has asked for.
async fn half_closed_connections(flavor: Flavor) -> Result<()> {
    let (server, proxy) = rig(flavor, &[]).await?;
    let mut heard = Vec::new();
    for port in [server.port(), proxy.port()] {
        let mut client = entered(port).await?;
        client.query("SELECT SLEEP(1), REPEAT('x', 3000000)").await;
        client.query("SELECT 2").await;
        client.0.shutdown().await?;
        heard.push(client.until_the_end().await?);
    }
    ensure!(
        heard[0] == heard[1],
        "{} packets are not {}",
        heard[0].len(),
        heard[1].len()
    );
    ensure!(heard[0].len() >= 10, "{}", heard[0].len());
    Ok(())
}

fn resident_kib(proxy: &mut Alterego) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// More than the buffers of a session, and far less than what is sent.
const GROWTH_MAX_KIB: u64 = 12 << 10;

async fn sessions_of_anyone(server: &Server) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'anyone'";
    server.root().await?.query_first(sql).await?.context("no count")
}

/// The server's own limit ends it, because the server is held up as it would be by the client itself.
async fn a_client_that_reads_nothing(flavor: Flavor) -> Result<()> {
    let (server, mut proxy) = rig(flavor, &["--net-write-timeout=2", "--max-allowed-packet=64M"]).await?;
    entered(proxy.port()).await?;
    let files = Files::of(&mut proxy);
    let (before, at_rest) = (resident_kib(&mut proxy)?, files.count()?);
    let mut client = entered(proxy.port()).await?;
    let sql = "SELECT REPEAT('x', 30000000) UNION ALL SELECT REPEAT('y', 30000000) UNION ALL SELECT REPEAT('z', 30000000)";
    client.query(sql).await;
    eventually("the server gives up", async || {
        Ok((sessions_of_anyone(&server).await? == 0).then_some(()))
    })
    .await?;
    let growth = resident_kib(&mut proxy)?.saturating_sub(before);
    ensure!(growth < GROWTH_MAX_KIB, "{growth} KiB more");
    let mut rest = Vec::new();
    let read = tokio::time::timeout(DEADLINE, client.0.read_to_end(&mut rest)).await;
    read.context("the client's connection does not end")?.ok();
    ensure!(rest.len() < 90_000_000, "everything came: {}", rest.len());
    files.come_to(at_rest).await
}

/// Commands pile up behind one that takes its time: the client is held up, and then all are answered.
async fn a_server_that_reads_nothing(flavor: Flavor) -> Result<()> {
    const CLOSES: usize = 4_000_000;
    const PARTS: usize = 1000;
    let (server, mut proxy) = rig(flavor, &[]).await?;
    let mut holder = server.root().await?;
    holder.query_drop("DO GET_LOCK('held', 0)").await?;
    entered(proxy.port()).await?;
    let before = resident_kib(&mut proxy)?;
    let mut client = entered(proxy.port()).await?;
    client.query("SELECT GET_LOCK('held', 1000)").await;
    let (mut reader, mut writer) = client.0.into_split();
    let parts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&parts);
    let sender = tokio::spawn(async move {
        // An unknown statement is closed: a command of nine bytes that is not answered.
        let closes = b"\x05\0\0\0\x19\xff\xff\xff\x7f".repeat(CLOSES / PARTS);
        for _ in 0..PARTS {
            writer.write_all(&closes).await?;
            counter.fetch_add(1, Ordering::Relaxed);
        }
        writer.write_all(b"\x01\0\0\0\x0e").await?;
        Ok::<_, std::io::Error>(writer)
    });
    let mut sent = 0;
    while sent == 0 || parts.load(Ordering::Relaxed) != sent {
        sent = parts.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    ensure!(sent < PARTS, "36 MB are somewhere");
    let growth = resident_kib(&mut proxy)?.saturating_sub(before);
    ensure!(growth < GROWTH_MAX_KIB, "{growth} KiB more");
    holder.query_drop("DO RELEASE_LOCK('held')").await?;
    let mut answers = Vec::new();
    let ok = b"\x07\0\0\x01\0\0\0\x02\0\0\0";
    while !answers.ends_with(ok) {
        let read = tokio::time::timeout(DEADLINE, reader.read_buf(&mut answers)).await;
        ensure!(
            read.context("no answer")?? > 0,
            "the connection ended: {answers:x?}"
        );
    }
    drop(sender.await??);
    Ok(())
}

/// The open files of a process.
struct Files(u32);

impl Files {
    fn of(proxy: &mut Alterego) -> Files {
        Files(proxy.id())
    }

    fn count(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    async fn come_to(&self, count: usize) -> Result<()> {
        let mut seen = 0;
        let come = eventually("the files are closed", async || {
            seen = self.count()?;
            Ok((seen <= count).then_some(()))
        });
        come.await
            .with_context(|| format!("{seen} files, {count} before"))
    }
}

async fn whoever_leaves_leaves_nothing(flavor: Flavor) -> Result<()> {
    let (server, mut proxy) = rig(flavor, &[]).await?;
    entered(proxy.port()).await?;
    let files = Files::of(&mut proxy);
    eventually("the first client is gone", async || {
        Ok((sessions_of_anyone(&server).await? == 0).then_some(()))
    })
    .await?;
    let at_rest = files.count()?;
    let (mut killer, mut killed) = (server.root().await?, Vec::new());
    for round in 0..20 {
        let mut quits = entered(proxy.port()).await?;
        quits.send(0, b"\x01").await;
        drop(entered(proxy.port()).await?);
        let resets = entered(proxy.port()).await?;
        SockRef::from(&resets.0).set_linger(Some(Duration::ZERO))?;
        drop(resets);
        // In the middle of a login, of a packet, of a result, and before anything.
        drop(Bare::connect(proxy.port(), b"").await?);
        let mut begins = Bare::connect(proxy.port(), b"\x50\0").await?;
        begins.packet().await?;
        drop(begins);
        let mut asks = entered(proxy.port()).await?;
        asks.query("SELECT REPEAT('x', 3000000)").await;
        asks.packet().await?;
        drop(asks);
        let mut sleeps = entered(proxy.port()).await?;
        sleeps.query(&format!("SELECT SLEEP(100 + {round})")).await;
        killed.push(sleeps);
    }
    eventually("the sleepers are killed", async || {
        let sql = "SELECT id FROM information_schema.processlist WHERE user = 'anyone'";
        let ids: Vec<u64> = killer.query(sql).await?;
        for id in &ids {
            killer.query_drop(format!("KILL {id}")).await.ok();
        }
        Ok(ids.is_empty().then_some(()))
    })
    .await?;
    for mut client in killed {
        client.until_the_end().await?;
    }
    files.come_to(at_rest).await?;
    ensure!(sessions_of_anyone(&server).await? == 0);
    Ok(())
}

/// A client in mid-result, one in mid-statement and an idle one: each connection ends, as a direct one does. Then nobody
/// is there, and then the server is back.
async fn a_server_that_dies(flavor: Flavor) -> Result<()> {
    let (mut server, mut proxy) = rig(flavor, &["--max-allowed-packet=64M"]).await?;
    entered(proxy.port()).await?;
    let files = Files::of(&mut proxy);
    let at_rest = files.count()?;
    let mut clients = Vec::new();
    for port in [server.port(), proxy.port()] {
        let mut in_result = entered(port).await?;
        in_result.query("SELECT REPEAT('x', 60000000)").await;
        let (_, count) = in_result.packet().await?.context("no result")?;
        ensure!(count == [1], "{count:x?}");
        let mut in_statement = entered(port).await?;
        in_statement.query("SELECT SLEEP(1000)").await;
        clients.push([in_result, in_statement, entered(port).await?]);
    }
    server.kill();
    for mut client in clients.into_iter().flatten() {
        let rest = client.until_the_end().await?;
        let is_error = |(_, payload): &(u8, Vec<u8>)| payload.first() == Some(&0xff);
        ensure!(!rest.iter().any(is_error), "an error came from nowhere");
    }
    files.come_to(at_rest).await?;
    let refusal = is_full(proxy.port()).await?.context("somebody answers")?.1;
    ensure!(
        matches!(refused(&refusal), Login::Refused(1429, _)),
        "{refusal:x?}"
    );
    server.restart().await?;
    ensure!(entered(proxy.port()).await?.value("SELECT 6 * 7").await? == "42");
    files.come_to(at_rest).await
}
