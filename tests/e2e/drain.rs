//! SIGTERM: nobody new, everybody finishes; a migration rests and is taken up at the next start. SIGHUP: what can be is
//! read again.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use alterego_testkit::{Alterego, Flavor, Options};
use anyhow::{Context, Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::{DEADLINE, Migration, Rig, eventually, fill, nothing_left};

crate::both!(
    transactions_finish,
    nobody_waits_for_ever,
    a_second_signal_ends_it_at_once,
    a_migration_rests_and_goes_on,
);

/// Longer than any test.
const LONG: [&str; 2] = ["--drain-timeout", "1h"];

async fn table(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("app").await?;
    root.query_drop("CREATE TABLE d (id INT PRIMARY KEY)").await?;
    Ok(())
}

async fn rows(rig: &Rig) -> Result<u64> {
    let count = rig
        .direct("app")
        .await?
        .query_first("SELECT COUNT(*) FROM d")
        .await?;
    count.context("no count")
}

/// Waits for the end of a connection.
async fn is_over(client: &mut Conn) -> Result<()> {
    eventually("the connection is over", async || {
        Ok(client.ping().await.is_err().then_some(()))
    })
    .await
}

async fn asked_to_end(rig: &Rig) -> Result<()> {
    rig.proxy.signal("TERM")?;
    rig.proxy.logged("clients finish", DEADLINE).await
}

async fn transactions_finish(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::with(flavor, &Options::relaxed(), &LONG, &[]).await?;
    table(&rig).await?;
    let mut idle = rig.client().await?;
    let mut open = rig.client().await?;
    open.query_drop("BEGIN").await?;
    open.query_drop("INSERT INTO d VALUES (1)").await?;
    let mut locking = rig.client().await?;
    locking.query_drop("CREATE TABLE e (id INT PRIMARY KEY)").await?;
    locking.query_drop("LOCK TABLES e WRITE").await?;
    let silent = tokio::net::TcpStream::connect(("127.0.0.1", rig.proxy.port())).await?;
    let mut busy = rig.client().await?;
    let busy = tokio::spawn(async move { busy.query_first::<u8, _>("SELECT SLEEP(1) + 7").await });
    let direct = rig.server.root_opts();
    eventually("the statement runs", async || {
        let mut root = Conn::new(direct.clone()).await?;
        let sql = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(1)%' AND id <> CONNECTION_ID()";
        Ok(root.query_first::<u8, _>(sql).await?)
    })
    .await?;
    asked_to_end(&rig).await?;
    is_over(&mut idle).await?;
    ensure!(busy.await??.context("no row")? == 7, "a statement was cut off");
    ensure!(rig.client().await.is_err(), "a new client came in");
    for id in 2..5 {
        open.query_drop(format!("INSERT INTO d VALUES ({id})")).await?;
        locking.query_drop(format!("INSERT INTO e VALUES ({id})")).await?;
    }
    ensure!(rows(&rig).await? == 0);
    open.query_drop("COMMIT").await?;
    is_over(&mut open).await?;
    locking.query_drop("UNLOCK TABLES").await?;
    is_over(&mut locking).await?;
    let status = rig.proxy.ended().await?;
    ensure!(status.success(), "{status}");
    ensure!(rows(&rig).await? == 4);
    drop(silent);
    Ok(())
}

async fn nobody_waits_for_ever(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::with(flavor, &Options::relaxed(), &["--drain-timeout", "1s"], &[]).await?;
    table(&rig).await?;
    let mut open = rig.client().await?;
    open.query_drop("BEGIN").await?;
    open.query_drop("INSERT INTO d VALUES (1)").await?;
    asked_to_end(&rig).await?;
    let status = rig.proxy.ended().await?;
    ensure!(status.success(), "{status}");
    ensure!(rig.proxy.log().contains("cut off"), "{}", rig.proxy.log());
    is_over(&mut open).await?;
    ensure!(rows(&rig).await? == 0);
    Ok(())
}

async fn a_second_signal_ends_it_at_once(flavor: Flavor) -> Result<()> {
    for second in ["TERM", "INT"] {
        let mut rig = Rig::with(flavor, &Options::relaxed(), &LONG, &[]).await?;
        let mut open = rig.client().await?;
        open.query_drop("BEGIN").await?;
        asked_to_end(&rig).await?;
        rig.proxy.signal(second)?;
        let status = rig.proxy.ended().await?;
        ensure!(
            status.code() == Some(130) && status.signal().is_none(),
            "{status}"
        );
        is_over(&mut open).await?;
    }
    Ok(())
}

const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w VARCHAR(10) DEFAULT 'new' AFTER id";

async fn prepare(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!(
            "CREATE TABLE {schema}.t (id INT PRIMARY KEY, v INT, pad VARCHAR(250), KEY by_pad (pad))"
        ))
        .await?;
    }
    fill(
        &mut root,
        "app.t",
        150_000,
        "n, n, CONCAT(SHA2(n, 512), '0123456789')",
    )
    .await?;
    root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
    Ok(())
}

async fn latest(rig: &Rig) -> Result<Option<Migration>> {
    Ok(rig.migrations_of("t").await?.into_iter().next())
}

/// Nothing that was copied is copied again: the last checkpoint was made at the end, and not some time before.
async fn a_migration_rests_and_goes_on(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    prepare(&rig).await?;
    let opts = rig.client_opts("app");
    // Nothing is asked after the answer: the session ends with it.
    let client = tokio::spawn(async move { Conn::new(opts).await?.query_drop(ALTER).await });
    let seen = eventually("some rows are copied", async || {
        Ok(latest(&rig)
            .await?
            .filter(|migration| migration.rows_copied > 10_000))
    })
    .await?;
    ensure!(
        seen.phase == "copying",
        "too late to end it in mid-copy: {seen:?}"
    );
    rig.proxy.signal("TERM")?;
    let answer = client.await?;
    ensure!(
        matches!(&answer, Err(mysql_async::Error::Server(error)) if error.code == 1053),
        "{answer:?}"
    );
    let status = rig.proxy.ended().await?;
    ensure!(status.success(), "{status}");
    ensure!(
        rig.proxy.log().contains("the migration rests"),
        "{}",
        rig.proxy.log()
    );
    let mut root = rig.direct("").await?;
    let recorded: (u64, String) = root
        .query_first("SELECT rows_copied, phase FROM alterego.migrations")
        .await?
        .context("no record")?;
    ensure!(
        recorded.0 >= seen.rows_copied && recorded.1 == "copying",
        "{recorded:?} after {seen:?}"
    );
    rig.server
        .root()
        .await?
        .query_drop("INSERT INTO app.t VALUES (-1, -1, 'while it rested')")
        .await?;
    root.query_drop("INSERT INTO nat.t VALUES (-1, -1, 'while it rested')")
        .await?;

    rig.proxy = Alterego::start(&rig.server, &[], &[]).await?;
    let done = eventually("the migration ends", async || {
        let over =
            |migration: &Migration| matches!(migration.phase.as_str(), "done" | "failed" | "cancelled");
        Ok(latest(&rig).await?.filter(over))
    })
    .await?;
    ensure!(done.id == seen.id && done.succeeded(), "{done:?}");
    ensure!(
        done.rows_copied >= recorded.0 && done.rows_copied <= 150_001,
        "{done:?} after {recorded:?}"
    );
    rig.direct("nat").await?.query_drop(ALTER).await?;
    rig.tables_are_equal("t").await?;
    tokio::time::timeout(Duration::from_secs(60), nothing_left(&mut root)).await?
}
