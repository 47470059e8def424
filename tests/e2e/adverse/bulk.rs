//! More changes at once than can be applied: one large transaction while nothing is reconciled. The stream waits, memory
//! stays bounded, and the migration ends well; also where the logs it waited for have been purged meanwhile.

use std::time::Duration;

use alterego_testkit::{Flavor, Options};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::{altered_as_natively, fresh_schemas, in_both, in_phase, send};
use crate::support::{Outcome, Rig, eventually, nothing_left};

crate::both!(a_burst_is_held_back, a_burst_whose_log_is_purged);

const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w INT DEFAULT 3 FIRST";

/// Far more than may wait, in keys and in bytes of the log.
const ROWS: u64 = 80_000;
const PENDING_MAX: &str = "5000";
/// What all that may wait takes, by far.
const GROWTH_MAX_KIB: u64 = 80 << 10;

/// `ALTEREGO_BULK_ROWS` makes it longer.
fn rows() -> u64 {
    let given = std::env::var("ALTEREGO_BULK_ROWS").ok();
    given.and_then(|rows| rows.parse().ok()).unwrap_or(ROWS)
}

/// The ALTER before its swap with a transaction of every row in the log, and nothing of it reconciled.
struct Burst {
    rig: Rig,
    folder: tempfile::TempDir,
    /// Keeps the swap away.
    reader: Conn,
    alter: tokio::task::JoinHandle<Result<Outcome>>,
}

async fn burst(flavor: Flavor) -> Result<Burst> {
    let folder = tempfile::tempdir()?;
    let gate = folder.path().join("gate");
    std::fs::write(&gate, "")?;
    let slow = format!("applier_batch:{}", gate.display());
    // A transaction of this size does not fit into the cache and is spilled.
    let options = Options::relaxed().arg("--binlog-cache-size=32768");
    let env = [
        ("ALTEREGO_SLOWPOINT", slow.as_str()),
        ("ALTEREGO_PENDING_MAX", PENDING_MAX),
    ];
    let mut rig = Rig::with(flavor, &options, &[], &env).await?;
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    in_both(
        &mut root,
        &["CREATE TABLE t (id INT PRIMARY KEY, v INT, pad VARCHAR(250))"],
    )
    .await?;
    fill(&mut root, rows()).await?;
    let mut reader = rig.direct("app").await?;
    for statement in ["BEGIN", "SELECT COUNT(*) FROM t WHERE id < 3"] {
        reader.query_drop(statement).await?;
    }
    let alter = send(&rig, ALTER).await?;
    in_phase(&rig, "cutting over").await?;
    let before = resident_kib(&mut rig)?;
    for statement in [
        "BEGIN",
        "UPDATE app.t SET v=v+1",
        "UPDATE nat.t SET v=v+1",
        "COMMIT",
    ] {
        root.query_drop(statement).await?;
    }
    stands_still(&mut root).await?;
    let after = resident_kib(&mut rig)?;
    println!(
        "{flavor}: {} rows changed at once: {before} KiB before, {after} KiB while they wait",
        rows()
    );
    ensure!(
        after < before + GROWTH_MAX_KIB,
        "{before} KiB grew to {after} KiB"
    );
    Ok(Burst {
        rig,
        folder,
        reader,
        alter,
    })
}

async fn fill(root: &mut Conn, rows: u64) -> Result<()> {
    for set in [
        "SET SESSION cte_max_recursion_depth=2000000",
        "SET SESSION max_recursive_iterations=2000000",
    ] {
        // Each server knows one of them.
        root.query_drop(set).await.ok();
    }
    let numbers = format!(
        "WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n+1 FROM numbers WHERE n < {rows})"
    );
    root.query_drop(format!(
        "INSERT INTO app.t {numbers} SELECT n, n, REPEAT('x', 200) FROM numbers"
    ))
    .await?;
    root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
    Ok(())
}

/// The proxy's memory now.
fn resident_kib(rig: &mut Rig) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", rig.proxy.id()))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Waits until the server cannot send any more of its log, and is still not at its end.
async fn stands_still(root: &mut Conn) -> Result<()> {
    let sql = "SELECT state FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    let mut sending = 0;
    eventually("the stream is held back", async || {
        let states: Vec<String> = root.query(sql).await?;
        let is_sending = |state: &String| {
            let state = state.to_lowercase();
            state.contains("sending") || state.contains("writing to net")
        };
        sending = if states.iter().any(is_sending) {
            sending + 1
        } else {
            0
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Whoever only takes its time is not seen so often in a row.
        Ok((sending > 50).then_some(()))
    })
    .await
}

async fn goes_on(burst: Burst) -> Result<Rig> {
    let Burst {
        rig,
        folder,
        mut reader,
        alter,
    } = burst;
    std::fs::remove_file(folder.path().join("gate"))?;
    reader.query_drop("COMMIT").await?;
    altered_as_natively(&rig, alter, ALTER)
        .await
        .map_err(|error| rig.explain(error))?;
    nothing_left(&mut rig.direct("").await?).await?;
    Ok(rig)
}

async fn a_burst_is_held_back(flavor: Flavor) -> Result<()> {
    goes_on(burst(flavor).await?).await.map(drop)
}

/// The stream is lost while it waits, and what it was waiting for is purged: the copy starts over.
async fn a_burst_whose_log_is_purged(flavor: Flavor) -> Result<()> {
    let burst = burst(flavor).await?;
    let mut root = burst.rig.direct("").await?;
    root.query_drop("FLUSH BINARY LOGS").await?;
    let logs: Vec<Row> = root.query("SHOW BINARY LOGS").await?;
    let newest: String = logs.last().and_then(|row| row.get(0)).context("no log")?;
    // Running it would open the stream anew between the kill and the purge.
    burst.rig.proxy.signal("STOP")?;
    eventually("nobody reads the logs", async || {
        let dumps: Vec<u64> = root
            .query("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
            .await?;
        for dump in &dumps {
            // It may be gone by itself.
            root.query_drop(format!("KILL {dump}")).await.ok();
        }
        Ok(dumps.is_empty().then_some(()))
    })
    .await?;
    eventually("the logs are purged", async || {
        root.query_drop(format!("PURGE BINARY LOGS TO '{newest}'"))
            .await?;
        let first: Option<Row> = root.query_first("SHOW BINARY LOGS").await?;
        let first: Option<String> = first.and_then(|row| row.get(0));
        Ok((first.as_deref() == Some(newest.as_str())).then_some(()))
    })
    .await?;
    burst.rig.proxy.signal("CONT")?;
    let rig = goes_on(burst).await?;
    ensure!(
        rig.proxy.log().contains("the migration starts over"),
        "{}",
        rig.proxy.log()
    );
    Ok(())
}
