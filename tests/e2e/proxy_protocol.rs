//! The PROXY protocol on either side: who may say where a client comes from, and what the server makes of it.

use std::time::Duration;

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use tokio::io::AsyncWriteExt;

use crate::support::{Bare as Client, Login};

crate::both!(networks_decide_who_is_heard, a_header_changes_nothing_else);

const FROM_HOME: &str = "127.0.0.0/8";
const V1: &[u8] = b"PROXY TCP4 10.9.8.7 192.0.2.1 4711 3306\r\n";
const V1_IPV6: &[u8] = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 3306\r\n";

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

fn v2_tcp4(extensions: &[u8]) -> Vec<u8> {
    let addresses = [10, 9, 8, 7, 192, 0, 2, 1, 0x12, 0x67, 0x0c, 0xea];
    v2(0x21, 0x11, &[&addresses[..], extensions].concat())
}

async fn login(port: u16, header: &[u8], user: &str) -> Result<Login> {
    Client::connect(port, header).await?.login(user).await
}

async fn empty_user(server: &Server, account: &str) -> Result<()> {
    let mut root = server.root().await?;
    root.query_drop(format!("CREATE USER {account}")).await?;
    Ok(())
}

/// As MariaDB decides it: compared with MariaDB itself, where it is there to compare with.
async fn networks_decide_who_is_heard(flavor: Flavor) -> Result<()> {
    let mut options = Options::relaxed();
    if flavor == Flavor::MariaDb {
        options = options.arg(format!("--proxy-protocol-networks={FROM_HOME}"));
    }
    let server = Server::start(flavor, &options).await?;
    empty_user(&server, "anyone@'%'").await?;
    let open = Alterego::start(&server, &["--proxy-protocol-networks", FROM_HOME], &[]).await?;
    let closed = Alterego::start(
        &server,
        &["--proxy-protocol-networks", "10.0.0.0/8,localhost"],
        &[],
    )
    .await?;
    let without = Alterego::start(&server, &[], &[]).await?;
    let headers = [
        V1.to_vec(),
        V1_IPV6.to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2_tcp4(b""),
        v2_tcp4(b"\x02\0\x04name"),
        v2(0x21, 0x31, &[b'x'; 216]),
        v2(0x20, 0, b""),
        b"".to_vec(),
    ];
    for header in &headers {
        let shown = String::from_utf8_lossy(header).into_owned();
        let entered = login(open.port(), header, "anyone").await?;
        ensure!(entered == Login::Entered, "{shown}: {entered:?}");
        if flavor == Flavor::MariaDb {
            ensure!(
                login(server.port(), header, "anyone").await? == Login::Entered,
                "{shown}"
            );
        }
    }
    let refusal = Login::Refused(1130, "Proxy header is not accepted from 127.0.0.1".to_owned());
    for header in headers.iter().filter(|header| !header.is_empty()) {
        for proxy in [&closed, &without] {
            let found = login(proxy.port(), header, "anyone").await?;
            ensure!(found == refusal, "{}: {found:?}", String::from_utf8_lossy(header));
        }
    }
    if flavor == Flavor::MariaDb {
        let mut root = server.root().await?;
        root.query_drop("SET GLOBAL proxy_protocol_networks=''").await?;
        ensure!(login(server.port(), V1, "anyone").await? == refusal);
    }
    Ok(())
}

/// A broken header is refused, and one that comes in pieces or with the login in one segment is none.
async fn a_header_changes_nothing_else(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    empty_user(&server, "anyone@'%'").await?;
    let proxy = Alterego::start(&server, &["--proxy-protocol-networks", "*"], &[]).await?;
    for header in [
        b"PROXY TCP9 10.9.8.7 192.0.2.1 4711 3306\r\n".to_vec(),
        b"PROXY TCP4 10.9.8.7 192.0.2.1 4711 99999\r\n".to_vec(),
        [b"PROXY UNKNOWN ", &[b'x'; 200][..], b"\r\n"].concat(),
        v2(0x21, 0x11, &[0; 11]),
        v2(0x21, 0x11, &[0; 6000]),
        v2(0x31, 0x11, &[0; 12]),
    ] {
        let found = login(proxy.port(), &header, "anyone").await?;
        let expected = Login::Refused(1043, "Bad handshake".to_owned());
        ensure!(
            found == expected,
            "{}: {found:?}",
            String::from_utf8_lossy(&header)
        );
    }
    let mut client = Client::connect(proxy.port(), b"").await?;
    for byte in v2_tcp4(b"") {
        client.0.write_all(&[byte]).await?;
        client.0.flush().await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    ensure!(client.login("anyone").await? == Login::Entered);
    ensure!(client.value("SELECT 40 + 2").await? == "42");
    Ok(())
}

/// MariaDB behind the proxy: it sees the client's own address, and matches its accounts by it.
#[tokio::test]
async fn mariadb_hears_where_clients_come_from() -> Result<()> {
    let options = Options::relaxed().arg(format!("--proxy-protocol-networks={FROM_HOME}"));
    let server = Server::start(Flavor::MariaDb, &options).await?;
    empty_user(&server, "far@'10.9.8.7'").await?;
    empty_user(&server, "six@'2001:db8::7'").await?;
    empty_user(&server, "near@'127.0.0.1'").await?;
    let told = [
        "--upstream-proxy-protocol",
        "--proxy-protocol-networks",
        FROM_HOME,
    ];
    let proxy = Alterego::start(&server, &told, &[]).await?;
    for (header, user, host) in [
        (V1.to_vec(), "far", "10.9.8.7:4711"),
        (v2_tcp4(b""), "far", "10.9.8.7:4711"),
        (V1_IPV6.to_vec(), "six", "2001:db8::7:4711"),
    ] {
        let mut client = Client::connect(proxy.port(), &header).await?;
        ensure!(client.login(user).await? == Login::Entered, "{user}");
        let shown = client
            .value("SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()")
            .await?;
        ensure!(shown == host, "{shown} is not {host}");
    }
    // Without a header of its own a client comes from where it comes from.
    let mut client = Client::connect(proxy.port(), b"").await?;
    let port = client.0.local_addr()?.port();
    ensure!(client.login("near").await? == Login::Entered);
    let shown = client
        .value("SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()")
        .await?;
    ensure!(
        shown.ends_with(&format!(":{port}")),
        "{shown}: not the client's port {port}"
    );
    let found = login(proxy.port(), b"", "far").await?;
    ensure!(matches!(&found, Login::Refused(1045, _)), "{found:?}");
    let found = login(proxy.port(), V1, "near").await?;
    ensure!(matches!(&found, Login::Refused(1130 | 1045, _)), "{found:?}");
    Ok(())
}

/// A server that would take the header for a broken packet is noticed before any client is.
#[tokio::test]
async fn servers_that_hear_nobody_are_refused() -> Result<()> {
    for (flavor, text) in [
        (Flavor::MySql, "does not know the PROXY protocol"),
        (Flavor::MariaDb, "SET GLOBAL proxy_protocol_networks"),
    ] {
        let server = Server::start(flavor, &Options::relaxed()).await?;
        let started = Alterego::start(&server, &["--upstream-proxy-protocol"], &[]).await;
        let error = started.err().context("it starts")?.to_string();
        ensure!(error.contains(text), "{error}");
    }
    Ok(())
}
