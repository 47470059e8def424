//! Statements of the proxy's clients that change a table while it is altered wait for that, as at the server for a metadata
//! lock, and are answered in the order they came.

use std::time::Duration;

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use super::{Held, fresh_schemas, in_both, in_phase, send};
use crate::support::{DEADLINE, Failures, Outcome, Rig, eventually, nothing_left, run};

crate::both!(
    definitions_wait,
    they_wait_in_order,
    a_wait_can_be_given_up,
    a_transaction_ends_before_the_wait,
    others_do_not_wait,
);

const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT, ADD KEY by_v (v)";
const WAITS: &str = "the statement waits for it";

/// Statements on the table while it is altered. What is left of the table is looked at under the second name.
const STATEMENTS: &[(&str, &str)] = &[
    ("TRUNCATE TABLE t", "t"),
    ("/* a comment */ truncate app.t;", "t"),
    ("DROP TABLE IF EXISTS other, t", ""),
    ("RENAME TABLE t TO u", "u"),
    ("ALTER TABLE t ADD COLUMN late INT DEFAULT 4", "t"),
    ("ALTER TABLE t ADD COLUMN late INT, ALGORITHM=COPY", "t"),
    ("ALTER TABLE t MODIFY pad VARCHAR(90), DROP KEY by_v", "t"),
    ("ALTER TABLE t COALESCE PARTITION 1", "t"),
    (
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 1",
        "t",
    ),
    ("CREATE INDEX late ON t (v, pad)", "t"),
    ("DROP INDEX by_v ON app.t", "t"),
    ("DROP DATABASE app", ""),
];

async fn prepare(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    in_both(
        &mut root,
        &[
            "CREATE TABLE other (id INT PRIMARY KEY)",
            "CREATE TABLE t (id INT PRIMARY KEY, v INT, pad VARCHAR(50)) PARTITION BY HASH (id) PARTITIONS 3",
            "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
        ],
    )
    .await
}

/// How many statements have been seen to wait.
fn waits(rig: &Rig) -> usize {
    rig.proxy.log().matches(WAITS).count()
}

async fn one_more_waits(rig: &Rig, before: usize) -> Result<()> {
    eventually("a statement waits", async || {
        Ok((waits(rig) > before).then_some(()))
    })
    .await
}

/// The ALTER, held in mid-copy.
async fn under_way(held: &Held) -> Result<JoinHandle<Result<Outcome>>> {
    held.close()?;
    let alter = send(&held.rig, ALTER).await?;
    in_phase(&held.rig, "copying").await?;
    Ok(alter)
}

async fn definitions_wait(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let mut failures = Failures::default();
    for (place, (statement, left)) in STATEMENTS.iter().enumerate() {
        // Some of them as prepared statements, which are caught by their execution.
        let result = one(&held, statement, left, place % 3 == 1).await;
        failures.note(&held.rig, statement, result);
    }
    failures.none()
}

async fn one(held: &Held, statement: &str, left: &str, prepared: bool) -> Result<()> {
    let rig = &held.rig;
    prepare(rig).await?;
    let before = waits(rig);
    let alter = under_way(held).await?;
    let mut client = rig.client().await?;
    let text = (*statement).to_owned();
    let waiting = tokio::spawn(async move {
        match prepared {
            true => client.exec_drop(text, ()).await.map(|()| None),
            false => Ok(Some(run(&mut client, &text).await)),
        }
    });
    one_more_waits(rig, before).await?;
    ensure!(!waiting.is_finished() && !alter.is_finished(), "it did not wait");
    held.open()?;
    let altered = alter.await??;
    ensure!(altered.code().is_none(), "{altered:?}");
    let outcome = waiting.await??.transpose()?;
    let mut native = rig.direct("nat").await?;
    let native_altered = run(&mut native, ALTER).await?;
    ensure!(altered == native_altered.told_of_app());
    let same = statement
        .replace("app.", "nat.")
        .replace("DATABASE app", "DATABASE nat");
    let native = run(&mut native, &same).await?;
    if let Some(outcome) = outcome {
        ensure!(
            outcome == native.clone().told_of_app(),
            "{outcome:?}\nnatively: {native:?}"
        );
    }
    ensure!(native.code().is_none(), "{native:?}");
    let mut root = rig.direct("").await?;
    nothing_left(&mut root).await?;
    if left.is_empty() {
        let sql = "SELECT table_schema FROM information_schema.tables WHERE table_name='t' AND table_schema IN ('app', 'nat')";
        let found: Vec<String> = root.query(sql).await?;
        ensure!(found.is_empty(), "{found:?}");
        return Ok(());
    }
    rig.tables_are_equal(left).await
}

/// A TRUNCATE, another ALTER and a DROP of its new index: each finds what the one before it left.
async fn they_wait_in_order(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = under_way(&held).await?;
    let later = [
        "TRUNCATE TABLE t",
        "ALTER TABLE t ADD COLUMN w BIGINT DEFAULT 3 FIRST, MODIFY v VARCHAR(20), ADD KEY by_w (w)",
        "ALTER TABLE t DROP COLUMN pad, DROP KEY by_w, ALGORITHM=INPLACE",
        "RENAME TABLE t TO u",
    ];
    let mut waiting = Vec::new();
    for (place, statement) in later.iter().enumerate() {
        waiting.push(send(rig, statement).await?);
        one_more_waits(rig, place).await?;
    }
    ensure!(waiting.iter().all(|waiter| !waiter.is_finished()));
    held.open()?;
    ensure!(alter.await??.code().is_none());
    let mut native = rig.direct("nat").await?;
    native.query_drop(ALTER).await?;
    for (statement, waiter) in later.iter().zip(waiting) {
        let ours = waiter.await??;
        let natively = run(&mut native, statement).await?.told_of_app();
        ensure!(
            ours == natively,
            "{statement}: {ours:?}\nnatively: {natively:?}\n{}",
            rig.proxy.log()
        );
        ensure!(ours.code().is_none(), "{statement}: {ours:?}");
    }
    rig.tables_are_equal("u").await?;
    nothing_left(&mut rig.direct("").await?).await
}

async fn a_wait_can_be_given_up(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = under_way(&held).await?;
    // By a kill.
    let mut client = rig.client().await?;
    let id = client.id();
    let killed = tokio::spawn(async move {
        let outcome = run(&mut client, "TRUNCATE TABLE t").await?;
        client.query_drop("DO 1").await?;
        anyhow::Ok(outcome)
    });
    one_more_waits(rig, 0).await?;
    let mut root = rig.direct("").await?;
    eventually("the wait is killed", async || {
        root.query_drop(format!("KILL QUERY {id}")).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(killed.is_finished().then_some(()))
    })
    .await?;
    let killed = killed.await??;
    ensure!(killed.code() == Some(1317), "{killed:?}");
    // By the session's own limit.
    let mut client = rig.client().await?;
    client.query_drop("SET SESSION lock_wait_timeout=1").await?;
    let late = run(&mut client, "TRUNCATE TABLE t").await?.error_alone();
    let expected = Outcome::Err {
        code: 1205,
        state: "HY000".to_owned(),
        message: "Lock wait timeout exceeded; try restarting transaction".to_owned(),
        shown: vec![(
            "Error".to_owned(),
            1205,
            "Lock wait timeout exceeded; try restarting transaction".to_owned(),
        )],
    };
    ensure!(late == expected, "{late:?}");
    // By the end of the client.
    let leaving = send(rig, "DROP TABLE t").await?;
    one_more_waits(rig, 2).await?;
    leaving.abort();
    held.open()?;
    ensure!(alter.await??.code().is_none());
    rig.direct("nat").await?.query_drop(ALTER).await?;
    // Whoever comes next does not wait for those who have gone.
    let next = "ALTER TABLE t MODIFY v VARCHAR(30)";
    let mut client = rig.client().await?;
    tokio::time::timeout(DEADLINE, client.query_drop(next))
        .await
        .context("it hangs")??;
    rig.direct("nat").await?.query_drop(next).await?;
    rig.tables_are_equal("t").await
}

/// Else the transaction would keep the migration from ending, and the migration the transaction.
async fn a_transaction_ends_before_the_wait(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = under_way(&held).await?;
    let mut client = rig.client().await?;
    client.query_drop("BEGIN").await?;
    client.query_drop("UPDATE t SET pad='changed' WHERE id=2").await?;
    let waiting = tokio::spawn(async move { run(&mut client, "ALTER TABLE t ADD COLUMN late INT").await });
    one_more_waits(rig, 0).await?;
    held.open()?;
    let altered = tokio::time::timeout(DEADLINE, alter)
        .await
        .context("it hangs")???;
    ensure!(altered.code().is_none(), "{altered:?}");
    ensure!(waiting.await??.code().is_none());
    let mut native = rig.direct("nat").await?;
    for statement in [
        "UPDATE t SET pad='changed' WHERE id=2",
        ALTER,
        "ALTER TABLE t ADD COLUMN late INT",
    ] {
        native.query_drop(statement).await?;
    }
    rig.tables_are_equal("t").await
}

/// Statements about other tables, and such as only read this one.
async fn others_do_not_wait(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = under_way(&held).await?;
    let mut client = rig.client().await?;
    for statement in [
        "CREATE TABLE fresh (id INT PRIMARY KEY, t INT, KEY t (t))",
        "ALTER TABLE fresh RENAME COLUMN t TO u, ADD COLUMN t INT",
        "TRUNCATE fresh",
        "CREATE TABLE alike LIKE t",
        "DROP TABLE alike, fresh",
        "CREATE VIEW seen AS SELECT * FROM t",
        "DROP VIEW seen",
        "CREATE TEMPORARY TABLE t (id INT)",
        "DROP TEMPORARY TABLE t",
        "CREATE DATABASE elsewhere",
        "CREATE TABLE elsewhere.t (id INT)",
        "RENAME TABLE elsewhere.t TO elsewhere.u",
        "DROP DATABASE elsewhere",
        "ANALYZE TABLE t",
    ] {
        tokio::time::timeout(DEADLINE, client.query_drop(statement))
            .await
            .with_context(|| format!("{statement} waits"))?
            .with_context(|| statement.to_owned())?;
    }
    ensure!(waits(rig) == 0);
    held.open()?;
    let altered = alter.await??;
    ensure!(altered.code().is_none(), "{altered:?}");
    rig.direct("nat").await?.query_drop(ALTER).await?;
    rig.tables_are_equal("t").await
}
