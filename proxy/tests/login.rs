//! Logging in: every plugin, by TCP and by unix socket, to a server by TCP and by unix socket.

mod support;

use alterego_proxy::tls::{ClientTls, Identity, SslMode, UpstreamTls};
use alterego_proxy::{ProxyConfig, Upstream};
use alterego_testkit::{Flavor, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use rsa::pkcs8::DecodePublicKey;
use rsa::rand_core::OsRng;
use rsa::{Oaep, RsaPublicKey};
use sha1::Sha1;
use support::{BASE, Proxy, Raw, native, query, response, server};

async fn who(opts: OptsBuilder) -> Result<String> {
    let mut connection = Conn::new(Opts::from(opts)).await?;
    let user: String = connection
        .query_first("SELECT CURRENT_USER()")
        .await?
        .context("no user")?;
    connection.disconnect().await?;
    Ok(user)
}

/// Which way a client takes to the proxy.
#[derive(Clone, Copy, Debug)]
enum Road {
    Tcp,
    Unix,
}

/// Asks with the server's own command-line client, which knows all of its plugins.
async fn client(server: &Server, proxy: &Proxy, road: Road, user: &str, password: &str) -> Result<String> {
    let mut command = tokio::process::Command::from(server.client_command());
    match road {
        Road::Tcp => command.args([
            "-h127.0.0.1",
            "--protocol=TCP",
            &format!("-P{}", proxy.tcp.port()),
        ]),
        Road::Unix => command.arg("-S").arg(&proxy.socket),
    };
    command.arg(format!("-u{user}")).arg(format!("-p{password}"));
    match server.flavor() {
        Flavor::MySql => command.args(["--get-server-public-key", "--default-character-set=utf8mb4"]),
        // MariaDB's client otherwise insists on TLS.
        Flavor::MariaDb => command.args(["--skip-ssl", "--default-character-set=utf8mb4"]),
    };
    let output = command.args(["-Ne", "SELECT CURRENT_USER()"]).output().await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn plugins(flavor: Flavor) -> Vec<(&'static str, Option<&'static str>)> {
    match flavor {
        Flavor::MySql => vec![
            ("u_sha2", Some("caching_sha2_password")),
            ("u_sha256", Some("sha256_password")),
            ("u_default", None),
        ],
        Flavor::MariaDb => vec![
            ("u_native", Some("mysql_native_password")),
            ("u_ed", Some("ed25519")),
        ],
    }
}

const PASSWORD: &str = "s3cret é";

#[tokio::test]
async fn every_plugin_on_every_road() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = server(flavor).await?;
        for (user, plugin) in plugins(flavor) {
            server
                .create_user(user, PASSWORD, plugin, &["ALL ON app.*"])
                .await?;
        }
        let by_tcp = Upstream {
            host: "127.0.0.1".into(),
            port: server.port(),
        };
        let proxy = Proxy::start(by_tcp, native()).await?;
        for (user, _) in plugins(flavor) {
            for road in [Road::Tcp, Road::Unix] {
                forget(&server).await?;
                for round in ["full", "fast"] {
                    let found = client(&server, &proxy, road, user, PASSWORD).await;
                    let found = found.with_context(|| format!("{flavor} {user} {round}: {road:?}"))?;
                    ensure!(found == format!("{user}@%"));
                }
                let refused = client(&server, &proxy, road, user, "wrong").await;
                let refused = refused
                    .err()
                    .context("a wrong password was accepted")?
                    .to_string();
                ensure!(refused.contains("1045"), "{flavor} {user}: {refused}");
            }
        }
    }
    Ok(())
}

/// Empties the cache of `caching_sha2_password`.
async fn forget(server: &Server) -> Result<()> {
    server.root().await?.query_drop("FLUSH PRIVILEGES").await?;
    Ok(())
}

#[tokio::test]
async fn a_change_of_user_is_a_new_login() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = server(flavor).await?;
        for (user, plugin) in plugins(flavor) {
            server
                .create_user(user, "s3cret", plugin, &["ALL ON app.*"])
                .await?;
        }
        let proxy = Proxy::of(&server, native()).await?;
        // mysql_async knows neither of these here.
        let known = |user: &&str| !matches!(*user, "u_ed" | "u_sha256");
        for user in plugins(flavor).into_iter().map(|(user, _)| user).filter(known) {
            for opts in [proxy.tcp_opts("root", ""), proxy.unix_opts("root", "")] {
                forget(&server).await?;
                let mut connection = Conn::new(Opts::from(opts)).await?;
                let options = mysql_async::ChangeUserOpts::new()
                    .with_user(Some(user.to_owned()))
                    .with_pass(Some("s3cret".to_owned()));
                let changed = connection.change_user(options).await;
                changed.with_context(|| format!("{flavor} {user}"))?;
                let found: Option<String> = connection.query_first("SELECT CURRENT_USER()").await?;
                ensure!(found == Some(format!("{user}@%")));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn nobody_there_is_said_in_an_error_packet() -> Result<()> {
    let nowhere = Upstream {
        host: "127.0.0.1".into(),
        port: 1,
    };
    let proxy = Proxy::start(nowhere, native()).await?;
    let error = format!("{:#}", who(proxy.tcp_opts("root", "")).await.unwrap_err());
    ensure!(error.contains("1429") && error.contains("127.0.0.1:1"), "{error}");
    let error = format!("{:#}", who(proxy.unix_opts("root", "")).await.unwrap_err());
    ensure!(error.contains("1429") && error.contains("127.0.0.1:1"), "{error}");
    Ok(())
}

#[tokio::test]
async fn one_client_too_many_is_told_so() -> Result<()> {
    let server = server(Flavor::MariaDb).await?;
    let upstream = Upstream {
        host: "127.0.0.1".into(),
        port: server.port(),
    };
    let proxy = Proxy::start_with(
        ProxyConfig {
            max_clients: 1,
            ..ProxyConfig::new(upstream)
        },
        native(),
    )
    .await?;
    let first = proxy.root().await?;
    let error = format!("{:#}", who(proxy.tcp_opts("root", "")).await.unwrap_err());
    ensure!(
        error.contains("1040") && error.contains("Too many connections"),
        "{error}"
    );
    first.disconnect().await?;
    for _ in 0..100 {
        if who(proxy.tcp_opts("root", "")).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    anyhow::bail!("the place was not free again")
}

fn by_tcp(server: &Server) -> ProxyConfig {
    ProxyConfig::new(Upstream {
        host: "127.0.0.1".into(),
        port: server.port(),
    })
}

/// The packet that begins a login of `user`, without a schema, with an answer for `sha256_password` in it.
fn first_packet(user: &str, answer: &[u8]) -> Vec<u8> {
    let mut packet = response(BASE & !8, 0);
    packet.extend(format!("{user}\0").as_bytes());
    packet.push(u8::try_from(answer.len()).expect("short"));
    packet.extend(answer);
    packet.extend(b"sha256_password\0");
    packet
}

/// Logs in with `sha256_password` from the first packet on, by clear text or by asking for the key; whether the server agrees.
/// Every packet has to come with the number that is next.
async fn bare_sha256(proxy: &Proxy, password: &str, clear: bool) -> Result<bool> {
    let terminated = [password.as_bytes(), &[0]].concat();
    let answer = if clear { &terminated[..] } else { &[1] };
    let (mut raw, mut nonce) = Raw::greeted(proxy.tcp).await?;
    raw.send(1, &first_packet("u", answer)).await?;
    let mut next = 2;
    loop {
        let (sequence, packet) = raw.packet().await?;
        ensure!(sequence == next, "{sequence} where {next} is next: {packet:?}");
        let reply = match packet[0] {
            0x00 => return Ok(raw.one(&[0x0e]).await?[0] == 0),
            0xff => return Ok(false),
            0xfe => {
                let name = b"\xfesha256_password\0";
                ensure!(packet.starts_with(name), "{packet:?}");
                nonce = packet[name.len()..packet.len() - 1].to_vec();
                answer.to_vec()
            }
            _ => {
                let key = std::str::from_utf8(&packet[1..])?.trim_end();
                let mixed: Vec<u8> = terminated
                    .iter()
                    .zip(nonce.iter().cycle())
                    .map(|(byte, mask)| byte ^ mask)
                    .collect();
                RsaPublicKey::from_public_key_pem(key)?.encrypt(&mut OsRng, Oaep::new::<Sha1>(), &mixed)?
            }
        };
        raw.send(next + 1, &reply).await?;
        next += 2;
    }
}

#[tokio::test]
async fn a_first_packet_with_a_password() -> Result<()> {
    let server = server(Flavor::MySql).await?;
    server
        .create_user("u", PASSWORD, Some("sha256_password"), &["ALL ON app.*"])
        .await?;
    for mode in [SslMode::Disabled, SslMode::Required] {
        let config = ProxyConfig {
            upstream_tls: UpstreamTls::new(mode, None)?,
            ..by_tcp(&server)
        };
        let proxy = Proxy::start_with(config, native()).await?;
        for clear in [true, false] {
            let case = format!("{mode:?}, clear: {clear}");
            ensure!(
                bare_sha256(&proxy, PASSWORD, clear).await.context(case.clone())?,
                "{case}"
            );
            ensure!(
                !bare_sha256(&proxy, "wrong", clear).await.context(case.clone())?,
                "{case}"
            );
        }
    }
    Ok(())
}

/// What somebody on the way writes behind the client's request for TLS is never taken for something said inside it.
#[tokio::test]
async fn nothing_is_slipped_in_before_tls() -> Result<()> {
    const SSL: u32 = 1 << 11;
    let server = server(Flavor::MySql).await?;
    let file = |name: &str| std::fs::read(server.data_folder().join(name));
    let identity = Identity::from_pem(&file("server-cert.pem")?, &file("server-key.pem")?)?;
    let config = ProxyConfig {
        client_tls: ClientTls::Preferred(identity),
        ..by_tcp(&server)
    };
    let proxy = Proxy::start_with(config, native()).await?;
    let mut plain = response(BASE & !8, 0);
    plain.extend(b"root\0\0mysql_native_password\0");
    let framed = |sequence: u8, payload: &[u8]| {
        let mut bytes = u32::try_from(payload.len()).expect("short").to_le_bytes();
        bytes[3] = sequence;
        [&bytes, payload].concat()
    };
    let (mut raw, _) = Raw::greeted(proxy.tcp).await?;
    let slipped = [
        framed(1, &response(BASE | SSL, 0)),
        framed(2, &plain),
        framed(0, &query("CREATE TABLE app.slipped (id INT)")),
    ];
    raw.raw(&slipped.concat()).await?;
    let (mut from_proxy, _to_proxy) = raw.split();
    let mut heard = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut from_proxy, &mut heard).await?;
    // An alert of TLS, and the end.
    ensure!(heard.first() == Some(&0x15), "{heard:?}");
    let made: Option<String> = server
        .root()
        .await?
        .query_first("SHOW TABLES FROM app LIKE 'slipped'")
        .await?;
    ensure!(made.is_none(), "a statement was slipped in");
    Ok(())
}
