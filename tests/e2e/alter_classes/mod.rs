//! ALTERs of every class under live writes, each compared with the server's own ALTER on a clone of the final rows:
//! the definition, every row, the OK packet, the warnings.
//!
//! Each transaction of the writers does the same to the table and to its clone, and leaves the number of rows as it
//! was, so the clone has the final rows and the count in the OK packet is known at every moment.

mod cases;

use std::sync::Arc;

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::OptsBuilder;
use mysql_async::prelude::Queryable;

use crate::support::{Failures, Outcome, Rig, Writers, fill, nothing_left, run};
use cases::{CASES, Case, TABLE, Way, Writes};

crate::both!(classes_with_strategy_auto, classes_with_strategy_ghost);

/// Rows of the table; several chunks.
const ROWS: u32 = 3000;
/// Where rows go whose primary key is changed.
const ELSEWHERE: u64 = 100_000;

/// The server does what costs it nothing, the rest is a migration.
async fn classes_with_strategy_auto(flavor: Flavor) -> Result<()> {
    all(flavor, "auto", |_| true).await
}

/// What the server would have done at once is a migration, too, and nothing differs.
async fn classes_with_strategy_ghost(flavor: Flavor) -> Result<()> {
    all(flavor, "ghost", |case| case.way(flavor) != Way::Ghost).await
}

async fn all(flavor: Flavor, strategy: &str, wanted: impl Fn(&Case) -> bool) -> Result<()> {
    let rig = Rig::start(flavor, &["--strategy", strategy]).await?;
    let mut root = rig.direct("nat").await?;
    root.query_drop(TABLE.replace("TABLE t", "TABLE seed")).await?;
    fill(&mut root, "seed", ROWS, cases::ROW).await?;
    let mut failures = Failures::default();
    for case in CASES.iter().filter(|case| wanted(case)) {
        failures.note(&rig, case.name, under_writes(&rig, case, strategy).await);
    }
    failures.note(&rig, "nothing is left behind", nothing_left(&mut root).await);
    failures.none()
}

async fn under_writes(rig: &Rig, case: &Case, strategy: &str) -> Result<()> {
    prepare(rig, case).await?;
    let before = rig.migrations_of("t").await?.len();
    let count = if case.writes == Writes::Nothing { 0 } else { 2 };
    let opts = OptsBuilder::from_opts(rig.client_opts("app"))
        .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]);
    let writes = case.writes;
    let writers = Writers::start(
        opts.into(),
        count,
        Arc::new(move |writer, i| transaction(writes, writer, i)),
    )
    .await?;
    let ours = run(&mut rig.client().await?, case.alter).await?;
    if ours.code().is_none() {
        writers.each_goes_on().await?;
    }
    writers.finish().await?;
    let native = run(&mut rig.direct("nat").await?, case.alter)
        .await?
        .told_of_app();
    ensure!(
        ours == native,
        "through the proxy: {ours:?}\nnatively: {native:?}"
    );
    was_done_as_expected(rig, case, strategy, before, &native).await?;
    if case.alter.contains("RENAME TO") {
        return rig.tables_are_equal("renamed").await;
    }
    if case.any_counter {
        for schema in ["app", "nat"] {
            rig.direct(schema)
                .await?
                .query_drop("ALTER TABLE t AUTO_INCREMENT=900000")
                .await?;
        }
    }
    rig.tables_are_equal("t").await
}

async fn was_done_as_expected(
    rig: &Rig,
    case: &Case,
    strategy: &str,
    before: usize,
    native: &Outcome,
) -> Result<()> {
    let migrations = rig.migrations_of("t").await?.len() - before;
    let expected = match case.way(rig.flavor()) {
        Way::Ghost => Some(1),
        Way::Native | Way::Either if strategy == "ghost" => case.forced.then_some(1),
        Way::Native => Some(0),
        // A migration that fails as the server would have refused is no harm.
        Way::Never if native.code().is_some() => None,
        Way::Never => Some(0),
        Way::Either => None,
    };
    ensure!(
        expected.is_none_or(|expected| expected == migrations),
        "{migrations} migrations, not {expected:?}"
    );
    let copied_natively = matches!(native, Outcome::Ok { affected, .. } if *affected > 0);
    ensure!(
        !copied_natively || migrations == 1 || !case.forced,
        "the server copied the table, not alterego"
    );
    Ok(())
}

/// The table and its clone, fresh.
async fn prepare(rig: &Rig, case: &Case) -> Result<()> {
    let mut root = rig.direct("nat").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("DROP TABLE IF EXISTS t, renamed").await?;
        root.query_drop(TABLE).await?;
        if !case.before.is_empty() {
            root.query_drop(case.before).await.context(case.before)?;
        }
        root.query_drop(format!(
            "INSERT INTO t ({0}) SELECT {0} FROM nat.seed",
            cases::COLUMNS
        ))
        .await?;
    }
    Ok(())
}

/// The same on both tables, in one transaction that leaves their row counts as they were.
fn transaction(writes: Writes, writer: u64, i: u64) -> Vec<String> {
    // Each writer keeps to keys of its own, far from the other's.
    let key = 1 + writer * 1600 + (i * 7) % 1400;
    let mut statements = vec!["BEGIN".to_owned()];
    for table in ["app.t", "nat.t"] {
        match i % 4 {
            1 if writes == Writes::All => statements.extend([
                format!("DELETE FROM {table} WHERE code={key}"),
                format!("INSERT INTO {table} (id, a, n, b, code) VALUES ({key}, {i}, 1, 'again {i}', {key})"),
            ]),
            2 => statements.push(format!("UPDATE {table} SET id=id+{ELSEWHERE} WHERE id={key}")),
            3 => statements.push(format!(
                "UPDATE {table} SET id=id-{ELSEWHERE} WHERE id={}",
                key + ELSEWHERE
            )),
            _ => statements.push(format!(
                "UPDATE {table} SET a=a+1, b='changed {i}' WHERE id={key}"
            )),
        }
    }
    statements.push("COMMIT".to_owned());
    statements
}
