//! `SHOW MIGRATIONS` tells of every schema change which way it was taken, and why it was left to the server.

use alterego_testkit::{Alterego, Flavor};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use crate::support::{Migration, Rig, changes, eventually, run};

crate::both!(
    each_way_is_shown_and_stays_known,
    a_table_of_an_earlier_version_is_completed
);

const TABLES: &[&str] = &[
    "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, KEY by_a (a))",
    "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)",
    "CREATE TABLE keyless (a INT)",
    "CREATE TABLE zero (id INT PRIMARY KEY)",
    "INSERT INTO zero VALUES (0)",
];

/// The statements, and what is to be shown of each: the way, and a part of the reason.
fn statements() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
    vec![
        ("ALTER TABLE t ADD c INT", "instant", None),
        ("ALTER TABLE t DROP INDEX by_a", "inplace", None),
        ("ALTER TABLE t MODIFY a BIGINT", "ghost", None),
        ("CREATE INDEX by_b ON t (b)", "ghost", None),
        (
            "ALTER TABLE t MODIFY a INT, ALGORITHM=COPY",
            "native",
            Some("ALGORITHM"),
        ),
        ("ALTER TABLE keyless MODIFY a BIGINT", "native", Some("key")),
        // Refused when the migration has begun already.
        (
            "ALTER TABLE zero MODIFY id INT AUTO_INCREMENT",
            "native",
            Some("numbers"),
        ),
        (
            "DROP INDEX by_b ON t ALGORITHM=INPLACE",
            "native",
            Some("ALGORITHM"),
        ),
    ]
}

/// What the server refuses is nothing that was done.
const FAILS: &[&str] = &[
    "ALTER TABLE t MODIFY nowhere INT, ALGORITHM=COPY",
    "ALTER TABLE t ADD a INT, ALGORITHM=COPY",
    "ALTER TABLE keyless MODIFY nowhere BIGINT",
];

async fn each_way_is_shown_and_stays_known(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    let mut client = rig.client().await?;
    for sql in TABLES {
        client.query_drop(*sql).await?;
    }
    let statements: Vec<_> = statements()
        .into_iter()
        // MariaDB's DROP INDEX takes no ALGORITHM.
        .filter(|(sql, ..)| flavor == Flavor::MySql || !sql.starts_with("DROP INDEX"))
        .collect();
    for (sql, ..) in &statements {
        let outcome = run(&mut client, sql).await?;
        ensure!(outcome.code().is_none(), "{sql}: {outcome:?}");
        for sql in FAILS {
            let outcome = run(&mut client, sql).await?;
            ensure!(outcome.code().is_some(), "{sql}: {outcome:?}");
        }
    }
    let seen = all_done(&rig, statements.len()).await?;
    check(&statements, &seen)?;
    // Another process knows it, too.
    rig.proxy.stop().await?;
    rig.proxy = Alterego::start(&rig.server, &[], &[]).await?;
    let seen = all_done(&rig, statements.len()).await?;
    check(&statements, &seen)
}

/// Waits until that many changes are shown, and all have come to their end. Oldest first.
async fn all_done(rig: &Rig, count: usize) -> Result<Vec<Migration>> {
    let mut last = Vec::new();
    let shown = eventually("every change is shown as done", async || {
        last = changes(&mut rig.client().await?).await?;
        let done = last.iter().all(|change| change.phase == "done");
        Ok((last.len() >= count && done).then_some(()))
    })
    .await;
    shown.with_context(|| format!("{last:#?}"))?;
    last.sort_by_key(|change| change.id);
    Ok(last)
}

fn check(statements: &[(&str, &str, Option<&str>)], seen: &[Migration]) -> Result<()> {
    ensure!(statements.len() == seen.len(), "{seen:#?}");
    for (change, (sql, way, reason)) in seen.iter().zip(statements) {
        let table = ["keyless", "zero"].into_iter().find(|table| sql.contains(table));
        let table = format!("app.{}", table.unwrap_or("t"));
        let told = change.reason.as_deref();
        let is_told = match reason {
            Some(reason) => told.is_some_and(|told| told.contains(reason)),
            None => told.is_none(),
        };
        // The proxy does not ask which schema is the default where it need not know.
        let is_named = change.table == table || table.ends_with(&format!(".{}", change.table));
        ensure!(
            change.statement == *sql && change.way == *way && is_told && is_named && change.message.is_none(),
            "{sql}: {change:#?}"
        );
    }
    Ok(())
}

async fn a_table_of_an_earlier_version_is_completed(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, &[]).await?;
    let mut client = rig.client().await?;
    for sql in TABLES {
        client.query_drop(*sql).await?;
    }
    client.query_drop("ALTER TABLE t MODIFY a BIGINT").await?;
    client.query_drop("ALTER TABLE t ADD c INT").await?;
    all_done(&rig, 2).await?;
    rig.proxy.stop().await?;
    let mut root = rig.direct("alterego").await?;
    root.query_drop("DELETE FROM migrations WHERE way <> 'ghost'")
        .await?;
    root.query_drop("ALTER TABLE migrations DROP COLUMN way, DROP COLUMN reason")
        .await?;
    rig.proxy = Alterego::start(&rig.server, &[], &[]).await?;
    let mut client = rig.client().await?;
    client.query_drop("ALTER TABLE t ADD d INT").await?;
    let seen = all_done(&rig, 2).await?;
    let ways: Vec<&str> = seen.iter().map(|change| change.way.as_str()).collect();
    ensure!(ways == ["ghost", "instant"], "{seen:#?}");

    // What the server did itself is forgotten in the end; what was done online is not.
    root.query_drop("ALTER TABLE migrations AUTO_INCREMENT = 5000")
        .await?;
    client.query_drop("ALTER TABLE t ADD e INT").await?;
    let mut left = Vec::new();
    eventually("old ones are forgotten", async || {
        left = changes(&mut rig.client().await?).await?;
        let ways: Vec<&str> = left.iter().map(|change| change.statement.as_str()).collect();
        Ok((ways == ["ALTER TABLE t ADD e INT", "ALTER TABLE t MODIFY a BIGINT"]).then_some(()))
    })
    .await
    .with_context(|| format!("{left:#?}"))
}
