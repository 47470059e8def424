//! The proxy or the server dies, at any moment; what comes back finishes the migration, and no row is missing.

mod gaps;
mod handover;
mod orphans;
mod positions;
mod random;
pub(crate) mod scene;
mod sweep;

use std::sync::Arc;

use alterego_testkit::{Alterego, Flavor, Options};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::support::{DEADLINE, Migration, Rig, Writers, eventually, fill, nothing_left, run};

crate::both!(
    the_proxy_is_killed_in_mid_copy,
    the_server_is_killed_in_mid_copy,
    two_proxies_and_one_dies,
    two_proxies_and_one_comes_to_the_end,
    a_cut_over_that_is_given_up_leaves_nothing,
);

const ALTER: &str =
    "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w VARCHAR(10) DEFAULT 'new' AFTER id, ADD UNIQUE KEY by_v (v)";

/// The table and its clone, of `rows` rows that take some time to copy.
async fn prepare(rig: &Rig, rows: u32) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("DROP TABLE IF EXISTS t").await?;
        root.query_drop(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, v INT, pad VARCHAR(250), code INT, UNIQUE KEY by_code (code), KEY by_pad (pad))",
        )
        .await?;
    }
    fill(
        &mut root,
        "app.t",
        rows,
        "n * 10, n, CONCAT(SHA2(n, 512), '0123456789'), n",
    )
    .await?;
    root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
    Ok(())
}

/// Writers that go to the server itself, because the proxy will be gone.
async fn writers(rig: &Rig) -> Result<Writers> {
    Writers::start(
        read_committed(rig.server.root_opts()),
        2,
        Arc::new(|writer, i| transaction(4000, writer, i)),
    )
    .await
}

fn read_committed(opts: Opts) -> Opts {
    OptsBuilder::from_opts(opts)
        .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"])
        .into()
}

/// The same on both tables: rows come, go, change, move to other keys and swap their unique values. Each writer keeps to
/// rows of its own.
fn transaction(rows_per_writer: u64, writer: u64, i: u64) -> Vec<String> {
    let n = 1 + writer * rows_per_writer + (i * 7919) % (rows_per_writer - 100);
    let id = n * 10;
    let mut statements = vec!["BEGIN".to_owned()];
    for table in ["app.t", "nat.t"] {
        match i % 5 {
            0 => statements.push(format!("UPDATE {table} SET pad='changed {i}' WHERE id={id}")),
            1 => statements.push(format!("UPDATE {table} SET id=id+5000003 WHERE id={id}")),
            2 => statements.push(format!("DELETE FROM {table} WHERE code={n}")),
            3 => statements.push(format!(
                "INSERT IGNORE INTO {table} (id, v, pad, code) VALUES ({id}, {}, 'new', {n})",
                1_000_000 + i * 8 + writer
            )),
            _ => statements.extend([
                format!("UPDATE {table} SET code=-{n} WHERE code={n}"),
                format!("UPDATE {table} SET code={n} WHERE code={}", n + 1),
                format!("UPDATE {table} SET code={} WHERE code=-{n}", n + 1),
            ]),
        }
    }
    statements.push("COMMIT".to_owned());
    statements
}

/// A client that sends the ALTER and hears no answer, because the proxy or the server dies.
fn send_alter(opts: Opts) -> tokio::task::JoinHandle<Result<crate::support::Outcome>> {
    tokio::spawn(async move { run(&mut Conn::new(opts).await?, ALTER).await })
}

async fn copying(rig: &Rig) -> Result<Migration> {
    eventually("some percent are copied", async || {
        let migrations = rig.migrations_of("t").await?;
        let latest = migrations.into_iter().next();
        Ok(latest.filter(|migration| migration.percent > 5.0 && migration.rows_copied > 0))
    })
    .await
}

async fn ended(rig: &Rig) -> Result<Vec<Migration>> {
    eventually("the migration ends", async || {
        let migrations = rig.migrations_of("t").await?;
        let over =
            |migration: &Migration| matches!(migration.phase.as_str(), "done" | "failed" | "cancelled");
        Ok((!migrations.is_empty() && migrations.iter().all(over)).then_some(migrations))
    })
    .await
}

/// The end of every case: the table equals the clone, which was written alike, altered by the server itself.
async fn all_is_well(rig: &Rig, writers: Option<Writers>) -> Result<()> {
    if let Some(writers) = writers {
        writers.each_goes_on().await?;
        writers.finish().await?;
    }
    rig.direct("nat").await?.query_drop(ALTER).await?;
    rig.tables_are_equal("t").await?;
    nothing_left(&mut rig.direct("").await?).await
}

async fn the_proxy_is_killed_in_mid_copy(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    prepare(&rig, 100_000).await?;
    let writers = writers(&rig).await?;
    let alter = send_alter(rig.client_opts("app"));
    let killed = copying(&rig).await?;
    ensure!(
        killed.phase == "copying",
        "too late to kill it in mid-copy: {killed:?}"
    );
    rig.proxy.kill9();
    ensure!(alter.await?.is_err(), "an answer came from nowhere");
    writers.each_goes_on().await?;
    rig.proxy = Alterego::start(&rig.server, &[], &[]).await?;
    // The client does what clients do: it sends the statement again, and is told of the end of the first.
    let again = tokio::time::timeout(DEADLINE, send_alter(rig.client_opts("app"))).await???;
    ensure!(again.code().is_none(), "{again:?}");
    let migrations = ended(&rig).await.map_err(|error| rig.explain(error))?;
    ensure!(
        migrations.len() == 1 && migrations.iter().all(Migration::succeeded),
        "{migrations:?}"
    );
    ensure!(migrations.first().map(|migration| migration.id) == Some(killed.id));
    all_is_well(&rig, Some(writers))
        .await
        .map_err(|error| rig.explain(error))
}

/// The proxy stays and takes the migration up again when the server is back.
async fn the_server_is_killed_in_mid_copy(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    prepare(&rig, 100_000).await?;
    let writers = writers(&rig).await?;
    let alter = send_alter(rig.client_opts("app"));
    copying(&rig).await?;
    rig.server.kill();
    ensure!(alter.await?.is_err(), "an answer came from nowhere");
    ensure!(writers.finish().await.is_err(), "the server is not dead");
    rig.server.restart().await?;
    let writers = self::writers(&rig).await?;
    one_succeeded(&rig).await?;
    all_is_well(&rig, Some(writers))
        .await
        .map_err(|error| rig.explain(error))
}

/// The migration ends well, and was the only one.
async fn one_succeeded(rig: &Rig) -> Result<()> {
    let migrations = ended(rig).await.map_err(|error| rig.explain(error))?;
    ensure!(
        migrations.len() == 1 && migrations.iter().all(Migration::succeeded),
        "{migrations:?}\n{}",
        rig.proxy.log()
    );
    Ok(())
}

/// A second proxy of the same server waits its turn, and takes over when the first is gone.
async fn two_proxies_and_one_dies(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    prepare(&rig, 100_000).await?;
    let writers = writers(&rig).await?;
    let alter = send_alter(rig.client_opts("app"));
    copying(&rig).await?;
    let second = Alterego::start(&rig.server, &[], &[]).await?;
    rig.proxy.kill9();
    ensure!(alter.await?.is_err(), "an answer came from nowhere");
    rig.proxy = second;
    one_succeeded(&rig).await?;
    all_is_well(&rig, Some(writers))
        .await
        .map_err(|error| rig.explain(error))
}

/// The second one's knowledge of the migration is old by then: it must not take the altered table for a foreign change.
async fn two_proxies_and_one_comes_to_the_end(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::with(
        flavor,
        &Options::relaxed(),
        &[],
        &[("ALTEREGO_FAILPOINT", "copied")],
    )
    .await?;
    prepare(&rig, 10_000).await?;
    let alter = send_alter(rig.client_opts("app"));
    stopped(&mut rig.proxy).await?;
    let second = Alterego::start(&rig.server, &[], &[]).await?;
    second
        .logged("another alterego works on the table", DEADLINE)
        .await?;
    rig.proxy.signal("CONT")?;
    let answer = tokio::time::timeout(DEADLINE, alter).await???;
    ensure!(answer.code().is_none(), "{answer:?}");
    second
        .logged("another alterego has brought the migration to its end", DEADLINE)
        .await?;
    let migrations = ended(&rig).await?;
    ensure!(
        migrations.len() == 1 && migrations.iter().all(Migration::succeeded),
        "{migrations:?}\n{}",
        second.log()
    );
    all_is_well(&rig, None).await
}

/// A client gives up while the cut-over is being tried.
async fn a_cut_over_that_is_given_up_leaves_nothing(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::with(
        flavor,
        &Options::relaxed(),
        &[],
        &[("ALTEREGO_FAILPOINT", "gate_closed")],
    )
    .await?;
    prepare(&rig, 1000).await?;
    let mut client = rig.client().await?;
    let id = client.id();
    let alter = tokio::spawn(async move { run(&mut client, ALTER).await });
    stopped(&mut rig.proxy).await?;
    // Whoever holds the table keeps every attempt from succeeding.
    let mut holder = rig.direct("app").await?;
    holder.query_drop("BEGIN").await?;
    holder.query_drop("SELECT * FROM t LIMIT 1").await?;
    rig.direct("")
        .await?
        .query_drop(format!("KILL QUERY {id}"))
        .await?;
    rig.proxy.signal("CONT")?;
    let answer = tokio::time::timeout(DEADLINE, alter).await???;
    ensure!(answer.code() == Some(1317), "{answer:?}");
    holder.query_drop("ROLLBACK").await?;
    let migrations = ended(&rig).await?;
    ensure!(
        migrations.iter().all(|migration| migration.phase == "cancelled"),
        "{migrations:?}"
    );
    rig.tables_are_equal("t").await?;
    nothing_left(&mut rig.direct("").await?)
        .await
        .map_err(|error| rig.explain(error))
}

async fn stopped(proxy: &mut Alterego) -> Result<()> {
    eventually("the proxy stands at a failpoint", async || {
        proxy.stopped_at().await
    })
    .await
    .map(drop)
}
