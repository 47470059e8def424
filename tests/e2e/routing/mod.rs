//! Several servers and a configuration file: who is placed where, who logs in there, what is refused at the start.

mod changes;
mod logins;
mod placing;
mod reload;
mod starting;

use alterego_testkit::{Alterego, Flavor, Options, Replication, Server, client_opts};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

/// The text of a group in the configuration; each server is named by its letter.
fn group(name: &str, servers: &[(&str, &Server, u32)]) -> String {
    let mut text = format!("[[group]]\nname = \"{name}\"\nuser = \"root\"\nlag_limit = \"10s\"\n");
    for (name, server, weight) in servers {
        text += &format!(
            "[[group.server]]\nname = \"{name}\"\naddress = \"127.0.0.1:{}\"\nweight = {weight}\n",
            server.port()
        );
    }
    text
}

/// The text of a listener.
fn listener(name: &str) -> String {
    format!("[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\n")
}

/// A server that takes writes, with the schema `app`.
async fn primary(flavor: Flavor) -> Result<Server> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    server.root().await?.query_drop("CREATE DATABASE app").await?;
    Ok(server)
}

/// A primary with the schema `app`, and replicas of it.
async fn replicated<const N: usize>(flavor: Flavor) -> Result<[Server; N]> {
    let servers = Replication::start(flavor, N).await?.servers;
    let servers: [Server; N] = servers.try_into().ok().context("another number of servers")?;
    servers[0].root().await?.query_drop("CREATE DATABASE app").await?;
    Ok(servers)
}

/// Options for root without a password, at a port.
fn root(port: u16) -> OptsBuilder {
    OptsBuilder::from_opts(client_opts(port, "root", "", None))
}

/// The port of the server a connection is on.
async fn port_behind(opts: impl Into<Opts>) -> Result<u16> {
    let mut conn = Conn::new(opts).await?;
    let port = conn.query_first("SELECT @@port").await?.context("no port")?;
    conn.disconnect().await?;
    Ok(port)
}

/// What a client is told that is not placed.
async fn refusal(opts: impl Into<Opts>) -> Result<String> {
    match Conn::new(opts).await {
        Ok(_) => anyhow::bail!("the client was let in"),
        Err(error) => Ok(error.to_string()),
    }
}

/// Waits until `SHOW UPSTREAMS` counts this many clients on a server.
async fn clients_on(conn: &mut Conn, server: &str, wanted: u64) -> Result<()> {
    crate::support::eventually(&format!("{wanted} clients on {server}"), async || {
        let rows: Vec<mysql_async::Row> = conn.query("SHOW UPSTREAMS").await?;
        let row = rows
            .iter()
            .find(|row| row.get::<String, _>("server").as_deref() == Some(server));
        let clients = row.and_then(|row| row.get::<u64, _>("clients"));
        Ok((clients == Some(wanted)).then_some(()))
    })
    .await
}

/// Ends the proxy and looks that it ends well.
async fn ends(mut proxy: Alterego) -> Result<()> {
    proxy.stop().await?;
    ensure!(!proxy.log().contains("panicked"), "{}", proxy.log());
    Ok(())
}
