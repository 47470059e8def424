//! Secondary indexes that are built after the copy: unique values on the move, and servers with replicas.

use alterego_testkit::{Flavor, client_opts};
use anyhow::{Result, ensure};
use futures_util::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStreamRequest, Conn};

use crate::support::{Rig, eventually, fill, nothing_left};

crate::both!(
    a_unique_value_moved_from_a_row_that_stays_locked,
    a_replica_does_not_wait_for_an_index,
    unique_keys_are_asked_in_the_same_order,
);

const ROWS: u32 = 20_000;
const ALTER: &str = "ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 7 FIRST, MODIFY pad VARCHAR(40)";

/// The log's word for a build.
const BUILDING: &str = "building indexes";

async fn prepare(rig: &Rig) -> Result<()> {
    for schema in ["app", "nat"] {
        let mut root = rig.direct(schema).await?;
        root.query_drop(
            "CREATE TABLE t (id INT PRIMARY KEY, code INT, pad CHAR(20), UNIQUE KEY by_code (code), KEY by_pad (pad(5)))",
        )
        .await?;
        fill(&mut root, "t", ROWS, "n, n, CONCAT('row ', n)").await?;
    }
    Ok(())
}

/// Locks a row until the connection is dropped.
async fn lock(rig: &Rig, id: u32) -> Result<Conn> {
    let mut conn = rig.direct("app").await?;
    conn.query_drop("BEGIN").await?;
    conn.query_drop(format!("SELECT id FROM t WHERE id={id} FOR UPDATE"))
        .await?;
    Ok(conn)
}

fn alter(rig: &Rig) -> tokio::task::JoinHandle<Result<()>> {
    let opts = rig.client_opts("app");
    tokio::spawn(async move { Ok(Conn::new(opts).await?.query_drop(ALTER).await?) })
}

/// The first rows are copied.
async fn some_are_copied(rig: &Rig) -> Result<()> {
    eventually("some rows are copied", async || {
        let migrations = rig.migrations_of("t").await?;
        let copied = migrations.iter().any(|migration| migration.rows_copied > 0);
        Ok(copied.then_some(()))
    })
    .await
}

async fn all_is_well(rig: &Rig) -> Result<()> {
    rig.direct("nat").await?.query_drop(ALTER).await?;
    rig.tables_are_equal("t").await?;
    nothing_left(&mut rig.direct("").await?).await
}

/// Begins a transaction in which row 1 gives its value to row 2, and takes the other's.
async fn swap_values(rig: &Rig, schema: &str) -> Result<Conn> {
    let mut conn = rig.direct(schema).await?;
    conn.query_drop("BEGIN").await?;
    for (id, code) in [(1, -1), (2, 1), (1, 2)] {
        conn.query_drop(format!("UPDATE t SET code={code} WHERE id={id}"))
            .await?;
    }
    Ok(conn)
}

/// Commits once somebody waits for a row.
async fn commit_before_a_queue(rig: &Rig, mut conn: Conn) -> Result<()> {
    let mut root = rig.direct("").await?;
    // Not `innodb_trx`: whoever reads that too often reads a copy that is never renewed.
    let waiting = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'";
    eventually("the row is waited for", async || {
        let row: Option<(String, u64)> = root.query_first(waiting).await?;
        Ok(row.filter(|(_, sessions)| *sessions > 0))
    })
    .await?;
    Ok(conn.query_drop("COMMIT").await?)
}

/// The ghost has the value twice for as long as the row that gave it away cannot be read.
async fn a_unique_value_moved_from_a_row_that_stays_locked(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    prepare(&rig).await?;
    swap_values(&rig, "nat").await?.query_drop("COMMIT").await?;
    // The copy cannot end while its last row is locked.
    let last = lock(&rig, ROWS).await?;
    let altered = alter(&rig);
    some_are_copied(&rig).await?;
    let swap = swap_values(&rig, "app").await?;
    // Whoever is in the queue already has the row before the applier does.
    let (first, committed) = tokio::join!(lock(&rig, 1), commit_before_a_queue(&rig, swap));
    committed?;
    drop(last);
    eventually("the indexes are built", async || {
        let migrations = rig.migrations_of("t").await?;
        ensure!(!altered.is_finished(), "the ALTER has ended: {migrations:?}");
        let built = migrations.iter().any(|migration| migration.phase == "verifying");
        Ok(built.then_some(()))
    })
    .await
    .map_err(|error| rig.explain(error))?;
    drop(first);
    altered.await??;
    ensure!(rig.proxy.log().contains(BUILDING), "no index was put off");
    all_is_well(&rig).await
}

async fn a_replica_does_not_wait_for_an_index(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    prepare(&rig).await?;
    rig.server
        .create_user("replica", "", None, &["REPLICATION SLAVE ON *.*"])
        .await?;
    let replica = Conn::new(client_opts(rig.server.port(), "replica", "", None)).await?;
    let mut log = replica.get_binlog_stream(BinlogStreamRequest::new(4711)).await?;
    ensure!(log.next().await.is_some(), "the replica reads nothing");
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = log.next().await {} });
    alter(&rig).await??;
    reading.abort();
    let log = rig.proxy.log();
    ensure!(
        !log.contains(BUILDING),
        "an index was built in one statement:\n{log}"
    );
    all_is_well(&rig).await
}

/// Where a row is a duplicate by two keys, the one that stands first in the storage engine is named, and decides which row
/// `ON DUPLICATE KEY UPDATE` changes. The server shows a key without NULLs before the others, wherever it stands.
async fn unique_keys_are_asked_in_the_same_order(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &["--strategy", "ghost"]).await?;
    let alter = "ALTER TABLE t ADD UNIQUE KEY by_a (a)";
    let mut errors = Vec::new();
    for (schema, mut conn) in [("app", rig.client().await?), ("nat", rig.direct("nat").await?)] {
        conn.query_drop(
            "CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, b INT, v INT, UNIQUE KEY by_b (b))",
        )
        .await?;
        conn.query_drop("INSERT INTO t VALUES (1, 1, 1, 0), (2, 2, 2, 0)")
            .await?;
        conn.query_drop(alter).await?;
        let refused = conn.query_drop("INSERT INTO t VALUES (3, 1, 2, 0)").await;
        errors.push(refused.err().map(|error| error.to_string()));
        conn.query_drop("INSERT INTO t VALUES (3, 1, 2, 0) ON DUPLICATE KEY UPDATE v=1")
            .await?;
        ensure!(
            rig.migrations().await?.len() == 1,
            "{schema}: {alter} is not online"
        );
    }
    ensure!(errors.first() == errors.get(1), "{errors:?}");
    rig.tables_are_equal("t").await
}
