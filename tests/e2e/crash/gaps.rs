//! A migration is taken up on a server that does not have, or has no log of, what its checkpoint speaks of. It goes on, or the
//! copy starts afresh, and says why; it never goes on over a hole.

use alterego_testkit::{Alterego, Flavor, Replication};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use super::scene::{ALTER, Client, ROWS, Scene};
use crate::support::{eventually, fill, nothing_left};

crate::both!(
    purged_logs_start_the_copy_afresh,
    a_log_begun_anew_starts_the_copy_afresh,
    a_log_begun_anew_and_grown_again_starts_the_copy_afresh,
    an_older_copy_of_the_server_is_gone_on_from,
    an_older_copy_with_a_newer_record_names_what_is_missing,
    an_older_copy_that_has_gone_another_way_loses_nothing,
    a_failover_and_back_lose_nothing,
);

/// More transactions than a migration and a test make until its last checkpoint.
const MANY: u64 = 1500;

/// Writes rows of both tables, in the part that is copied first and in the last; each `run` writes other values.
async fn write(scene: &Scene, run: &str, transactions: u64) -> Result<()> {
    write_on(&mut scene.rig.direct("").await?, run, transactions).await
}

async fn write_on(root: &mut Conn, run: &str, transactions: u64) -> Result<()> {
    for i in 0..transactions {
        let row = 1 + (i * 37) % 400;
        let id = if i % 2 == 0 { row } else { u64::from(ROWS) - row } * 10;
        let what = match i % 7 {
            0 => "DELETE FROM",
            _ => "REPLACE INTO",
        };
        let statements = ["app.t", "nat.t"].map(|table| match what {
            "DELETE FROM" => format!("DELETE FROM {table} WHERE id={id}"),
            replace => format!("{replace} {table} (id, v, pad, code) VALUES ({id}, {i}, '{run} {i}', {id})"),
        });
        let [first, second] = statements;
        root.query_drop(format!("BEGIN; {first}; {second}; COMMIT"))
            .await?;
    }
    Ok(())
}

/// Begins the migration and kills the proxy where it has copied some chunks and said so.
async fn killed_in_mid_copy(scene: &mut Scene) -> Result<Client> {
    scene.prepare(ROWS).await?;
    scene.start_proxy("checkpointed")?;
    let client = begin(scene).await?;
    scene.stands_at("checkpointed").await?;
    ensure!(record(scene).await?.frontier.is_some(), "nothing is copied yet");
    scene.rig.proxy.kill9();
    scene.road.follow_nobody();
    Ok(client)
}

async fn begin(scene: &mut Scene) -> Result<Client> {
    listens(scene).await?;
    Ok(Client::sends(&scene.road, ALTER))
}

async fn listens(scene: &Scene) -> Result<()> {
    eventually("the proxy listens", async || {
        scene.road.follow(&scene.rig.proxy);
        Ok(scene.rig.proxy.listens().map(drop))
    })
    .await
}

/// What the state table says of the migration.
#[derive(Clone, Debug)]
struct Saved {
    phase: String,
    position: Option<String>,
    frontier: Option<String>,
}

async fn record(scene: &Scene) -> Result<Saved> {
    let sql = "SELECT phase, position, frontier FROM alterego.migrations";
    let found: Option<(String, Option<String>, Option<String>)> =
        scene.rig.direct("").await?.query_first(sql).await?;
    let (phase, position, frontier) = found.context("no record")?;
    Ok(Saved {
        phase,
        position,
        frontier,
    })
}

/// Starts a proxy where none was killed at a failpoint, and waits for the end of everything.
async fn taken_up(scene: &mut Scene, client: Client) -> Result<()> {
    scene.start_proxy("")?;
    listens(scene).await?;
    scene.is_altered(client).await
}

fn says(proxy: &Alterego, words: &[&str]) -> Result<()> {
    let log = proxy.log();
    let line = log.lines().find(|line| line.contains("starts over"));
    let line = line.with_context(|| format!("the copy does not start afresh:\n{log}"))?;
    ensure!(words.iter().any(|words| line.contains(words)), "{line}");
    Ok(())
}

async fn purged_logs_start_the_copy_afresh(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    let client = killed_in_mid_copy(&mut scene).await?;
    write(&scene, "unheard", 50).await?;
    let mut root = scene.rig.direct("").await?;
    root.query_drop("FLUSH BINARY LOGS").await?;
    let last = logs(&mut root).await?.pop().context("no log")?;
    eventually("the logs are purged", async || {
        // MariaDB keeps one until its engine has synced what is in it.
        root.query_drop(format!("PURGE BINARY LOGS TO '{last}'")).await?;
        Ok((logs(&mut root).await?.first() == Some(&last)).then_some(()))
    })
    .await?;
    taken_up(&mut scene, client).await?;
    says(&scene.rig.proxy, &["has purged"])
}

async fn logs(root: &mut Conn) -> Result<Vec<String>> {
    let rows: Vec<mysql_async::Row> = root.query("SHOW BINARY LOGS").await?;
    Ok(rows.iter().filter_map(|row| row.get(0)).collect())
}

async fn reset(scene: &Scene) -> Result<()> {
    let sql = match scene.rig.flavor() {
        Flavor::MySql => "RESET BINARY LOGS AND GTIDS",
        Flavor::MariaDb => "RESET MASTER",
    };
    Ok(scene.rig.direct("").await?.query_drop(sql).await?)
}

async fn a_log_begun_anew_starts_the_copy_afresh(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    let client = killed_in_mid_copy(&mut scene).await?;
    write(&scene, "lost with the log", 20).await?;
    reset(&scene).await?;
    write(&scene, "after", 5).await?;
    taken_up(&mut scene, client).await?;
    says(
        &scene.rig.proxy,
        &[
            "does not have the transactions",
            "has not reached the transactions",
        ],
    )
}

/// Its numbers have reached those of the checkpoint again.
async fn a_log_begun_anew_and_grown_again_starts_the_copy_afresh(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    let client = killed_in_mid_copy(&mut scene).await?;
    reset(&scene).await?;
    write(&scene, "after", MANY).await?;
    taken_up(&mut scene, client).await?;
    says(
        &scene.rig.proxy,
        &["was begun anew", "transactions after it are lost"],
    )
}

/// The record is as old as everything else in the copy, and so is right.
async fn an_older_copy_of_the_server_is_gone_on_from(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    scene.prepare(ROWS).await?;
    scene.start_proxy("checkpointed,indexed")?;
    let client = begin(&mut scene).await?;
    scene.stands_at("checkpointed").await?;
    let copy = scene.rig.server.copy().await?;
    scene.rig.proxy.signal("CONT")?;
    write(&scene, "lost with the server", 50).await?;
    scene.stands_at("indexed").await?;
    scene.rig.proxy.kill9();
    scene.road.follow_nobody();
    scene.rig.server.put_back(&copy).await?;
    write(&scene, "after", 50).await?;
    taken_up(&mut scene, client).await?;
    ensure!(scene.rig.proxy.log().contains("goes on from its checkpoint"));
    Ok(())
}

async fn an_older_copy_with_a_newer_record_names_what_is_missing(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    scene.prepare(ROWS).await?;
    // The copy comes to this row and waits, so that there is time for another checkpoint.
    let mut holder = scene.rig.direct("").await?;
    holder.query_drop("BEGIN").await?;
    holder
        .query_drop("SELECT * FROM app.t WHERE id=50000 FOR UPDATE")
        .await?;
    scene.start_proxy("checkpointed")?;
    let client = begin(&mut scene).await?;
    scene.stands_at("checkpointed").await?;
    let copied = end_of_log(&scene).await?;
    let copy = scene.rig.server.copy().await?;
    scene.rig.proxy.signal("CONT")?;
    write(&scene, "lost with the server", 50).await?;
    let newer = eventually("a checkpoint speaks of what is lost", async || {
        let saved = record(&scene).await?;
        Ok((place(&saved)? > copied).then_some(saved))
    })
    .await
    .map_err(|error| scene.rig.explain(error))?;
    scene.rig.proxy.kill9();
    scene.road.follow_nobody();
    scene.rig.server.put_back(&copy).await?;
    let update = "UPDATE alterego.migrations SET phase=?, position=?, frontier=?";
    let mut root = scene.rig.direct("").await?;
    root.exec_drop(update, (newer.phase, newer.position, newer.frontier))
        .await?;
    taken_up(&mut scene, client).await?;
    says(
        &scene.rig.proxy,
        &[
            "does not have the transactions",
            "has not reached the transactions",
        ],
    )
}

/// A place in the binary log: the file, all of whose names are as long, and the offset.
type Place = (String, u64);

async fn end_of_log(scene: &Scene) -> Result<Place> {
    let mut root = scene.rig.direct("").await?;
    let rows: Vec<mysql_async::Row> = root.query("SHOW BINARY LOGS").await?;
    let last = rows.last().context("no log")?;
    last.get(0).zip(last.get(1)).context("not a log")
}

fn place(saved: &Saved) -> Result<Place> {
    let position = saved.position.as_deref().context("no checkpoint")?;
    let (offset, rest) = position.split_once('|').context("not a position")?;
    let (_, file) = rest.rsplit_once('|').context("not a position")?;
    Ok((file.to_owned(), offset.parse()?))
}

/// The proxy lives on, has verified everything, and finds a server that has as many transactions as before, but others.
async fn an_older_copy_that_has_gone_another_way_loses_nothing(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    scene.prepare(ROWS).await?;
    scene.start_proxy("indexed,verified")?;
    let client = begin(&mut scene).await?;
    scene.stands_at("indexed").await?;
    let copy = scene.rig.server.copy().await?;
    scene.rig.proxy.signal("CONT")?;
    write(&scene, "lost with the server", 50).await?;
    scene.stands_at("verified").await?;
    scene.rig.server.put_back(&copy).await?;
    write(&scene, "after", MANY).await?;
    scene.rig.proxy.signal("CONT")?;
    scene.is_altered(client).await
}

async fn a_failover_and_back_lose_nothing(flavor: Flavor) -> Result<()> {
    let group = Replication::start(flavor, 2).await?;
    let [a, b] = group.servers.as_slice() else {
        anyhow::bail!("not two servers");
    };
    let mut root = a.root().await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("CREATE DATABASE {schema}")).await?;
        root.query_drop(format!(
            "CREATE TABLE {schema}.t (id BIGINT PRIMARY KEY, v INT, pad VARCHAR(250), code INT)"
        ))
        .await?;
        fill(
            &mut root,
            &format!("{schema}.t"),
            ROWS,
            "n * 10, n, REPEAT('p', 200), n",
        )
        .await?;
    }
    let mut proxy = Alterego::start(a, &[], &[("ALTEREGO_FAILPOINT", "checkpointed")]).await?;
    let opts = OptsBuilder::from_opts(proxy.root_opts()).db_name(Some("app"));
    let client = tokio::spawn(async move { Conn::new(opts).await?.query_drop(ALTER).await });
    let mut from = a;
    for (to, failpoint) in [(b, "checkpointed"), (a, "")] {
        let name = eventually("the proxy stands at a failpoint", async || {
            proxy.stopped_at().await
        })
        .await;
        ensure!(name.with_context(|| proxy.log())? == "checkpointed");
        proxy.kill9();
        write_on(&mut from.root().await?, "before", 30).await?;
        fail_over(from, to).await?;
        write_on(&mut to.root().await?, "after", 30).await?;
        proxy = Alterego::spawn(to, &[], &[("ALTEREGO_FAILPOINT", failpoint)])?;
        from = to;
    }
    ensure!(client.await?.is_err(), "an answer came from nowhere");
    let mut root = a.root().await?;
    eventually("the migration has ended", async || {
        let sql = "SELECT phase FROM alterego.migrations WHERE ended_at IS NOT NULL";
        Ok(root.query_first::<String, _>(sql).await?)
    })
    .await
    .with_context(|| proxy.log())?;
    ensure!(
        proxy.log().contains("goes on from its checkpoint"),
        "{}",
        proxy.log()
    );
    root.query_drop("USE nat").await?;
    root.query_drop(ALTER).await?;
    b.catch_up(a).await?;
    for server in [a, b] {
        let mut root = server.root().await?;
        let difference = alterego_testkit::compare_tables(&mut root, ("app", "t"), ("nat", "t")).await?;
        ensure!(difference.is_none(), "{difference}\n{}", proxy.log());
    }
    nothing_left(&mut root).await
}

/// `to` takes over from `from`, which follows it from now on.
async fn fail_over(from: &alterego_testkit::Server, to: &alterego_testkit::Server) -> Result<()> {
    from.set_writable(false).await?;
    to.catch_up(from).await?;
    to.stop_following().await?;
    to.set_writable(true).await?;
    if from.flavor() == Flavor::MariaDb {
        from.execute(&["SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos"])
            .await?;
    }
    from.follow(to).await
}
