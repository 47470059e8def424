//! What travels inside TLS, and who has to use it.

use alterego_testkit::{Alterego, Flavor, Options, client_opts};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};

use super::{At, Login, accounts, plugins};
use crate::support::{Outcome, Rig, fill, run};

crate::both!(a_change_and_long_packets, who_must_use_tls);

async fn by_tls(rig: &Rig) -> Result<Conn> {
    let opts = OptsBuilder::from_opts(client_opts(rig.proxy.port(), "root", "", Some("app")))
        .max_allowed_packet(Some(128 << 20))
        .ssl_opts(SslOpts::default().with_danger_accept_invalid_certs(true));
    Ok(Conn::new(opts).await?)
}

async fn a_change_and_long_packets(flavor: Flavor) -> Result<()> {
    let options = Options::relaxed().arg("--max-allowed-packet=128M");
    let mut rig = Rig::with(flavor, &options, &[], &[]).await?;
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("CREATE TABLE {schema}.t (id INT PRIMARY KEY, a INT)"))
            .await?;
        fill(&mut root, &format!("{schema}.t"), 3000, "n, n").await?;
    }
    for mode in ["REQUIRED", "DISABLED"] {
        rig.proxy = Alterego::start(&rig.server, &["--upstream-ssl-mode", mode], &[]).await?;
        let mut client = by_tls(&rig).await?;
        for length in [0xff_fffe, 0xff_ffff, 0x100_0000, 40 << 20] {
            let sent = "é".repeat(length / 2);
            let row: Option<(u64, String)> = client.exec_first("SELECT LENGTH(?), ?", (&sent, &sent)).await?;
            let (counted, echoed) = row.unwrap_or_default();
            ensure!(
                counted == sent.len() as u64 && echoed == sent,
                "{mode}, {length}: {counted}"
            );
        }
        // Many at once, none of them waiting for the one before.
        let text = vec!["SELECT REPEAT('x', 100000)"; 200].join(";");
        let mut rows = 0;
        let mut result = client.query_iter(text).await?;
        while !result.is_empty() {
            let found: Vec<String> = result.collect().await?;
            rows += found.iter().filter(|row| row.len() == 100_000).count();
        }
        ensure!(rows == 200, "{mode}: {rows}");
    }
    let mut client = by_tls(&rig).await?;
    let ours = run(&mut client, "ALTER TABLE t MODIFY a BIGINT").await?;
    let native = run(&mut rig.direct("nat").await?, "ALTER TABLE t MODIFY a BIGINT").await?;
    ensure!(
        ours == native && matches!(ours, Outcome::Ok { .. }),
        "{ours:?} {native:?}"
    );
    ensure!(rig.migrations_of("t").await?.len() == 1);
    rig.tables_are_equal("t").await
}

async fn who_must_use_tls(flavor: Flavor) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("ae-").tempdir()?;
    let socket = folder.path().join("p.sock");
    let path = socket.display().to_string();
    let mut rig = Rig::start(flavor, &["--client-ssl-mode", "REQUIRED", "--socket", &path]).await?;
    accounts(&rig.server).await?;
    let user = plugins(flavor)[0];
    let login = |rig: &Rig| Login::new(flavor, At::Port(rig.proxy.port()), user);
    ensure!(login(&rig).encrypted(true).enters(&rig.server).await?);
    let state = match flavor {
        Flavor::MySql => "ERROR 3159 (HY000)",
        Flavor::MariaDb => "ERROR 3159 (08004)",
    };
    let refused = [state, "insecure transport are prohibited"];
    login(&rig)
        .encrypted(false)
        .is_refused(&rig.server, &refused)
        .await?;
    let local = Login::new(flavor, At::Socket(&socket), user).encrypted(false);
    ensure!(local.enters(&rig.server).await?);

    rig.proxy = Alterego::start(&rig.server, &["--client-ssl-mode", "DISABLED"], &[]).await?;
    ensure!(login(&rig).encrypted(false).enters(&rig.server).await?);
    login(&rig)
        .encrypted(true)
        .is_refused(&rig.server, &["ERROR 2026 (HY000)", "SSL"])
        .await?;
    Ok(())
}
