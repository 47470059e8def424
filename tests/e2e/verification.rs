//! A ghost that goes wrong while its migration stands before verification, or inside it: it is put right, and told about.

use std::path::Path;

use alterego_testkit::{Flavor, Options};
use anyhow::{Context, Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::{DEADLINE, Rig, eventually, fill, nothing_left};

crate::both!(
    a_corrupted_ghost_is_put_right_and_reported,
    a_repair_is_followed_by_a_whole_pass,
);

const ROWS: u32 = 9_000;
const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT";

/// The log's word for a repair.
const DIFFERED: &str = "rows of the ghost table differed from their source and are repaired";

/// A proxy whose steps wait for the files in `holds`.
async fn prepare(flavor: Flavor, holds: &Path, names: &[&str]) -> Result<Rig> {
    let mut slow = Vec::new();
    for name in names {
        let file = holds.join(name);
        std::fs::write(&file, "")?;
        slow.push(format!("{name}:{}", file.display()));
    }
    let slow = slow.join(",");
    let rig = Rig::with(flavor, &Options::relaxed(), &[], &[("ALTEREGO_SLOWPOINT", &slow)]).await?;
    for schema in ["app", "nat"] {
        let mut root = rig.direct(schema).await?;
        root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v INT, s VARCHAR(20), s2 VARCHAR(20))")
            .await?;
        fill(&mut root, "t", ROWS, "2*n, n, 'ab', 'c'").await?;
    }
    Ok(rig)
}

fn alter(rig: &Rig) -> tokio::task::JoinHandle<Result<()>> {
    let opts = rig.client_opts("app");
    tokio::spawn(async move { Ok(Conn::new(opts).await?.query_drop(ALTER).await?) })
}

async fn verifying(rig: &Rig) -> Result<()> {
    eventually("it is to be verified", async || {
        let migrations = rig.migrations_of("t").await?;
        let verifying = migrations.iter().any(|migration| migration.phase == "verifying");
        Ok(verifying.then_some(()))
    })
    .await
    .map_err(|error| rig.explain(error))
}

async fn corrupt(rig: &Rig, statements: &[&str]) -> Result<()> {
    let mut ghost = rig.direct("app__ghost").await?;
    for sql in statements {
        ghost.query_drop(*sql).await.with_context(|| (*sql).to_owned())?;
        ensure!(ghost.affected_rows() > 0, "{sql} does nothing");
    }
    Ok(())
}

/// The table is the server's own, and `repaired` rows were repaired, which everybody can see.
async fn all_is_well(rig: &Rig, repaired: u64) -> Result<()> {
    rig.direct("nat").await?.query_drop(ALTER).await?;
    rig.tables_are_equal("t").await?;
    let mut root = rig.direct("").await?;
    nothing_left(&mut root).await?;
    let recorded = "SELECT rows_repaired, cut_over_attempts, longest_hold_us/1000 FROM alterego.migrations";
    let recorded: Option<(u64, u64, f64)> = root.query_first(recorded).await?;
    let (recorded, attempts, held) = recorded.context("nothing is recorded")?;
    let row: Option<mysql_async::Row> = rig.client().await?.query_first("SHOW MIGRATIONS").await?;
    let shown = |column: &str| row.as_ref().and_then(|row| row.get::<String, _>(column));
    ensure!(
        recorded == repaired && shown("rows_repaired") == Some(repaired.to_string()),
        "{recorded} rows are recorded, {repaired} were wrong: {row:?}\n{}",
        rig.proxy.log()
    );
    // Shown with one digit behind the point.
    let shown_held: f64 = shown("longest_hold_ms").unwrap_or_default().parse()?;
    ensure!(
        attempts > 0
            && held > 0.0
            && shown("cut_over_attempts") == Some(attempts.to_string())
            && (shown_held - held).abs() < 0.1,
        "{attempts} attempts are recorded that held for {held} ms: {row:?}"
    );
    Ok(())
}

async fn a_corrupted_ghost_is_put_right_and_reported(flavor: Flavor) -> Result<()> {
    let holds = tempfile::tempdir()?;
    let rig = prepare(flavor, holds.path(), &["verifying"]).await?;
    let altered = alter(&rig);
    verifying(&rig).await?;
    let last = 2 * ROWS;
    corrupt(
        &rig,
        &[
            "DELETE FROM t WHERE id=2",
            &format!("DELETE FROM t WHERE id={last}"),
            "INSERT INTO t VALUES (-7, 1, 'ab', 'c')",
            &format!("INSERT INTO t VALUES ({last}+1, 1, 'ab', 'c')"),
            "UPDATE t SET v=v^1 WHERE id=4000",
            "UPDATE t SET v=NULL WHERE id=4002",
            "UPDATE t SET s='a', s2='bc' WHERE id=4004",
            "UPDATE t SET s='AB' WHERE id=4006",
            "UPDATE t SET s='ab ' WHERE id=4008",
            "DELETE FROM t WHERE id=10000",
            "DELETE FROM t WHERE id=10002",
        ],
    )
    .await?;
    std::fs::remove_file(holds.path().join("verifying"))?;
    altered.await??;
    let log = rig.proxy.log();
    ensure!(log.contains(DIFFERED) && log.contains("rows=11"), "{log}");
    all_is_well(&rig, 11).await
}

/// What goes wrong behind the pass that found something is found by the next one.
async fn a_repair_is_followed_by_a_whole_pass(flavor: Flavor) -> Result<()> {
    let holds = tempfile::tempdir()?;
    let rig = prepare(flavor, holds.path(), &["verifying", "repaired"]).await?;
    let altered = alter(&rig);
    verifying(&rig).await?;
    corrupt(&rig, &["UPDATE t SET v=0 WHERE id=16000"]).await?;
    std::fs::remove_file(holds.path().join("verifying"))?;
    rig.proxy.logged(DIFFERED, DEADLINE).await?;
    corrupt(&rig, &["UPDATE t SET v=0 WHERE id=2", "DELETE FROM t WHERE id=4"]).await?;
    std::fs::remove_file(holds.path().join("repaired"))?;
    altered.await??;
    all_is_well(&rig, 3).await
}
