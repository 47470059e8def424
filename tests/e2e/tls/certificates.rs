//! Whose certificates are trusted, on either side.

use std::process::Stdio;

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, ensure};

use super::{At, Authority, Login, PASSWORD, accounts, plugins};
use crate::support::Rig;

crate::both!(
    the_servers_certificate,
    a_server_without_tls,
    our_certificate,
    the_servers_own_certificate_as_ours,
);

async fn the_servers_certificate(flavor: Flavor) -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let (certificate, key) = authority.sign("server", "127.0.0.1")?;
    let options = Options::relaxed()
        .arg(format!("--ssl-ca={}", authority.path().display()))
        .arg(format!("--ssl-cert={}", certificate.display()))
        .arg(format!("--ssl-key={}", key.display()));
    let mut server = Server::start(flavor, &options).await?;
    let (known, unknown) = (authority.path(), stranger.path());
    let (known, unknown) = (known.display().to_string(), unknown.display().to_string());
    let starts = async |server: &Server, mode: &str, authority: &str| {
        let args = ["--upstream-ssl-mode", mode, "--tls-ca", authority];
        Alterego::start(server, &args, &[]).await
    };
    for mode in ["VERIFY_CA", "VERIFY_IDENTITY"] {
        let proxy = starts(&server, mode, &known).await?;
        ensure!(login(&server, &proxy).enters(&server).await?, "{mode}");
        let refusal = format!("{:#}", starts(&server, mode, &unknown).await.err().context(mode)?);
        ensure!(refusal.contains("UnknownIssuer"), "{mode}: {refusal}");

        // A server that is somebody else by now is not talked to.
        stranger.sign("server", "127.0.0.1")?;
        for file in ["server.pem", "server-key.pem"] {
            let theirs = stranger.path().with_file_name(file);
            std::fs::copy(theirs, authority.path().with_file_name(file))?;
        }
        server.restart().await?;
        login(&server, &proxy)
            .is_refused(&server, &["ERROR 1429 (HY000)", "UnknownIssuer"])
            .await?;
        authority.sign("server", "127.0.0.1")?;
        server.restart().await?;
        ensure!(login(&server, &proxy).enters(&server).await?, "{mode}, again");
    }
    // The right authority, another name.
    authority.sign("server", "db.example")?;
    server.restart().await?;
    let proxy = starts(&server, "VERIFY_CA", &known).await?;
    ensure!(login(&server, &proxy).enters(&server).await?);
    let refusal = starts(&server, "VERIFY_IDENTITY", &known).await.err();
    let refusal = format!("{:#}", refusal.context("VERIFY_IDENTITY")?);
    ensure!(refusal.contains("not valid for name"), "{refusal}");
    Ok(())
}

/// Root by TLS.
fn login(server: &Server, proxy: &Alterego) -> Login {
    Login::new(server.flavor(), At::Port(proxy.port()), "root")
        .password("")
        .encrypted(true)
}

async fn a_server_without_tls(flavor: Flavor) -> Result<()> {
    let off = match flavor {
        Flavor::MySql => "--tls-version=",
        Flavor::MariaDb => "--skip-ssl",
    };
    let server = Server::start(flavor, &Options::relaxed().arg(off)).await?;
    accounts(&server).await?;
    let proxy = Alterego::start(&server, &[], &[]).await?;
    for plugin in plugins(flavor) {
        let login = Login::new(flavor, At::Port(proxy.port()), plugin).encrypted(true);
        ensure!(!login.enters(&server).await?, "{plugin}");
    }
    let folder = Authority::new()?;
    let authority = folder.path().display().to_string();
    for mode in ["REQUIRED", "VERIFY_CA"] {
        let mut args = vec!["--upstream-ssl-mode", mode];
        if mode == "VERIFY_CA" {
            args.extend(["--tls-ca", &authority]);
        }
        let refusal = Alterego::start(&server, &args, &[]).await.err().context(mode)?;
        ensure!(format!("{refusal:#}").contains("TLS"), "{mode}: {refusal:#}");
    }
    Ok(())
}

/// It is made at the first start, and a client that trusts it does so after a restart.
async fn our_certificate(flavor: Flavor) -> Result<()> {
    let state = tempfile::tempdir()?;
    let home = state.path().display().to_string();
    let env = [("XDG_STATE_HOME", home.as_str())];
    let mut rig = Rig::with(flavor, &Options::relaxed(), &[], &env).await?;
    accounts(&rig.server).await?;
    let user = plugins(flavor)[0];
    let authority = format!("--ssl-ca={home}/alterego/tls-cert.pem");
    let verify = match flavor {
        Flavor::MySql => "--ssl-mode=VERIFY_IDENTITY",
        Flavor::MariaDb => "--ssl-verify-server-cert",
    };
    let mut made = String::new();
    for _ in 0..2 {
        let login = |at| Login::new(flavor, at, user);
        let port = rig.proxy.port();
        for at in [At::Port(port), At::Name(port)] {
            ensure!(login(at).with(&[&authority, verify]).enters(&rig.server).await?);
        }
        let certificate = std::fs::read_to_string(format!("{home}/alterego/tls-cert.pem"))?;
        ensure!(made.is_empty() || made == certificate, "another one was made");
        made = certificate;
        if flavor == Flavor::MariaDb {
            // By another name than 127.0.0.1 its client wants a certificate of an authority, or a proof the proxy cannot give.
            let distrusted = ["ERROR 2026 (HY000)", "NOT trusted"];
            login(At::Name(port)).is_refused(&rig.server, &distrusted).await?;
            let careless = login(At::Name(port)).with(&["--disable-ssl-verify-server-cert"]);
            ensure!(careless.enters(&rig.server).await?);
        }
        rig.proxy.stop().await?;
        rig.proxy = Alterego::start(&rig.server, &[], &env).await?;
    }
    Ok(())
}

/// MariaDB's client takes a certificate that signed itself if the server proves, with the password, that it is its own.
async fn the_servers_own_certificate_as_ours(flavor: Flavor) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let made = rcgen::generate_simple_self_signed(vec!["db.example".to_owned()])?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("c.pem"), made.cert.pem())?;
    std::fs::write(file("k.pem"), made.signing_key.serialize_pem())?;
    let options = Options::relaxed()
        .arg(format!("--ssl-cert={}", file("c.pem")))
        .arg(format!("--ssl-key={}", file("k.pem")));
    let args = ["--tls-cert", &file("c.pem"), "--tls-key", &file("k.pem")];
    let mut rig = Rig::with(flavor, &options, &args, &[]).await?;
    accounts(&rig.server).await?;
    for is_placed in [false, true] {
        if is_placed {
            rig.proxy = super::logins::placed(&rig.server, &args).await?;
        }
        for plugin in plugins(flavor) {
            let login = Login::new(flavor, At::Name(rig.proxy.port()), plugin).encrypted(true);
            if is_placed && matches!(*plugin, "ed25519" | "parsec") {
                // The proof is over the greeting's challenge, which is not the server's then.
                login.is_refused(&rig.server, &["ERROR 2026"]).await?;
                continue;
            }
            let entered = login.enters(&rig.server).await;
            ensure!(
                entered.with_context(|| format!("placed: {is_placed}"))?,
                "{plugin}"
            );
            let wrong = login.password("wrong").run(&rig.server, "SELECT 1").await?;
            ensure!(wrong.is_err(), "{plugin}");
        }
    }
    Ok(())
}

/// Each is told in one line, before anything listens.
#[tokio::test]
async fn unusable_files() -> Result<()> {
    let authority = Authority::new()?;
    let (certificate, key) = authority.sign("one", "localhost")?;
    let (_, other_key) = authority.sign("other", "localhost")?;
    let text = authority.path().with_file_name("text");
    std::fs::write(&text, "no certificate\n")?;
    let show = |path: &std::path::Path| path.display().to_string();
    let (certificate, key, other_key, text) = (show(&certificate), show(&key), show(&other_key), show(&text));
    let check = async |args: &[&str], part: &str| -> Result<()> {
        let mut command = Alterego::command()?;
        command
            .arg("mysql://root@127.0.0.1:1")
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .env("ALTEREGO_PASSWORD", PASSWORD)
            .stdin(Stdio::null());
        let output = tokio::process::Command::from(command).output().await?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "{args:?} will do");
        ensure!(
            errors.lines().count() == 1 && errors.contains(part),
            "{args:?}: {errors}"
        );
        Ok(())
    };
    check(
        &["--tls-ca", "/nowhere"],
        "the file of --tls-ca or ssl_ca, /nowhere",
    )
    .await?;
    check(&["--tls-ca", &text], "no certificate in PEM form").await?;
    check(&["--tls-ca", &key], "no certificate in PEM form").await?;
    check(
        &["--tls-cert", &certificate, "--tls-key", "/nowhere"],
        "--tls-key /nowhere",
    )
    .await?;
    check(
        &["--tls-cert", &text, "--tls-key", &key],
        "no certificate in PEM form",
    )
    .await?;
    check(
        &["--tls-cert", &certificate, "--tls-key", &text],
        "no private key in PEM form",
    )
    .await?;
    check(
        &["--tls-cert", &certificate, "--tls-key", &other_key],
        "KeyMismatch",
    )
    .await?;
    check(&["--tls-cert", &certificate], "--tls-key").await?;
    check(&["--upstream-ssl-mode", "VERIFY_CA"], "--tls-ca FILE").await?;
    check(&["--upstream-ssl-mode", "SOMETIMES"], "VERIFY_IDENTITY").await?;
    Ok(())
}
