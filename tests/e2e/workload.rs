//! A mixed workload through the proxy while its table is altered: it sees no error and reads no wrong row, and every
//! row is as it left it.

use std::sync::Arc;

use alterego_testkit::orders::{self, Layout};
use alterego_testkit::{Flavor, Options, Workload, WorkloadOptions};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{OptsBuilder, Value};

use crate::support::{Migration, Rig, Writers, fill, nothing_left};

crate::both!(
    orders_under_a_mixed_workload,
    orders_on_a_server_that_shows_no_locks,
    writers_of_unusual_sessions
);

async fn orders_under_a_mixed_workload(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    alter_orders(&rig).await?;
    nothing_left(&mut rig.direct("").await?).await
}

/// With no sight of the server's metadata locks, the gate alone keeps the lock request out of every transaction's way.
async fn orders_on_a_server_that_shows_no_locks(flavor: Flavor) -> Result<()> {
    let options = Options::relaxed().arg("--performance-schema=OFF");
    alter_orders(&Rig::with(flavor, &options, &[], &[]).await?).await
}

async fn alter_orders(rig: &Rig) -> Result<()> {
    let layout = Layout::with_rows(40_000);
    orders::fill(&rig.server.root_opts(), "app", "orders", layout, |_| ()).await?;
    let opts = OptsBuilder::from_opts(rig.client_opts("app"))
        .init(vec!["SET SESSION sql_mode=CONCAT(@@sql_mode, ',ANSI_QUOTES')"]);
    let workload = Workload::start(&opts.into(), &WorkloadOptions::new(layout)).await?;
    let mut client = rig.client().await?;
    // Twice, so that the second migration starts from a table that was swapped in.
    let alters = [
        "ALTER TABLE orders MODIFY COLUMN quantity BIGINT NOT NULL, ADD COLUMN region INT NOT NULL DEFAULT 7 AFTER status",
        "ALTER TABLE orders ADD INDEX by_region (region, quantity), MODIFY region BIGINT NOT NULL DEFAULT 7",
    ];
    for alter in alters {
        let before = workload.statements();
        client.query_drop(alter).await?;
        ensure!(workload.statements() > before, "nobody wrote meanwhile");
    }
    let outcome = workload.stop().await?;
    ensure!(
        outcome.errors.is_empty(),
        "{:#?}\n{}\n{}",
        outcome.errors,
        rig.proxy.log(),
        rig.server.error_log()
    );
    let migrations = rig.migrations_of("orders").await?;
    ensure!(
        migrations.len() == alters.len() && migrations.iter().all(Migration::succeeded),
        "{migrations:?}\n{}",
        rig.proxy.log()
    );
    // A repair would hide what copying and following did wrong.
    let log = rig.proxy.log();
    ensure!(!log.contains("differed from their source"), "{log}");
    let mut root = rig.direct("").await?;
    let found = outcome
        .model
        .compare(&mut root, ("app", "orders"), &[("region", Value::Int(7))])
        .await?;
    ensure!(found.is_none(), "{found}\n{}", rig.proxy.log());
    Ok(())
}

/// The writers' own settings are not the ALTER's.
async fn writers_of_unusual_sessions(flavor: Flavor) -> Result<()> {
    const SESSIONS: &[&str] = &[
        "SET sql_mode='ANSI_QUOTES'",
        "SET sql_mode='NO_BACKSLASH_ESCAPES'",
        "SET NAMES latin1",
        "SET time_zone='-07:00'",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ];
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("").await?;
    let alter = "ALTER TABLE t MODIFY v BIGINT, MODIFY at DATETIME(3) NULL, ADD UNIQUE KEY by_k (k)";
    for session in SESSIONS {
        for schema in ["app", "nat"] {
            root.query_drop(format!("USE {schema}")).await?;
            root.query_drop("DROP TABLE IF EXISTS t").await?;
            root.query_drop(
                "CREATE TABLE t (k VARCHAR(40) COLLATE utf8mb4_bin PRIMARY KEY, v INT, at TIMESTAMP NULL) DEFAULT CHARSET=utf8mb4",
            )
            .await?;
            fill(
                &mut root,
                "t",
                3000,
                "CONCAT('key ', n), n, '2024-05-05 12:00:00'",
            )
            .await?;
        }
        let opts = OptsBuilder::from_opts(rig.client_opts("app")).init(vec![*session]);
        let writers = Writers::start(opts.into(), 1, Arc::new(transaction)).await?;
        rig.client().await?.query_drop(alter).await?;
        writers.each_goes_on().await?;
        writers.finish().await?;
        rig.direct("nat").await?.query_drop(alter).await?;
        rig.tables_are_equal("t")
            .await
            .map_err(|error| rig.explain(error.context(*session)))?;
    }
    ensure!(rig.migrations().await?.len() == SESSIONS.len());
    Ok(())
}

/// Keys with characters that some of the sessions read in their own way.
fn transaction(_: u64, i: u64) -> Vec<String> {
    let mut statements = vec!["BEGIN".to_owned()];
    let n = 1 + i * 7 % 2900;
    for table in ["app.t", "nat.t"] {
        statements.push(match i % 3 {
            0 => format!("REPLACE INTO {table} (k, v) VALUES ('it''s \\\\ é {i}', {i})"),
            1 => format!("UPDATE {table} SET k='moved ÿ {n}' WHERE k='key {n}'"),
            _ => format!("DELETE FROM {table} WHERE k='key {n}'"),
        });
    }
    statements.push("COMMIT".to_owned());
    statements
}
