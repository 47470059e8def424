//! Limits of the proxy's own, for what no server sees: shortened here, so that they are reached.

mod support;

use std::time::Duration;

use alterego_proxy::{ProxyConfig, Upstream};
use alterego_testkit::{Flavor, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use support::{BASE, Proxy, Raw, native, query, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);

fn config(server: &Server) -> ProxyConfig {
    ProxyConfig::new(Upstream {
        host: "127.0.0.1".into(),
        port: server.port(),
    })
}

/// A client that has not logged in within its time is told so in the server's words.
#[tokio::test]
async fn logins_have_their_time() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = server(flavor).await?;
        let config = ProxyConfig {
            login_timeout: Duration::from_millis(300),
            ..config(&server)
        };
        let proxy = Proxy::start_with(config, native()).await?;
        for begun in [&b""[..], b"\x50\0", b"\x50\0\0\x01abc", b"PROX"] {
            let (mut raw, _) = Raw::greeted(proxy.tcp).await?;
            raw.raw(begun).await?;
            let told = tokio::time::timeout(PATIENCE, raw.packet())
                .await
                .context("it hangs")??;
            if begun == b"PROX" {
                ensure!(told.1.starts_with(b"\xff\x6a\x04#HY000Proxy header"), "{told:x?}");
            } else {
                ensure!(
                    told.0 == 1 && told.1.starts_with(b"\xff\x87\x04#08S01Got timeout"),
                    "{told:x?}"
                );
            }
            ensure!(raw.packet().await.is_err(), "the connection lives on");
        }
    }
    Ok(())
}

/// Waits until the server has no session but the one that asks.
async fn sessions_are_over(server: &Server) -> Result<()> {
    let mut root = server.root().await?;
    let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = 'app'";
    let over = async {
        while root.query_first::<u64, _>(sql).await? != Some(0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, over)
        .await
        .context("a session stays")?
}

#[tokio::test]
async fn who_takes_nothing_is_left() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = server(flavor).await?;
        let mut root = server.root().await?;
        root.query_drop("SET GLOBAL max_allowed_packet=67108864").await?;
        let config = ProxyConfig {
            stall_limit: Duration::from_secs(1),
            ..config(&server)
        };
        let proxy = Proxy::start_with(config, native()).await?;

        // A client that reads nothing. The server's own limit is a minute.
        let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
        raw.send(0, &query("SELECT REPEAT('x', 50000000)")).await?;
        sessions_are_over(&server).await?;
        drop(raw);

        // A server that reads nothing: its statement waits, and commands pile up behind it.
        root.query_drop("DO GET_LOCK('held', 0)").await?;
        let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
        raw.send(0, &query("SELECT GET_LOCK('held', 1000)")).await?;
        let (mut reader, mut writer) = raw.split();
        let closes = b"\x05\0\0\0\x19\xff\xff\xff\x7f".repeat(10_000);
        let stuck = async {
            while writer.write_all(&closes).await.is_ok() {}
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).await.ok();
            rest
        };
        let rest = tokio::time::timeout(PATIENCE, stuck).await.context("it stays")?;
        ensure!(rest.is_empty(), "{rest:x?}");
        root.query_drop("DO RELEASE_LOCK('held')").await?;
        sessions_are_over(&server).await?;

        // A slow statement is no stall: nothing waits for anybody.
        let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
        raw.send(0, &query("SELECT SLEEP(3)")).await?;
        ensure!(raw.packet().await?.1 == [1]);
    }
    Ok(())
}
