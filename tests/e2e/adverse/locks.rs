//! Who writes in an order that has no deadlocks sees none because of a migration, and waits for no lock in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use tokio::task::JoinSet;

use super::{fresh_schemas, in_both};
use crate::support::{Rig, fill, nothing_left};

crate::both!(no_more_deadlocks_than_without);

const WRITERS: u64 = 32;
const ROWS: u32 = 8000;
const DEADLOCK: u16 = 1213;
const LOCK_WAIT: u16 = 1205;

/// What all writers together met.
#[derive(Debug, Default)]
struct Met {
    deadlocks: AtomicU64,
    lock_waits: AtomicU64,
    transactions: AtomicU64,
}

/// Repeats a seeded workload until `enough` says so; the choices depend on the writer and the transaction's number only.
async fn write(
    opts: mysql_async::Opts,
    writer: u64,
    met: Arc<Met>,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<()> {
    let isolation = ["REPEATABLE READ", "READ COMMITTED"][writer as usize % 2];
    let opts = OptsBuilder::from_opts(opts).init(vec![format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"
    )]);
    let mut conn = Conn::new(opts).await?;
    let mut i = 0;
    while go_on(i) {
        let mut seed = (writer << 32 | i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut rows: Vec<u64> = (0..4)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Half of all writes meet on few rows.
                1 + (seed >> 33) % if seed >> 63 == 0 { 50 } else { u64::from(ROWS) }
            })
            .collect();
        // Whoever locks in one order cannot deadlock.
        rows.sort_unstable();
        rows.dedup();
        match transaction(&mut conn, writer, i, &rows).await {
            Ok(()) => drop(met.transactions.fetch_add(1, Ordering::SeqCst)),
            Err(Error::Server(error)) if error.code == DEADLOCK => {
                met.deadlocks.fetch_add(1, Ordering::SeqCst);
            }
            Err(Error::Server(error)) if error.code == LOCK_WAIT => {
                met.lock_waits.fetch_add(1, Ordering::SeqCst);
                conn.query_drop("ROLLBACK").await?;
            }
            Err(other) => return Err(other).with_context(|| format!("writer {writer}")),
        }
        i += 1;
    }
    Ok(())
}

async fn transaction(conn: &mut Conn, writer: u64, i: u64, rows: &[u64]) -> mysql_async::Result<()> {
    conn.query_drop("BEGIN").await?;
    for row in rows {
        let sql = match (writer + i) % 3 {
            0 => format!("SELECT v FROM t WHERE id={row} FOR UPDATE"),
            _ => format!("UPDATE t SET v=v+1 WHERE id={row}"),
        };
        conn.query_drop(sql).await?;
    }
    conn.query_drop(format!("INSERT INTO t (v, pad) VALUES ({i}, 'by {writer}')"))
        .await?;
    conn.query_drop("COMMIT").await
}

async fn all(
    rig: &Rig,
    met: &Arc<Met>,
    go_on: impl Fn(u64) -> bool + Clone + Send + 'static,
) -> Result<JoinSet<Result<()>>> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (opts, met, go_on) = (rig.client_opts("app"), Arc::clone(met), go_on.clone());
        writers.spawn(write(opts, writer, met, go_on));
    }
    Ok(writers)
}

async fn no_more_deadlocks_than_without(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    in_both(
        &mut root,
        &["CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT, pad VARCHAR(40))"],
    )
    .await?;
    fill(&mut root, "app.t", ROWS, "n, 0, 'row'").await?;
    let without = Arc::new(Met::default());
    let mut writers = all(&rig, &without, |i| i < 20).await?;
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    let with = Arc::new(Met::default());
    let stop = Arc::new(AtomicU64::new(0));
    let stopped = Arc::clone(&stop);
    let mut writers = all(&rig, &with, move |_| stopped.load(Ordering::SeqCst) == 0).await?;
    let mut client = rig.client().await?;
    client
        .query_drop("ALTER TABLE t MODIFY v BIGINT, ADD KEY by_v (v)")
        .await?;
    stop.store(1, Ordering::SeqCst);
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    println!("{flavor}: without a migration {without:?}, with one {with:?}");
    let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
    ensure!(
        count(&without.deadlocks) + count(&without.lock_waits) == 0,
        "the workload is no measure: {without:?}"
    );
    ensure!(
        count(&with.deadlocks) + count(&with.lock_waits) == 0,
        "{with:?}\n{}\n{}",
        rig.proxy.log(),
        rig.server.error_log()
    );
    ensure!(count(&with.transactions) > 0);
    nothing_left(&mut root).await
}
