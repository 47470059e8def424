//! Definitions changed past the proxy: the binary log tells of them, and the migration ends. The client is told what was done,
//! the table is as those others left it, and nothing of ours is left behind.

use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;

use super::{Held, fresh_schemas, in_both, in_phase, send, told_that_it_failed};
use crate::support::{Failures, Rig, nothing_left, run, script};

crate::both!(
    seen_in_mid_copy,
    seen_before_the_swap,
    a_lost_record_ends_the_migration
);

/// It keeps no index for the end, so that the ghost is whole from the start.
const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT";

/// What others do.
struct Case {
    /// Run in either schema.
    source: &'static str,
    /// Run on what is alterego's own, and what undoes what it leaves behind.
    own: &'static str,
    undo: &'static str,
    /// A word of it that the client must be told.
    told: &'static str,
}

const fn source(sql: &'static str, told: &'static str) -> Case {
    Case {
        source: sql,
        own: "",
        undo: "",
        told,
    }
}

const fn own(sql: &'static str, undo: &'static str, told: &'static str) -> Case {
    Case {
        source: "",
        own: sql,
        undo,
        told,
    }
}

const CASES: &[Case] = &[
    source("TRUNCATE t", "TRUNCATE"),
    source("DROP TABLE t", "DROP"),
    source("RENAME TABLE t TO u", "RENAME"),
    source("RENAME TABLE t TO u, alike TO t", "RENAME"),
    source("ALTER TABLE t ADD COLUMN x INT", "ADD COLUMN"),
    source("ALTER TABLE t DROP COLUMN pad", "DROP COLUMN"),
    source("ALTER TABLE t RENAME COLUMN pad TO cushion", "RENAME COLUMN"),
    source("ALTER TABLE t COALESCE PARTITION 1", "COALESCE"),
    source("ALTER TABLE t TRUNCATE PARTITION p1", "PARTITION"),
    source(
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 1",
        "TRIGGER",
    ),
    source("CREATE INDEX by_pad ON t (pad)", "INDEX"),
    own("DROP DATABASE app; CREATE DATABASE app", "", "DROP DATABASE"),
    own("DROP TABLE app__ghost.t", "", "DROP"),
    own("TRUNCATE app__ghost.t", "", "TRUNCATE"),
    own("ALTER TABLE app__ghost.t ADD COLUMN x INT", "", "ADD COLUMN"),
    own("ALTER TABLE app__ghost.t DROP COLUMN pad", "", "DROP COLUMN"),
    own(
        "RENAME TABLE app__ghost.t TO app.stolen",
        "DROP TABLE app.stolen",
        "RENAME",
    ),
    own("DROP DATABASE app__ghost", "", "DROP DATABASE"),
    own("TRUNCATE alterego.migrations", "", "TRUNCATE"),
    own("DROP DATABASE alterego", "", "DROP DATABASE"),
];

/// Those that are done when everything is copied and compared, and only the swap is to come.
const LATE: &[&str] = &[
    "TRUNCATE t",
    "RENAME TABLE t TO u, alike TO t",
    "ALTER TABLE t ADD COLUMN x INT",
    "TRUNCATE app__ghost.t",
    "ALTER TABLE app__ghost.t ADD COLUMN x INT",
    "DROP DATABASE app__ghost",
    "DROP DATABASE alterego",
];

fn is_late(case: &Case) -> bool {
    LATE.contains(&case.source) || LATE.contains(&case.own)
}

async fn prepare(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    in_both(
        &mut root,
        &[
            "CREATE TABLE t (id INT PRIMARY KEY, v INT, pad VARCHAR(50)) PARTITION BY HASH (id) PARTITIONS 3",
            "CREATE TABLE alike LIKE t",
            "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
            "INSERT INTO alike VALUES (4, 4, 'd'), (2, 5, 'e')",
        ],
    )
    .await
}

async fn seen_in_mid_copy(flavor: Flavor) -> Result<()> {
    all(flavor, "chunk_dispatched", "copying", |case| !is_late(case)).await
}

async fn seen_before_the_swap(flavor: Flavor) -> Result<()> {
    all(flavor, "cut_over", "cutting over", is_late).await
}

async fn all(flavor: Flavor, place: &str, phase: &str, wanted: impl Fn(&Case) -> bool) -> Result<()> {
    let held = Held::at(place, flavor).await?;
    let mut failures = Failures::default();
    for case in CASES.iter().filter(|case| wanted(case)) {
        held.close()?;
        let result = one(&held, case, phase).await;
        failures.note(&held.rig, &format!("{}{}", case.source, case.own), result);
    }
    held.open()?;
    // Whatever they did, the next one works.
    failures.note(&held.rig, "the next one", next(&held.rig).await);
    failures.none()
}

async fn one(held: &Held, case: &Case, phase: &str) -> Result<()> {
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = send(rig, ALTER).await?;
    in_phase(rig, phase).await?;
    let mut root = rig.direct("").await?;
    if !case.source.is_empty() {
        in_both(&mut root, &[case.source]).await?;
    }
    script(&mut root, &case.own.replace("; ", ";\n")).await?;
    // The migration stands still all the while: it ends by what the log tells, not by running into it.
    let message = told_that_it_failed(alter).await?;
    ensure!(
        message.contains("changed by somebody else") && message.contains(case.told),
        "the client was told: {message}"
    );
    script(&mut root, case.undo).await?;
    nothing_left(&mut root).await?;
    if case.own.contains("DATABASE app;") {
        return Ok(());
    }
    // Nothing of the table was touched, and what they left is a table like any other.
    in_both(
        &mut root,
        &[
            "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)",
            "DELETE FROM t WHERE id=2",
            "INSERT INTO t (id) VALUES (2)",
        ],
    )
    .await?;
    rig.tables_are_equal("t").await
}

async fn next(rig: &Rig) -> Result<()> {
    prepare(rig).await?;
    let (ours, native) = rig.both_ways("", ALTER).await?;
    ensure!(ours == native, "{ours:?}\nnatively: {native:?}");
    nothing_left(&mut rig.direct("").await?).await?;
    rig.tables_are_equal("t").await
}

/// Rows of the state table are removed: no process could finish what a crash interrupts, so the migration ends.
async fn a_lost_record_ends_the_migration(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = send(rig, ALTER).await?;
    in_phase(rig, "copying").await?;
    let mut root = rig.direct("app").await?;
    root.query_drop("DELETE FROM alterego.migrations").await?;
    held.open()?;
    let message = told_that_it_failed(alter).await?;
    ensure!(message.contains("its record"), "the client was told: {message}");
    nothing_left(&mut root).await?;
    rig.tables_are_equal("t").await?;
    let again = run(&mut rig.client().await?, ALTER).await?;
    ensure!(again.code().is_none(), "{again:?}");
    Ok(())
}
