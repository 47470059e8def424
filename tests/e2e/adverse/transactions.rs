//! Transactions of every shape while the table is altered: XA in two phases, across a crash of the server too, savepoints, and
//! such as are rolled back.

use std::sync::Arc;

use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use super::{Held, altered_as_natively, fresh_schemas, in_both, in_phase, send};
use crate::support::{Rig, Writers, eventually, nothing_left};

crate::both!(xa_and_savepoints_under_way, xa_prepared_before_a_crash,);

const ALTER: &str =
    "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w INT DEFAULT 3 FIRST, ADD UNIQUE KEY by_v (v)";
const TABLE: &str =
    "CREATE TABLE t (id INT PRIMARY KEY, v INT, pad VARCHAR(100), code INT, UNIQUE KEY by_code (code))";
const ROWS: u32 = 6000;

async fn prepare(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    in_both(&mut root, &[TABLE]).await?;
    crate::support::fill(&mut root, "app.t", ROWS, "n, n, CONCAT('row ', n), n").await?;
    root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
    Ok(())
}

/// One transaction of a writer, on both tables, with keys of its own.
fn transaction(writer: u64, i: u64) -> Vec<String> {
    let key = 1 + writer * 2000 + i * 7 % 1900;
    let xid = format!("'{writer}.{i}'");
    let change = |what: &str| {
        ["app.t", "nat.t"]
            .map(|table| what.replace(" t ", &format!(" {table} ")))
            .into_iter()
    };
    let update = format!("UPDATE t SET pad='{writer}.{i}' WHERE id={key}");
    let moves = format!("UPDATE t SET id=-id, v=-v WHERE id IN ({key}, -{key})");
    let delete = format!("DELETE FROM t WHERE id={key}");
    let mut statements = Vec::new();
    match i % 5 {
        // Prepared, then committed or rolled back.
        kind @ 0..=2 => {
            statements.push(format!("XA START {xid}"));
            statements.extend(change(if kind == 1 { &moves } else { &update }));
            if kind == 2 {
                statements.extend(change(&delete));
            }
            let end = if kind == 2 { "ROLLBACK" } else { "COMMIT" };
            statements.extend([
                format!("XA END {xid}"),
                format!("XA PREPARE {xid}"),
                format!("XA {end} {xid}"),
            ]);
        }
        3 => {
            statements.push("BEGIN".to_owned());
            statements.extend(change(&update));
            statements.push("SAVEPOINT a".to_owned());
            statements.extend(change(&delete));
            statements.push("SAVEPOINT b".to_owned());
            statements.extend(change(&moves));
            statements.extend(["ROLLBACK TO a", "RELEASE SAVEPOINT a"].map(str::to_owned));
            statements.extend(change(&moves));
            statements.push("COMMIT".to_owned());
        }
        _ => {
            statements.push("BEGIN".to_owned());
            statements.extend(change(&delete));
            statements.extend(change(&moves));
            statements.push("ROLLBACK".to_owned());
        }
    }
    statements
}

async fn xa_and_savepoints_under_way(flavor: Flavor) -> Result<()> {
    let held = Held::at("verifying", flavor).await?;
    let rig = &held.rig;
    prepare(rig).await?;
    let opts = OptsBuilder::from_opts(rig.client_opts("app"))
        .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]);
    let writers = Writers::start(opts.into(), 3, Arc::new(transaction)).await?;
    let alter = send(rig, ALTER).await?;
    in_phase(rig, "verifying").await?;
    // Two stay prepared through the comparison, and up to where only they keep the swap away.
    for (xid, key) in [("stays", 5990), ("goes", 5980)] {
        prepare_xa(&mut rig.direct("app").await?, xid, key).await?;
    }
    for _ in 0..5 {
        writers.each_goes_on().await?;
    }
    held.open()?;
    for _ in 0..20 {
        writers.each_goes_on().await?;
    }
    ensure!(!alter.is_finished(), "it did not wait for a prepared transaction");
    let mut ending = rig.direct("app").await?;
    for end in ["ROLLBACK 'goes'", "COMMIT 'stays'"] {
        // The server takes a moment to see that the session which prepared it has gone.
        eventually("the prepared transaction ends", async || {
            Ok(ending.query_drop(format!("XA {end}")).await.ok())
        })
        .await?;
    }
    let result = alter.await?;
    writers.each_goes_on().await?;
    writers.finish().await?;
    altered_as_natively(rig, tokio::spawn(async move { result }), ALTER)
        .await
        .map_err(|error| rig.explain(error))?;
    nothing_left(&mut rig.direct("").await?).await
}

/// A transaction on the same row of both tables, prepared.
async fn prepare_xa(conn: &mut Conn, xid: &str, key: u32) -> Result<()> {
    for statement in [
        format!("XA START '{xid}'"),
        format!("UPDATE app.t SET pad='{xid}', v=v+1000000 WHERE id={key}"),
        format!("UPDATE nat.t SET pad='{xid}', v=v+1000000 WHERE id={key}"),
        format!("DELETE FROM app.t WHERE id={key}+1"),
        format!("DELETE FROM nat.t WHERE id={key}+1"),
        format!("XA END '{xid}'"),
        format!("XA PREPARE '{xid}'"),
    ] {
        conn.query_drop(&statement).await?;
    }
    Ok(())
}

/// The server dies with two transactions prepared whose events the migration has read already. One is committed after its
/// restart, one rolled back.
async fn xa_prepared_before_a_crash(flavor: Flavor) -> Result<()> {
    let mut held = Held::at("chunk_dispatched", flavor).await?;
    prepare(&held.rig).await?;
    let alter = send(&held.rig, ALTER).await?;
    in_phase(&held.rig, "copying").await?;
    for (xid, key) in [("stays", 10), ("goes", 3000)] {
        prepare_xa(&mut held.rig.direct("app").await?, xid, key).await?;
    }
    held.rig.server.kill();
    ensure!(alter.await?.is_err(), "an answer came from nowhere");
    held.rig.server.restart().await?;
    let mut root = held.rig.direct("").await?;
    let prepared: Vec<mysql_async::Row> = root.query("XA RECOVER").await?;
    ensure!(prepared.len() == 2, "{prepared:?}");
    held.open()?;
    // Their rows are locked; others are copied meanwhile.
    let rig = &held.rig;
    eventually("the copy goes on", async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations.iter().any(|it| it.rows_copied > 0).then_some(()))
    })
    .await?;
    root.query_drop("XA COMMIT 'stays'").await?;
    root.query_drop("XA ROLLBACK 'goes'").await?;
    eventually("the migration ends", async || {
        Ok(rig
            .migrations_of("t")
            .await?
            .iter()
            .all(|it| it.phase == "done")
            .then_some(()))
    })
    .await
    .map_err(|error| rig.explain(error))?;
    rig.direct("nat").await?.query_drop(ALTER).await?;
    rig.tables_are_equal("t").await?;
    nothing_left(&mut root).await
}
