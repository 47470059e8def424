//! Relaying: every shape of reply, seen by drivers and by bare packets.

mod support;

use alterego_proxy::hooks::Answer;
use alterego_testkit::{Flavor, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use support::{
    BASE, DEPRECATE_EOF, MARIADB, OPTIONAL_METADATA, Proxy, QUERY_ATTRIBUTES, Raw, always, native, query,
    server,
};

const CAUGHT: &str = "Records: 7  Duplicates: 0  Warnings: 0";

/// Sends an ALTER that only the proxy answers so: the session is still followed, and not relayed blindly.
async fn is_followed(raw: &mut Raw, attributes: bool) -> Result<()> {
    let sql = "ALTER TABLE t MODIFY b BIGINT";
    let payload = if attributes {
        [b"\x03\0\x01", sql.as_bytes()].concat()
    } else {
        query(sql)
    };
    raw.send(0, &payload).await?;
    let (sequence, packet) = raw.packet().await?;
    ensure!(sequence == 1, "sequence {sequence}");
    ensure!(
        packet.ends_with(CAUGHT.as_bytes()),
        "not caught: {}",
        String::from_utf8_lossy(&packet)
    );
    Ok(())
}

fn answer() -> Answer {
    Answer::Ok {
        affected: 7,
        info: CAUGHT.into(),
        warning_count: 0,
        warnings: vec![],
    }
}

async fn prepare_server(flavor: Flavor) -> Result<Server> {
    let server = server(flavor).await?;
    let mut root = server.root().await?;
    for sql in [
        "USE app",
        "CREATE TABLE t (id INT PRIMARY KEY, b INT)",
        "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
        "CREATE TABLE l (b LONGBLOB)",
        "CREATE PROCEDURE two() BEGIN SELECT 1; SELECT id FROM t; END",
        "CREATE PROCEDURE fails() BEGIN SELECT 1; SELECT * FROM nowhere; END",
        "CREATE PROCEDURE outs(OUT x INT) BEGIN SELECT 5; SET x = 42; END",
    ] {
        root.query_drop(sql).await?;
    }
    root.disconnect().await?;
    Ok(server)
}

fn is_end(packet: &[u8]) -> bool {
    packet[0] == 0xfe && packet.len() < 20 || packet[0] == 0xff
}

/// Ends with the n-th packet that ends something.
fn ends(count: usize) -> impl Fn(usize, &[u8]) -> bool {
    let left = std::cell::Cell::new(count);
    move |_, packet| {
        if is_end(packet) {
            left.set(left.get() - 1);
        }
        left.get() == 0
    }
}

fn is_ok(_: usize, packet: &[u8]) -> bool {
    packet[0] == 0
}

async fn prepare(raw: &mut Raw, sql: &str, packets: usize) -> Result<[u8; 4]> {
    raw.send(0, &[b"\x16", sql.as_bytes()].concat()).await?;
    let reply = raw
        .read_until(|index, packet| packet[0] == 0xff || index + 1 == packets)
        .await?;
    ensure!(reply[0][0] == 0, "{sql}: {}", String::from_utf8_lossy(&reply[0]));
    Ok(reply[0][1..5].try_into()?)
}

fn execute(id: [u8; 4], flags: u8) -> Vec<u8> {
    [&[0x17], &id[..], &[flags], &[1, 0, 0, 0]].concat()
}

/// Every command and shape in one session, in one dialect; the session must be followed to the end.
async fn every_shape(proxy: &Proxy, base: u32, flavor: Flavor) -> Result<()> {
    let attributes = base & QUERY_ATTRIBUTES != 0;
    let modern = base & DEPRECATE_EOF != 0;
    let text = |sql: &str| {
        if attributes {
            [b"\x03\0\x01", sql.as_bytes()].concat()
        } else {
            query(sql)
        }
    };
    let ends_of_set = if modern { 1 } else { 2 };
    let mut raw = Raw::connect(proxy.tcp, base, 0).await?;

    raw.ask(&text("SELECT * FROM t"), ends(ends_of_set)).await?;
    raw.ask(&text("SELECT * FROM t WHERE id < 0"), ends(ends_of_set))
        .await?;
    raw.ask(&text("SELECT * FROM nowhere"), ends(1)).await?;
    raw.ask(&text("SELECT 1; SELECT 2; DO 0"), is_ok).await?;
    raw.ask(&text("CALL two()"), is_ok).await?;
    raw.ask(&text("CALL fails()"), |_, packet| packet[0] == 0xff)
        .await?;
    is_followed(&mut raw, attributes).await?;

    // Statistics, ping, a schema, options, a reset, a field list, unknown and empty commands.
    for command in [
        &b"\x09"[..],
        b"\x0e",
        b"\x02app",
        b"\x1b\0\0",
        b"\x1b\x01\0",
        b"\x1f",
        b"\x02app",
        b"\x3f",
        b"",
    ] {
        raw.one(command).await?;
    }
    raw.ask(b"\x04t\0", ends(1)).await?;
    raw.ask(b"\x04nowhere\0", ends(1)).await?;
    is_followed(&mut raw, attributes).await?;

    // Prepared: plain, with a cursor and fetches, with OUT parameters, failing.
    let definitions = if modern { 3 } else { 4 };
    let id = prepare(&mut raw, "SELECT id, b FROM t", definitions).await?;
    raw.ask(&execute(id, 0), ends(ends_of_set)).await?;
    raw.ask(&execute(id, 1), ends(1)).await?;
    for _ in 0..3 {
        raw.ask(&[b"\x1c", &id[..], &[2, 0, 0, 0]].concat(), ends(1))
            .await?;
    }
    is_followed(&mut raw, attributes).await?;
    raw.one(&[b"\x1a", &id[..]].concat()).await?;
    raw.send(0, &[b"\x19", &id[..]].concat()).await?;
    raw.one(b"\x16SELECT * FROM nowhere").await?;
    is_followed(&mut raw, attributes).await?;
    let parameters = if modern { 2 } else { 3 };
    let id = prepare(&mut raw, "CALL outs(?)", parameters).await?;
    let call = [&execute(id, 0)[..], &[0, 1, 3, 0, 0, 0, 0, 0]].concat();
    raw.ask(&call, is_final_ok).await?;
    is_followed(&mut raw, attributes).await?;

    // A text that ends in the middle of a packet, and one that comes byte by byte.
    let bytes = [&[0x17, 0, 0, 0][..], b"\x03 /* c */ ALTER TABLE t"].concat();
    if !attributes {
        for byte in bytes {
            raw.raw(&[byte]).await?;
            tokio::task::yield_now().await;
        }
        let (_, packet) = raw.packet().await?;
        ensure!(packet[0] == 0 || packet[0] == 0xff);
        is_followed(&mut raw, attributes).await?;
    }

    // Pipelined commands, an ALTER in the middle of them.
    let mut bytes = Vec::new();
    for payload in [
        text("SELECT 1"),
        text("ALTER TABLE t MODIFY b BIGINT"),
        b"\x0e".to_vec(),
    ] {
        bytes.extend(&(payload.len() as u32).to_le_bytes()[..3]);
        bytes.push(0);
        bytes.extend(payload);
    }
    raw.raw(&bytes).await?;
    raw.read_until(ends(ends_of_set)).await?;
    let (_, packet) = raw.packet().await?;
    ensure!(
        packet.ends_with(CAUGHT.as_bytes()),
        "{flavor}: not caught in a pipeline"
    );
    ensure!(raw.packet().await?.1[0] == 0);
    is_followed(&mut raw, attributes).await
}

/// The OK after OUT parameters, which is no binary row: shorter than any, and its own packet at the end.
fn is_final_ok(_: usize, packet: &[u8]) -> bool {
    packet[0] == 0xff || packet[0] == 0 && packet.len() == 7 && packet[3] & 2 != 0 && packet[4] & 0x10 == 0
}

#[tokio::test]
async fn every_shape_is_followed_in_every_dialect() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = prepare_server(flavor).await?;
        let proxy = Proxy::of(&server, always(answer())).await?;
        let base = if flavor == Flavor::MySql { BASE } else { MARIADB };
        let mut dialects = vec![base, base | DEPRECATE_EOF];
        if flavor == Flavor::MySql {
            dialects.push(base | QUERY_ATTRIBUTES);
            dialects.push(base | QUERY_ATTRIBUTES | DEPRECATE_EOF);
        }
        for dialect in dialects {
            let done = tokio::time::timeout(
                std::time::Duration::from_secs(30),
                every_shape(&proxy, dialect, flavor),
            );
            let done = done.await.context("stuck").and_then(|done| done);
            done.with_context(|| format!("{flavor} with {dialect:#x}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn metadata_may_be_left_out() -> Result<()> {
    let server = prepare_server(Flavor::MySql).await?;
    let proxy = Proxy::of(&server, always(answer())).await?;
    for eof in [0, DEPRECATE_EOF] {
        let mut raw = Raw::connect(proxy.tcp, BASE | OPTIONAL_METADATA | eof, 0).await?;
        let ends_of_set = if eof == 0 { 2 } else { 1 };
        raw.ask(&query("SELECT * FROM t"), ends(ends_of_set)).await?;
        raw.ok("SET resultset_metadata=NONE").await?;
        raw.ask(&query("SELECT * FROM t"), ends(ends_of_set)).await?;
        let id = prepare(
            &mut raw,
            "SELECT id, b FROM t WHERE id > ?",
            if eof == 0 { 3 } else { 1 },
        )
        .await?;
        let with_parameter = [&execute(id, 0)[..], &[0, 1, 3, 0, 0, 0, 0, 0]].concat();
        raw.ask(&with_parameter, ends(ends_of_set)).await?;
        is_followed(&mut raw, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn mariadbs_own_commands_are_followed() -> Result<()> {
    let server = prepare_server(Flavor::MariaDb).await?;
    let proxy = Proxy::of(&server, always(answer())).await?;
    for eof in [0, DEPRECATE_EOF] {
        let mut raw = Raw::connect(proxy.tcp, MARIADB | eof, 1 | 4 | 8 | 16).await?;
        let ends_of_set = if eof == 0 { 2 } else { 1 };
        raw.ask(&query("SELECT * FROM t"), ends(ends_of_set)).await?;
        // PREPARE and EXECUTE(-1) in one segment, twice: the second time without definitions.
        for _ in 0..2 {
            let sql = b"\x16SELECT id, b FROM t";
            let mut bytes = [&[sql.len() as u8, 0, 0, 0][..], &sql[..]].concat();
            let run = execute([0xff; 4], 0);
            bytes.extend([run.len() as u8, 0, 0, 0]);
            bytes.extend(run);
            raw.raw(&bytes).await?;
            let packets = if eof == 0 { 4 } else { 3 };
            let reply = raw.read_until(|index, _| index + 1 == packets).await?;
            raw.read_until(ends(ends_of_set)).await?;
            let id: [u8; 4] = reply[0][1..5].try_into()?;
            raw.ask(&execute(id, 0), ends(ends_of_set)).await?;
            is_followed(&mut raw, false).await?;
        }
        // An insertion of two rows in one command.
        let id = prepare(&mut raw, "INSERT INTO l VALUES (?)", if eof == 0 { 3 } else { 2 }).await?;
        let bulk = [&[0xfa], &id[..], &[0x80, 0, 0xfd, 0, 0, 1, b'a', 0, 1, b'b']].concat();
        let reply = raw.one(&bulk).await?;
        ensure!(reply[0] == 0 && reply[1] == 2, "{reply:x?}");
        is_followed(&mut raw, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn files_of_the_client_are_followed() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = prepare_server(flavor).await?;
        let proxy = Proxy::of(&server, always(answer())).await?;
        let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
        raw.ok("CREATE TABLE f (a INT)").await?;
        let request = raw.one(&query("LOAD DATA LOCAL INFILE 'x' INTO TABLE f")).await?;
        ensure!(request[0] == 0xfb, "{}", String::from_utf8_lossy(&request));
        let mut sequence = 2u8;
        for line in 0..600 {
            raw.send(sequence, format!("{line}\n").as_bytes()).await?;
            sequence = sequence.wrapping_add(1);
        }
        raw.send(sequence, b"").await?;
        let (_, done) = raw.packet().await?;
        ensure!(done[..4] == [0, 0xfc, 0x58, 2], "{done:x?}");
        is_followed(&mut raw, false).await?;
        // No file at all, and then the next command.
        raw.one(&query("LOAD DATA LOCAL INFILE 'x' INTO TABLE f")).await?;
        raw.send(2, b"").await?;
        ensure!(raw.packet().await?.1[0] == 0);
        is_followed(&mut raw, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn long_packets_pass_both_ways() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = prepare_server(flavor).await?;
        let mut root = server.root().await?;
        root.query_drop("SET GLOBAL max_allowed_packet=64*1024*1024")
            .await?;
        let proxy = Proxy::of(&server, always(answer())).await?;
        let mut raw = Raw::connect(proxy.tcp, BASE | DEPRECATE_EOF, 0).await?;
        for length in [0xff_ffff - 26, 0xff_ffff - 25, 17_000_000, 34_000_000] {
            let sql = format!("SELECT LENGTH('{}') AS long_one", "x".repeat(length));
            let reply = raw.ask(&query(&sql), ends(1)).await?;
            let text = String::from_utf8_lossy(&reply[2]).into_owned();
            ensure!(text.contains(&length.to_string()), "{flavor}: {text}");
            is_followed(&mut raw, false).await?;
            // The row's first byte is that of an end when its value has 16 MiB or more.
            raw.send(0, &query(&format!("SELECT REPEAT('y', {length})")))
                .await?;
            let mut bytes = 0;
            loop {
                let (_, packet) = raw.packet().await?;
                if is_end(&packet) {
                    break;
                }
                bytes += packet.len();
            }
            ensure!(bytes >= length);
            is_followed(&mut raw, false).await?;
        }
        // As drivers do it.
        let mut connection = Conn::new(Opts::from(
            proxy
                .tcp_opts("root", "")
                .db_name(Some("app"))
                .max_allowed_packet(Some(64 << 20)),
        ))
        .await?;
        let blob = vec![7u8; 20_000_000];
        connection.exec_drop("INSERT INTO l VALUES (?)", (&blob,)).await?;
        let back: Option<Vec<u8>> = connection.exec_first("SELECT b FROM l", ()).await?;
        ensure!(back.as_deref() == Some(&blob[..]));
    }
    Ok(())
}

#[tokio::test]
async fn both_directions_flow_at_once() -> Result<()> {
    let server = prepare_server(Flavor::MySql).await?;
    let proxy = Proxy::of(&server, native()).await?;
    let raw = Raw::connect(proxy.tcp, BASE, 0).await?;
    // 400 pipelined questions of 40 kB with answers as long, none of which is read before all are sent in part.
    let sql = format!("SELECT '{}'", "z".repeat(40_000));
    let (done, mut bytes) = (tokio::time::Duration::from_secs(60), Vec::new());
    let payload = query(&sql);
    for _ in 0..400 {
        bytes.extend(&(payload.len() as u32).to_le_bytes()[..3]);
        bytes.push(0);
        bytes.extend(&payload);
    }
    let (mut reader, mut writer) = raw.split();
    let writing = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes)
            .await
            .map(|()| writer)
    });
    let mut expected = 400 * 40_000;
    let mut buffer = vec![0; 65_536];
    tokio::time::timeout(done, async {
        while expected > 0 {
            let count = tokio::io::AsyncReadExt::read(&mut reader, &mut buffer).await?;
            ensure!(count > 0, "closed");
            expected = usize::saturating_sub(
                expected,
                buffer[..count].iter().filter(|byte| **byte == b'z').count(),
            );
        }
        Ok(())
    })
    .await
    .context("stuck")??;
    writing.await??;
    Ok(())
}

#[tokio::test]
async fn whoever_leaves_ends_the_session() -> Result<()> {
    let mut server = prepare_server(Flavor::MariaDb).await?;
    let proxy = Proxy::of(&server, native()).await?;
    let mut root = server.root().await?;
    let raw = Raw::connect(proxy.tcp, BASE, 0).await?;
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user='root' AND db='app'";
    ensure!(root.query_first::<u32, _>(count).await? == Some(1));
    drop(raw);
    for _ in 0..100 {
        if root.query_first::<u32, _>(count).await? == Some(0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    ensure!(
        root.query_first::<u32, _>(count).await? == Some(0),
        "the upstream connection leaked"
    );
    // A killed connection closes the client's.
    let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
    root.query_drop(format!("KILL {}", raw.connection_id)).await?;
    let gone = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while raw.packet().await.is_ok() {}
    });
    gone.await.context("the client was left alone")?;
    // So does a server that dies in the middle of a result.
    let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
    raw.send(
        0,
        &query("SELECT REPEAT('x', 1000000) FROM t, t AS u, t AS v, t AS w"),
    )
    .await?;
    raw.packet().await?;
    server.kill();
    let gone = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while raw.packet().await.is_ok() {}
    });
    gone.await.context("the client was left alone")?;
    Ok(())
}

#[tokio::test]
async fn a_shutdown_lets_transactions_end() -> Result<()> {
    let server = prepare_server(Flavor::MySql).await?;
    let mut proxy = Proxy::of(&server, native()).await?;
    let mut idle = Raw::connect(proxy.tcp, BASE, 0).await?;
    let mut busy = Raw::connect(proxy.tcp, BASE, 0).await?;
    busy.ok("BEGIN").await?;
    busy.ok("UPDATE t SET b = 9 WHERE id = 1").await?;
    proxy.ask_to_stop();
    ensure!(idle.packet().await.is_err());
    busy.ok("COMMIT").await?;
    ensure!(busy.packet().await.is_err());
    let ended = tokio::time::timeout(std::time::Duration::from_secs(1), &mut proxy.task).await;
    ensure!(ended.is_ok(), "still running");
    Ok(())
}
