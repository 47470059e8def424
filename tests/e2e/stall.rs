//! Under semi-synchronous replication a commit can be in the binary log, and not yet visible, for as long as no
//! replica answers. Whatever the migration does in that time, no acknowledged row is missing afterwards.

use std::sync::Arc;
use std::time::Duration;

use alterego_engine::failpoint::Failpoint;
use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::task::JoinSet;

use crate::crash::scene::{ALTER, Client, ROWS, Scene, Victim};
use crate::support::{DEADLINE, Rig, Writers, eventually, fill, nothing_left, run};

crate::both!(stalled_commits_at_every_phase, stalled_commits_at_each_step);

const WRITERS: u64 = 4;
/// Longer than any test: a stall ends when the test ends it.
const STALL: Duration = Duration::from_secs(600);

async fn stalled_commits_at_every_phase(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("CREATE TABLE t (id BIGINT PRIMARY KEY, v INT NOT NULL, pad VARCHAR(100))")
            .await?;
        fill(&mut root, "t", 60_000, "n * 10, n, REPEAT('p', 80)").await?;
    }
    // The writers do not come to an end by themselves while the stall lasts, and are the first to be stalled.
    rig.server.stall_commits(STALL).await?;
    let opts = OptsBuilder::from_opts(rig.client_opts("app"))
        .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]);
    let writers = Writers::begin(opts.into(), WRITERS, Arc::new(transaction));
    stalled(&rig).await?;
    let mut client = rig.client().await?;
    let alter = tokio::spawn(async move { run(&mut client, ALTER).await });
    eventually("the migration waits, too", async || {
        let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Query'";
        let at_work: Option<u64> = root.query_first(sql).await?;
        // The writers, this query, and somebody else.
        Ok((at_work.unwrap_or(0) > WRITERS + 1).then_some(()))
    })
    .await?;
    let mut stalls_seen = vec!["start".to_owned()];
    while !alter.is_finished() {
        rig.server.release().await?;
        if let Some(phase) = phase(&rig).await? {
            // Just enough air for the migration to come further.
            writers.each_goes_on().await?;
            rig.server.stall_commits(STALL).await?;
            stalled(&rig).await?;
            stalls_seen.push(phase);
        } else {
            writers.each_goes_on().await?;
        }
    }
    rig.server.release().await?;
    let outcome = tokio::time::timeout(DEADLINE, alter)
        .await
        .context("the ALTER has no end")???;
    ensure!(outcome.code().is_none(), "{outcome:?}\n{}", rig.proxy.log());
    writers.each_goes_on().await?;
    writers.finish().await?;
    ensure!(
        stalls_seen.iter().any(|phase| phase == "copying"),
        "{stalls_seen:?}"
    );
    ensure!(
        rig.migrations_of("t")
            .await?
            .first()
            .is_some_and(|migration| migration.succeeded())
    );
    rig.direct("nat").await?.query_drop(ALTER).await?;
    rig.tables_are_equal("t")
        .await
        .map_err(|error| rig.explain(error))?;
    nothing_left(&mut root).await
}

/// The migration's phase, read from its record: no commit is needed for that.
async fn phase(rig: &Rig) -> Result<Option<String>> {
    let mut root = rig.direct("").await?;
    let sql = "SELECT phase FROM alterego.migrations WHERE ended_at IS NULL";
    Ok(root.query_first(sql).await.unwrap_or(None))
}

/// One commit waits for the replica. The next ones queue behind it and are not counted.
async fn stalled(rig: &Rig) -> Result<()> {
    eventually("commits are stalled", async || {
        Ok((rig.server.stalled_commits().await? > 0).then_some(()))
    })
    .await
}

/// Rows at both ends and in the middle, the same in both tables.
fn transaction(writer: u64, i: u64) -> Vec<String> {
    let key = 10 + writer * 150_000 + (i * 7919 % 14_000) * 10;
    let mut statements = vec!["BEGIN".to_owned()];
    for table in ["app.t", "nat.t"] {
        statements.push(match i % 4 {
            0 => format!(
                "INSERT INTO {table} (id, v, pad) VALUES ({}, 1, 'above')",
                1_000_000 + writer + i * 10
            ),
            1 => format!(
                "INSERT IGNORE INTO {table} (id, v, pad) VALUES ({}, 2, 'between')",
                key + writer + 1
            ),
            2 => format!("DELETE FROM {table} WHERE id={key}"),
            _ => format!("UPDATE {table} SET v=v+1, id=id+5 WHERE id={key}"),
        });
    }
    statements.push("COMMIT".to_owned());
    statements
}

/// Where the migration stands while transactions are stuck.
const STEPS: [Failpoint; 14] = [
    Failpoint::StartRead,
    Failpoint::ChunkDispatched,
    Failpoint::ChunkCommitted,
    Failpoint::BatchTaken,
    Failpoint::PositionPassed,
    Failpoint::CheckpointDue,
    Failpoint::Checkpointed,
    Failpoint::Resumed,
    Failpoint::Copied,
    Failpoint::Settled,
    Failpoint::Indexed,
    Failpoint::ChunkCompared,
    Failpoint::Verified,
    Failpoint::GateClosed,
];

/// Transactions that are stuck at a time; the server commits them as a group.
const STUCK: usize = 6;

/// How the server makes its log durable, and where it waits for a replica.
const DURABILITY: [(u32, &str); 4] = [
    (1, "AFTER_SYNC"),
    (0, "AFTER_SYNC"),
    (100, "AFTER_SYNC"),
    (1, "AFTER_COMMIT"),
];

async fn stalled_commits_at_each_step(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    for (sync_binlog, wait_point) in DURABILITY {
        let sql = format!("SET GLOBAL sync_binlog={sync_binlog}");
        scene.rig.server.root().await?.query_drop(sql).await?;
        let result = stuck_at_each_step(&mut scene, wait_point).await;
        result
            .with_context(|| format!("sync_binlog={sync_binlog}, {wait_point}"))
            .map_err(|error| scene.rig.explain(error))?;
    }
    Ok(())
}

async fn stuck_at_each_step(scene: &mut Scene, wait_point: &str) -> Result<()> {
    scene.prepare(ROWS).await?;
    let mut due = STEPS.to_vec();
    scene.start_proxy(&names(&due))?;
    let client = Client::sends(&scene.road, ALTER);
    let mut writing = JoinSet::new();
    while !(client.has_its_answer() && scene.all_is_done().await?) {
        scene.road.follow(&scene.rig.proxy);
        ensure!(!scene.rig.proxy.has_ended(), "the proxy ended by itself");
        let Some(name) = scene.rig.proxy.stopped_at().await? else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let at = due.iter().position(|step| step.name() == name);
        due.remove(at.context("an unknown step")?);
        if name == Failpoint::Checkpointed.name() {
            scene.kill(Victim::Proxy, &names(&due)).await?;
            continue;
        }
        scene.rig.server.stall_commits_at(wait_point, STALL).await?;
        // Not waited for here: the proxy may come to its next stop with rows locked that these want.
        writing.spawn(write_some(scene.rig.server.root_opts(), due.len() as u64));
        stalled(&scene.rig).await?;
        scene.rig.proxy.signal("CONT")?;
        // Room for the migration to come to what it must wait for; nothing depends on how far it comes.
        tokio::time::sleep(Duration::from_millis(300)).await;
        scene.rig.server.release().await?;
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    ensure!(due.is_empty(), "never reached: {due:?}");
    scene.is_altered(client).await
}

fn names(steps: &[Failpoint]) -> String {
    let names: Vec<&str> = steps.iter().map(|step| step.name()).collect();
    names.join(",")
}

/// Several transactions at a time, each of several rows in both tables: changed, moved, deleted and new ones.
async fn write_some(server: Opts, round: u64) -> Result<()> {
    let transactions = (0..STUCK as u64).map(async |writer| {
        let mut conn = Conn::new(server.clone()).await?;
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await?;
        let n = 1 + (round * STUCK as u64 + writer) * 811 % (u64::from(ROWS) - 100);
        conn.query_drop("BEGIN").await?;
        for table in ["app.t", "nat.t"] {
            for sql in [
                format!("UPDATE {table} SET pad='round {round}' WHERE code={n}"),
                format!("DELETE FROM {table} WHERE code={}", n + 1),
                format!("UPDATE {table} SET id=id+5000003 WHERE code={}", n + 2),
                format!(
                    "REPLACE INTO {table} (id, v, pad, code) VALUES ({}, 7, 'new', {})",
                    n * 10 + 5,
                    100_000 + n
                ),
            ] {
                conn.query_drop(sql).await?;
            }
        }
        conn.query_drop("COMMIT").await?;
        Ok(conn.disconnect().await?)
    });
    futures_util::future::try_join_all(transactions).await.map(drop)
}
