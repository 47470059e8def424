//! Every plugin, with TLS on both sides, on one, and on none.

use std::sync::{Arc, Mutex, PoisonError};

use alterego_testkit::{Alterego, Flavor, Options, Server, client_opts};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn, Opts, OptsBuilder, SslOpts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{At, Login, PASSWORD, accounts, plugins};
use crate::support::{Failures, Rig};

crate::both!(
    every_plugin,
    every_plugin_placed,
    a_change_of_user,
    a_change_of_user_placed,
    accounts_that_require_tls,
    no_password_leaves_tls,
    no_password_leaves_tls_placed,
);

/// Forgets who logged in before: the next login is a full one.
async fn forget(server: &Server) -> Result<()> {
    server.root().await?.query_drop("FLUSH PRIVILEGES").await?;
    Ok(())
}

async fn every_plugin(flavor: Flavor) -> Result<()> {
    every_way_of_every_plugin(flavor, false).await
}

/// The same behind rules: the client is greeted before its server is known, and asked anew.
async fn every_plugin_placed(flavor: Flavor) -> Result<()> {
    every_way_of_every_plugin(flavor, true).await
}

async fn every_way_of_every_plugin(flavor: Flavor, is_placed: bool) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("ae-").tempdir()?;
    let socket = folder.path().join("p.sock");
    let path = socket.display().to_string();
    let mut rig = Rig::start(flavor, &[]).await?;
    accounts(&rig.server).await?;
    let mut failures = Failures::default();
    for mode in ["DISABLED", "REQUIRED"] {
        rig.proxy.stop().await?;
        let args = ["--upstream-ssl-mode", mode, "--socket", &path];
        rig.proxy = match is_placed {
            true => placed(&rig.server, &args).await?,
            false => Alterego::start(&rig.server, &args, &[]).await?,
        };
        let at = At::Port(rig.proxy.port());
        for plugin in plugins(flavor) {
            let ways = [
                ("TLS", Login::new(flavor, at, plugin).encrypted(true)),
                ("plain", Login::new(flavor, at, plugin).encrypted(false)),
                ("socket", Login::new(flavor, At::Socket(&socket), plugin)),
                (
                    "plain socket",
                    Login::new(flavor, At::Socket(&socket), plugin).encrypted(false),
                ),
            ];
            for (name, login) in ways {
                forget(&rig.server).await?;
                let result = full_fast_wrong(&rig.server, &login, mode == "REQUIRED").await;
                failures.note(&rig, &format!("{plugin}: {name}, upstream {mode}"), result);
            }
        }
    }
    failures.none()
}

/// A proxy with a configuration file in front of the server.
pub(super) async fn placed(server: &Server, args: &[&str]) -> Result<Alterego> {
    placed_before(server.port(), args).await
}

async fn placed_before(port: u16, args: &[&str]) -> Result<Alterego> {
    let address = format!("[[group.server]]\naddress = \"127.0.0.1:{port}\"\n");
    let config = ["[[group]]\nname = \"g\"\nuser = \"root\"\n", &*address].concat();
    Alterego::configured(&config, &[&["--listen", "127.0.0.1:0"], args].concat(), &[]).await
}

async fn full_fast_wrong(server: &Server, login: &Login, is_encrypted: bool) -> Result<()> {
    for round in ["full", "fast"] {
        let found = login.enters(server).await.context(round)?;
        ensure!(found == is_encrypted, "{round}: encrypted upstream: {found}");
    }
    let wrong = login.clone().password("wrong");
    let ours = wrong.run(server, "SELECT 1").await?.err();
    let direct = Login::new(server.flavor(), At::Port(server.port()), login.user()).password("wrong");
    let direct = direct.encrypted(true).run(server, "SELECT 1").await?.err();
    // The server tells a client of its own socket from one by TCP no more than by the host's name.
    ensure!(ours.is_some() && ours == direct, "{ours:?}, directly {direct:?}");
    Ok(())
}

/// Where the server's default is `sha256_password`, a client's password, or its question for the key, is in its first packet.
#[tokio::test]
async fn a_password_in_the_first_packet() -> Result<()> {
    let options = Options::relaxed().arg("--authentication-policy=sha256_password");
    let mut rig = Rig::with(Flavor::MySql, &options, &[], &[]).await?;
    accounts(&rig.server).await?;
    rig.server
        .create_user("empty", "", Some("sha256_password"), &[])
        .await?;
    let mut failures = Failures::default();
    for mode in ["DISABLED", "REQUIRED"] {
        let tap = Tap::before(rig.server.port()).await?;
        let url = format!("mysql://root@127.0.0.1:{}", tap.port);
        for (encrypted, is_placed) in [(true, false), (false, false), (true, true), (false, true)] {
            let args = ["--upstream-ssl-mode", mode];
            rig.proxy = match is_placed {
                true => placed_before(tap.port, &args).await?,
                false => Alterego::start_at(&url, &args, &[]).await?,
            };
            for plugin in plugins(Flavor::MySql) {
                let login = Login::new(Flavor::MySql, At::Port(rig.proxy.port()), plugin);
                let login = login
                    .with(&["--default-auth=sha256_password"])
                    .encrypted(encrypted);
                let result = full_fast_wrong(&rig.server, &login, mode == "REQUIRED").await;
                failures.note(
                    &rig,
                    &format!("{plugin}: TLS {encrypted}, upstream {mode}"),
                    result,
                );
            }
            let empty = Login::new(Flavor::MySql, At::Port(rig.proxy.port()), "empty").password("");
            let result = empty.encrypted(encrypted).enters(&rig.server).await;
            failures.note(&rig, "an empty password", result.map(drop));
        }
        ensure!(!tap.heard(PASSWORD), "a password was read");
    }
    failures.none()
}

/// A client's options, with TLS or not.
fn opts(port: u16, user: &str, password: &str, encrypted: bool) -> Opts {
    let ssl = SslOpts::default().with_danger_accept_invalid_certs(true);
    OptsBuilder::from_opts(client_opts(port, user, password, None))
        .ssl_opts(encrypted.then_some(ssl))
        .into()
}

/// With the plugins the client library knows.
async fn a_change_of_user(flavor: Flavor) -> Result<()> {
    every_way_of_a_change(flavor, false).await
}

/// The same where the client knows no challenge of its server's.
async fn a_change_of_user_placed(flavor: Flavor) -> Result<()> {
    every_way_of_a_change(flavor, true).await
}

async fn every_way_of_a_change(flavor: Flavor, is_placed: bool) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    accounts(&rig.server).await?;
    let plugin = plugins(flavor)[0];
    let mut failures = Failures::default();
    for mode in ["DISABLED", "REQUIRED"] {
        let args = ["--upstream-ssl-mode", mode];
        rig.proxy = match is_placed {
            true => placed(&rig.server, &args).await?,
            false => Alterego::start(&rig.server, &args, &[]).await?,
        };
        for encrypted in [true, false] {
            let result = changes_user(&rig, plugin, encrypted).await;
            failures.note(&rig, &format!("TLS {encrypted}, upstream {mode}"), result);
        }
    }
    failures.none()
}

async fn changes_user(rig: &Rig, plugin: &str, encrypted: bool) -> Result<()> {
    forget(&rig.server).await?;
    let mut conn = Conn::new(opts(rig.proxy.port(), "root", "", encrypted)).await?;
    for round in ["full", "fast"] {
        let to = |user: &str, password: Option<&str>| {
            ChangeUserOpts::new()
                .with_user(Some(user.to_owned()))
                .with_pass(password.map(str::to_owned))
        };
        conn.change_user(to(plugin, Some(PASSWORD)))
            .await
            .context(round)?;
        let found: Option<String> = conn.query_first("SELECT CURRENT_USER()").await?;
        ensure!(found == Some(format!("{plugin}@%")), "{round}: {found:?}");
        conn.change_user(to("root", None)).await?;
    }
    let wrong = ChangeUserOpts::new()
        .with_user(Some(plugin.to_owned()))
        .with_pass(Some("wrong".to_owned()));
    let error = conn
        .change_user(wrong)
        .await
        .err()
        .context("a wrong password will do")?;
    ensure!(error.to_string().contains("1045"), "{error}");
    Ok(())
}

/// They see the proxy's connection.
async fn accounts_that_require_tls(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    accounts(&rig.server).await?;
    let plugin = plugins(flavor)[0];
    let alter = format!("ALTER USER '{plugin}'@'%' REQUIRE SSL");
    rig.server.root().await?.query_drop(alter).await?;
    let login =
        |rig: &Rig, encrypted| Login::new(flavor, At::Port(rig.proxy.port()), plugin).encrypted(encrypted);
    ensure!(login(&rig, true).enters(&rig.server).await?);
    ensure!(login(&rig, false).enters(&rig.server).await?, "by default");
    rig.proxy = Alterego::start(&rig.server, &["--upstream-ssl-mode", "DISABLED"], &[]).await?;
    let direct = Login::new(flavor, At::Port(rig.server.port()), plugin).encrypted(false);
    let direct = direct.run(&rig.server, "SELECT 1").await?;
    ensure!(direct.is_err(), "{direct:?}");
    for encrypted in [true, false] {
        let ours = login(&rig, encrypted).run(&rig.server, "SELECT 1").await?;
        ensure!(ours == direct, "{ours:?}, directly {direct:?}");
    }
    Ok(())
}

/// Nobody who listens between proxy and server reads a password that came inside TLS, whatever method either end names.
async fn no_password_leaves_tls(flavor: Flavor) -> Result<()> {
    no_password_is_heard(flavor, false).await
}

async fn no_password_leaves_tls_placed(flavor: Flavor) -> Result<()> {
    no_password_is_heard(flavor, true).await
}

async fn no_password_is_heard(flavor: Flavor, is_placed: bool) -> Result<()> {
    const WORD: &str = "a-word-nobody-may-read";
    let server = Server::start(flavor, &Options::relaxed()).await?;
    for plugin in plugins(flavor) {
        server.create_user(plugin, WORD, Some(plugin), &[]).await?;
    }
    let tap = Tap::before(server.port()).await?;
    let url = format!("mysql://root@127.0.0.1:{}", tap.port);
    let args = ["--upstream-ssl-mode", "DISABLED"];
    let proxy = match is_placed {
        true => placed_before(tap.port, &args).await?,
        false => Alterego::start_at(&url, &args, &[]).await?,
    };
    for plugin in plugins(flavor) {
        forget(&server).await?;
        let login = Login::new(flavor, At::Port(proxy.port()), plugin).password(WORD);
        let login = login.encrypted(true);
        ensure!(!login.enters(&server).await?, "{plugin}");
        ensure!(tap.heard(plugin), "{plugin}: the tap hears nothing");
        let clear = login.with(&["--enable-cleartext-plugin", "--default-auth=mysql_clear_password"]);
        if is_placed {
            // What it says unasked goes nowhere; the server asks it for something better.
            let entered = clear.run(&server, "SELECT CURRENT_USER()").await?;
            ensure!(entered.is_ok_and(|user| user.contains(plugin)), "{plugin}");
            continue;
        }
        clear
            .is_refused(&server, &["ERROR 3159 (HY000)", "'mysql_clear_password'"])
            .await?;
    }
    if flavor == Flavor::MariaDb {
        let mut root = server.root().await?;
        root.query_drop("INSTALL SONAME 'auth_pam'").await?;
        root.query_drop("CREATE USER asked@'%' IDENTIFIED VIA pam USING 'other'")
            .await?;
        let asked = Login::new(flavor, At::Port(proxy.port()), "asked").password(WORD);
        asked
            .is_refused(&server, &["ERROR 3159 (HY000)", "'dialog'"])
            .await?;
        ensure!(tap.heard("asked"));
    }
    ensure!(!tap.heard(WORD), "a password was read");
    Ok(())
}

/// Somebody who listens to what the proxy sends to the server.
struct Tap {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

impl Tap {
    async fn before(server: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(listen(client, server, Arc::clone(&notes)));
            }
        });
        Ok(Self { port, heard, task })
    }

    fn heard(&self, word: &str) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.windows(word.len()).any(|window| window == word.as_bytes())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(client: TcpStream, server: u16, notes: Arc<Mutex<Vec<u8>>>) -> Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let down = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = from_client.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(&buffer[..count]);
        to_server.write_all(&buffer[..count]).await?;
    }
    to_server.shutdown().await?;
    down.await??;
    Ok(())
}
