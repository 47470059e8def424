//! Who one is by other means than a password: a certificate, or a user of the operating system. The proxy has both, and must
//! not lend them to anybody.

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use super::{At, Authority, Login, accounts};

crate::both!(certificates_are_not_lent, users_of_the_system_are_not_lent);

/// alterego's own account may need a certificate; a client's account that needs one is refused, whatever alterego has.
async fn certificates_are_not_lent(flavor: Flavor) -> Result<()> {
    let authority = Authority::new()?;
    let (certificate, key) = authority.sign("server", "127.0.0.1")?;
    let options = Options::relaxed()
        .arg(format!("--ssl-ca={}", authority.path().display()))
        .arg(format!("--ssl-cert={}", certificate.display()))
        .arg(format!("--ssl-key={}", key.display()));
    let server = Server::start(flavor, &options).await?;
    accounts(&server).await?;
    let mut root = server.root().await?;
    for user in ["migrator", "client"] {
        server
            .create_user(user, super::PASSWORD, None, &["ALL ON *.*"])
            .await?;
        root.query_drop(format!("ALTER USER {user}@'%' REQUIRE X509"))
            .await?;
    }
    root.query_drop("CREATE DATABASE app").await?;
    root.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY, v INT)")
        .await?;

    let (own, own_key) = authority.sign("own", "migrator")?;
    let file = |path: &std::path::Path| path.display().to_string();
    let (known, own, own_key) = (file(&authority.path()), file(&own), file(&own_key));
    let pair = ["--upstream-ssl-cert", &own, "--upstream-ssl-key", &own_key];
    let url = format!("mysql://migrator@127.0.0.1:{}", server.port());
    let password = [("ALTEREGO_PASSWORD", super::PASSWORD)];
    let refusal = Alterego::start_at(&url, &["--tls-ca", &known], &password)
        .await
        .err();
    let refusal = format!("{:#}", refusal.context("no certificate is needed")?);
    ensure!(refusal.contains("refuses the account `migrator`"), "{refusal}");

    for mode in ["REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] {
        let mut args = vec!["--upstream-ssl-mode", mode, "--strategy", "ghost"];
        args.extend(pair);
        if mode != "REQUIRED" {
            args.extend(["--tls-ca", &known]);
        }
        let proxy = Alterego::start_at(&url, &args, &password).await.context(mode)?;
        let login = |port| Login::new(flavor, At::Port(port), "client").encrypted(true);
        let direct = login(server.port()).run(&server, "SELECT 1").await?;
        // Neither alterego's certificate nor the client's own makes a difference.
        let shown = [
            format!("--ssl-ca={known}"),
            format!("--ssl-cert={own}"),
            format!("--ssl-key={own_key}"),
        ];
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let careless: &[&str] = match flavor {
            Flavor::MySql => &[],
            Flavor::MariaDb => &["--disable-ssl-verify-server-cert"],
        };
        let with_own = login(server.port()).with(&shown).with(careless);
        ensure!(
            with_own.run(&server, "SELECT 1").await?.is_ok(),
            "directly, with a certificate"
        );
        for login in [
            login(proxy.port()),
            login(proxy.port()).with(&shown).with(careless),
        ] {
            let ours = login.run(&server, "SELECT 1").await?;
            ensure!(
                ours.is_err() && ours == direct,
                "{mode}: {ours:?}, directly {direct:?}"
            );
        }
        // The migrator's own connections all have it.
        let mut conn = proxy.root().await?;
        conn.query_drop("ALTER TABLE app.t FORCE").await.context(mode)?;
        let done = crate::support::migrations(&mut conn).await?;
        ensure!(
            done.iter().any(crate::support::Migration::succeeded),
            "{mode}: {done:?}"
        );
    }
    Ok(())
}

/// The name of the user of the operating system that runs this.
fn system_user() -> Result<String> {
    let output = std::process::Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// By its own socket the server takes a client for the system's user; through the proxy, by any way, for nobody.
async fn users_of_the_system_are_not_lent(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let mut root = server.root().await?;
    let user = system_user()?;
    // The tests' own account may have the name of the system's user. It goes on by TCP.
    let create = match flavor {
        Flavor::MySql => {
            root.query_drop("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
                .await?;
            format!("CREATE USER by_socket@'%' IDENTIFIED WITH auth_socket AS '{user}'")
        }
        Flavor::MariaDb => format!("CREATE USER by_socket@'%' IDENTIFIED VIA unix_socket AS '{user}'"),
    };
    root.query_drop(create).await?;
    let login = |at| Login::new(flavor, at, "by_socket").password("");
    let direct = server.socket();
    let entered = login(At::Socket(&direct))
        .run(&server, "SELECT CURRENT_USER()")
        .await?;
    ensure!(entered == Ok("by_socket@%".to_owned()), "{entered:?}");

    let folder = tempfile::Builder::new().prefix("ae-").tempdir()?;
    let socket = folder.path().join("p.sock");
    let path = socket.display().to_string();
    for is_placed in [false, true] {
        let args = ["--socket", &path];
        let mut proxy = match is_placed {
            true => super::logins::placed(&server, &args).await?,
            false => Alterego::start(&server, &args, &[]).await?,
        };
        for at in [At::Port(proxy.port()), At::Socket(&socket)] {
            let denied = ["ERROR", "Access denied for user 'by_socket'"];
            login(at)
                .is_refused(&server, &denied)
                .await
                .with_context(|| format!("{is_placed}"))?;
        }
        proxy.stop().await?;
    }
    Ok(())
}
