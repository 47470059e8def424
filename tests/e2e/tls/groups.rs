//! Groups of servers with TLS of their own.

use alterego_testkit::{Alterego, Flavor, Options, Server, client_opts};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use super::Authority;
use crate::support::eventually;

crate::both!(each_group_verifies_its_servers);

/// A server with a certificate for `name`.
async fn server(flavor: Flavor, authority: &Authority, name: &str) -> Result<Server> {
    let (certificate, key) = authority.sign(name, name)?;
    let options = Options::relaxed()
        .arg(format!("--ssl-ca={}", authority.path().display()))
        .arg(format!("--ssl-cert={}", certificate.display()))
        .arg(format!("--ssl-key={}", key.display()));
    let server = Server::start(flavor, &options).await?;
    let mut root = server.root().await?;
    for user in ["first", "second", "third"] {
        root.query_drop(format!("CREATE USER {user}@'%'")).await?;
    }
    Ok(server)
}

/// A group, and a rule that brings the user of its name there.
fn group(name: &str, server: &Server, tls: &str) -> String {
    let port = server.port();
    format!(
        "[[group]]\nname = \"{name}\"\nuser = \"root\"\n{tls}[[group.server]]\naddress = \"127.0.0.1:{port}\"\n\
         [[rule]]\nuser = \"{name}\"\ngroup = \"{name}\"\n"
    )
}

fn ca(authority: &Authority) -> String {
    format!("ssl_ca = \"{}\"\n", authority.path().display())
}

fn user(proxy: &Alterego, name: &str) -> OptsBuilder {
    OptsBuilder::from_opts(client_opts(proxy.port(), name, "", None))
}

/// The server a user is on, by a connection that is encrypted.
async fn port_of(proxy: &Alterego, name: &str) -> Result<u16> {
    let mut conn = Conn::new(user(proxy, name))
        .await
        .with_context(|| name.to_owned())?;
    let cipher: Option<(String, String)> = conn.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await?;
    ensure!(
        cipher.is_some_and(|(_, cipher)| !cipher.is_empty()),
        "{name} is not encrypted"
    );
    conn.query_first("SELECT @@port").await?.context("no port")
}

async fn each_group_verifies_its_servers(flavor: Flavor) -> Result<()> {
    let (one, two) = (Authority::new()?, Authority::new()?);
    let (a, b, c) = tokio::try_join!(
        server(flavor, &one, "127.0.0.1"),
        server(flavor, &two, "127.0.0.1"),
        server(flavor, &two, "db.example"),
    )?;
    let identity = "ssl_mode = \"VERIFY_IDENTITY\"\n";
    let start = async |groups: &[String]| {
        let authorities = one.path().display().to_string();
        let args = ["--listen", "127.0.0.1:0", "--tls-ca", &authorities];
        Alterego::configured(&groups.concat(), &args, &[]).await
    };
    let proxy = start(&[
        // As the command line has it: VERIFY_CA by the first authority.
        group("first", &a, ""),
        group("second", &b, &[identity, &ca(&two)].concat()),
        // Another host's certificate is good where the host is not looked at.
        group("third", &c, &ca(&two)),
    ])
    .await?;
    for (name, server) in [("first", &a), ("second", &b), ("third", &c)] {
        ensure!(port_of(&proxy, name).await? == server.port(), "{name}");
    }

    // Verified by another's authority, or under another name, a server is not talked to.
    let proxy = start(&[
        group("first", &a, &ca(&two)),
        group("second", &b, ""),
        group("third", &c, &[identity, &ca(&two)].concat()),
    ])
    .await?;
    for (name, reason) in [
        ("first", "UnknownIssuer"),
        ("second", "UnknownIssuer"),
        ("third", "not valid for name"),
    ] {
        let told = Conn::new(user(&proxy, name))
            .await
            .err()
            .context("it is let in")?
            .to_string();
        ensure!(
            told.contains("1429") && told.contains("has no primary"),
            "{name}: {told}"
        );
        eventually("the reason is logged", async || {
            let log = proxy.log();
            let line = log
                .lines()
                .find(|line| line.contains(name) && line.contains(reason));
            Ok(line.map(drop))
        })
        .await
        .with_context(|| proxy.log())?;
    }
    Ok(())
}
