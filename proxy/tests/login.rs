//! Logging in: every plugin, by TCP and by unix socket, to a server by TCP and by unix socket.

mod support;

use alterego_proxy::{ProxyConfig, Upstream};
use alterego_testkit::{Flavor, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use support::{Proxy, native, server};

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
        let by_tcp = Upstream::Tcp {
            host: "127.0.0.1".into(),
            port: server.port(),
        };
        let by_socket = Upstream::Unix(server.socket());
        for upstream in [by_tcp, by_socket] {
            let proxy = Proxy::start(upstream.clone(), native()).await?;
            for (user, _) in plugins(flavor) {
                for road in [Road::Tcp, Road::Unix] {
                    forget(&server).await?;
                    for round in ["full", "fast"] {
                        let found = client(&server, &proxy, road, user, PASSWORD).await;
                        let found = found
                            .with_context(|| format!("{flavor} {user} {round}: {road:?} to {upstream}"))?;
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
    let nowhere = Upstream::Tcp {
        host: "127.0.0.1".into(),
        port: 1,
    };
    let proxy = Proxy::start(nowhere, native()).await?;
    let error = format!("{:#}", who(proxy.tcp_opts("root", "")).await.unwrap_err());
    ensure!(error.contains("1429") && error.contains("127.0.0.1:1"), "{error}");
    let proxy = Proxy::start(Upstream::Unix("/nowhere.sock".into()), native()).await?;
    let error = format!("{:#}", who(proxy.unix_opts("root", "")).await.unwrap_err());
    ensure!(
        error.contains("1429") && error.contains("/nowhere.sock"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn one_client_too_many_is_told_so() -> Result<()> {
    let server = server(Flavor::MariaDb).await?;
    let upstream = Upstream::Tcp {
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
