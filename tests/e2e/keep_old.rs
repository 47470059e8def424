//! The replaced table goes at once, or is kept for a look back.

use alterego_testkit::{Flavor, compare_tables};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;

use crate::support::{Outcome, Rig, eventually, fill, nothing_left, run};

crate::both!(kept_for_an_hour, gone_at_once, one_after_another_and_side_by_side);

async fn prepare(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, b VARCHAR(20), KEY by_a (a))")
            .await?;
        fill(&mut root, "t", 2000, "n, n % 7, CONCAT('row ', n)").await?;
    }
    Ok(())
}

async fn kept_for_an_hour(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &["--keep-old-table", "1h"]).await?;
    prepare(&rig).await?;
    let mut client = rig.client().await?;
    client
        .query_drop("ALTER TABLE t MODIFY a BIGINT NOT NULL")
        .await?;
    client.query_drop("UPDATE t SET a=a+1").await?;
    let mut root = rig.direct("").await?;
    let old = compare_tables(&mut root, ("app__old", "t"), ("nat", "t")).await?;
    ensure!(old.is_none(), "the kept table is not the replaced one: {old}");
    let kept = rig.migrations_of("t").await?;
    ensure!(
        matches!(kept.as_slice(), [one] if one.phase == "swapped"),
        "{kept:?}"
    );
    // The next ALTER of the table replaces what was kept.
    let before: Option<u64> = root.query_first("SELECT SUM(a) FROM app.t").await?;
    client
        .query_drop("ALTER TABLE t MODIFY a INT UNSIGNED NOT NULL")
        .await?;
    let after: Option<u64> = root.query_first("SELECT SUM(a) FROM app__old.t").await?;
    ensure!(before == after, "{before:?} {after:?}");
    eventually("the ghost's schema is gone", async || {
        let ghosts: Vec<String> = root.query("SHOW DATABASES LIKE 'app\\_\\_ghost'").await?;
        Ok(ghosts.is_empty().then_some(()))
    })
    .await
}

async fn gone_at_once(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &["--keep-old-table", "0"]).await?;
    prepare(&rig).await?;
    // A schema of that name that is somebody else's is not removed.
    let mut root = rig.direct("").await?;
    root.query_drop("CREATE DATABASE app__old").await?;
    root.query_drop("CREATE TABLE app__old.theirs (id INT PRIMARY KEY)")
        .await?;
    rig.client()
        .await?
        .query_drop("ALTER TABLE t MODIFY a BIGINT NOT NULL")
        .await?;
    eventually("the migration is done", async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations
            .first()
            .is_some_and(|migration| migration.phase == "done")
            .then_some(()))
    })
    .await?;
    let tables: Vec<String> = root.query("SHOW TABLES FROM app__old").await?;
    ensure!(tables == ["theirs"], "{tables:?}");
    root.query_drop("DROP DATABASE app__old").await?;
    rig.client()
        .await?
        .query_drop("ALTER TABLE t MODIFY a INT UNSIGNED NOT NULL")
        .await?;
    nothing_left(&mut root).await.map_err(|error| rig.explain(error))
}

/// The schemas that one migration removes at its end are those that the next one needs.
async fn one_after_another_and_side_by_side(flavor: Flavor) -> Result<()> {
    const ROUNDS: usize = 6;
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("app").await?;
    let tables = ["t1", "t2", "t3"];
    for table in tables {
        root.query_drop(format!("CREATE TABLE {table} (id INT PRIMARY KEY, a INT)"))
            .await?;
        fill(&mut root, table, 300, "n, n").await?;
    }
    let mut clients = Vec::new();
    for table in tables {
        let mut client = rig.client().await?;
        clients.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let kind = if round % 2 == 0 { "BIGINT" } else { "INT" };
                let outcome = run(&mut client, &format!("ALTER TABLE {table} MODIFY a {kind}")).await?;
                ensure!(
                    matches!(outcome, Outcome::Ok { affected: 300, .. }),
                    "{table}, {round}: {outcome:?}"
                );
            }
            Ok(())
        }));
    }
    for client in clients {
        client.await?.map_err(|error| rig.explain(error))?;
    }
    let migrations = rig.migrations().await?;
    ensure!(
        migrations
            .iter()
            .filter(|migration| migration.succeeded())
            .count()
            == tables.len() * ROUNDS,
        "{migrations:?}"
    );
    nothing_left(&mut root).await
}
