//! Sessions that log in their own way. What can be followed is followed; what leaves rows out of the log is noticed, as far
//! as it can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alterego_testkit::{Flavor, Options};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use super::{Held, altered_as_natively, fresh_schemas, in_both, in_phase, send, told_that_it_failed};
use crate::support::{Failures, Rig, Writers, fill, nothing_left};

crate::both!(
    sessions_log_in_their_own_way,
    statements_without_rows_end_the_migration,
    changes_hidden_from_the_log_are_found_by_the_comparison,
);

const TABLE: &str =
    "CREATE TABLE t (id INT PRIMARY KEY, v INT, j JSON, pad VARCHAR(200), at TIMESTAMP(3) NULL)";
const ALTERS: [&str; 2] = [
    "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w INT DEFAULT 3 FIRST",
    "ALTER TABLE t MODIFY v INT, ADD KEY by_v (v, id)",
];
const ROWS: u32 = 6000;

/// How the sessions of the writers are set up: one writer each.
fn sessions(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MySql => &[
            "SET SESSION binlog_row_image=MINIMAL",
            "SET SESSION binlog_row_image=NOBLOB",
            "SET SESSION binlog_row_value_options=PARTIAL_JSON, SESSION binlog_row_image=MINIMAL",
            "SET SESSION binlog_transaction_compression=ON",
            "SET SESSION binlog_transaction_compression=ON, SESSION binlog_row_value_options=PARTIAL_JSON",
            "SET gtid_next='AUTOMATIC:red'",
            "SET SESSION binlog_rows_query_log_events=ON",
        ],
        Flavor::MariaDb => &[
            "SET SESSION binlog_row_image=MINIMAL",
            "SET SESSION binlog_row_image=NOBLOB",
            "SET SESSION binlog_row_image=FULL_NODUP",
            "SET SESSION binlog_annotate_row_events=OFF",
            "SET SESSION gtid_domain_id=7",
        ],
    }
}

/// Servers that write their logs in their own way, too.
fn options(flavor: Flavor) -> Options {
    let options = Options::relaxed();
    match flavor {
        Flavor::MySql => options.arg("--binlog-row-metadata=FULL"),
        Flavor::MariaDb => options
            .arg("--log-bin-compress=ON")
            .arg("--log-bin-compress-min-len=10")
            .arg("--binlog-row-metadata=FULL"),
    }
}

fn transaction(writer: u64, i: u64) -> Vec<String> {
    let key = 1 + writer * 800 + i * 7 % 780;
    let mut statements = vec!["BEGIN".to_owned()];
    for table in ["app.t", "nat.t"] {
        statements.push(match i % 6 {
            0 => format!("UPDATE {table} SET j=JSON_SET(j, '$.n', {i}, '$.list[1]', 'x{i}') WHERE id={key}"),
            1 => format!("UPDATE {table} SET j=JSON_REMOVE(j, '$.text'), v=v+1 WHERE id={key}"),
            2 => format!("UPDATE {table} SET id=-id WHERE id IN ({key}, -{key})"),
            3 => format!("DELETE FROM {table} WHERE id IN ({key}, -{key})"),
            4 => format!(
                "REPLACE INTO {table} (id, j, pad) VALUES ({key}, '{{\"n\": {i}}}', REPEAT('y', 150))"
            ),
            _ => format!(
                "UPDATE {table} SET pad=CONCAT('p', {i}), at='2024-10-27 01:30:00.123' WHERE id={key}"
            ),
        });
    }
    statements.push("COMMIT".to_owned());
    statements
}

async fn prepare(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    in_both(&mut root, &[TABLE]).await?;
    let row = "n, n, CONCAT('{\"n\": ', n, ', \"list\": [1, 2, 3], \"text\": \"', REPEAT('z', 60), '\"}'), 'row', NULL";
    fill(&mut root, "app.t", ROWS, row).await?;
    root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
    Ok(())
}

/// All of them at once, in a log that is rotated all the time and whose stream is killed again and again.
async fn sessions_log_in_their_own_way(flavor: Flavor) -> Result<()> {
    let rig = Rig::with(flavor, &options(flavor), &[], &[]).await?;
    prepare(&rig).await?;
    let mut writers = Vec::new();
    for (number, session) in sessions(flavor).iter().enumerate() {
        let opts = OptsBuilder::from_opts(rig.client_opts("app")).init(vec![
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            *session,
        ]);
        let number = number as u64;
        let transaction = move |_, i| transaction(number, i);
        writers.push(Writers::start(opts.into(), 1, Arc::new(transaction)).await?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let disturber = tokio::spawn(disturb(rig.direct("").await?, Arc::clone(&stop)));
    for alter in ALTERS {
        let ours = send(&rig, alter).await?.await??;
        ensure!(ours.code().is_none(), "{ours:?}\n{}", rig.proxy.log());
        for writers in &writers {
            writers.each_goes_on().await?;
        }
    }
    stop.store(true, Ordering::SeqCst);
    let disturbed = disturber.await??;
    for writers in writers {
        writers.finish().await?;
    }
    println!("{flavor}: {disturbed} rotations");
    let mut native = rig.direct("nat").await?;
    for alter in ALTERS {
        native.query_drop(alter).await?;
    }
    rig.tables_are_equal("t")
        .await
        .map_err(|error| rig.explain(error))?;
    nothing_left(&mut native).await
}

async fn disturb(mut conn: Conn, stop: Arc<AtomicBool>) -> Result<u64> {
    let mut rounds = 0;
    while !stop.load(Ordering::SeqCst) {
        conn.query_drop("FLUSH BINARY LOGS").await?;
        rounds += 1;
        if rounds % 8 == 0 {
            let sql = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
            let dumps: Vec<u64> = conn.query(sql).await?;
            for dump in dumps {
                // It may be gone by itself.
                conn.query_drop(format!("KILL {dump}")).await.ok();
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(rounds)
}

/// A privileged session that logs statements instead of rows, through the proxy or past it.
async fn statements_without_rows_end_the_migration(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let rig = &held.rig;
    let mut failures = Failures::default();
    for (format, through) in [("STATEMENT", true), ("MIXED", false)] {
        for sql in [
            "UPDATE t SET v=v+1 WHERE id < 100",
            "INSERT INTO t (id, v) VALUES (-1, 1)",
            "DELETE FROM t",
        ] {
            held.close()?;
            let result = without_rows(&held, format, through, sql).await;
            failures.note(rig, &format!("{format}: {sql}"), result);
        }
    }
    failures.none()
}

async fn without_rows(held: &Held, format: &str, through: bool, sql: &str) -> Result<()> {
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = send(rig, ALTERS[0]).await?;
    in_phase(rig, "copying").await?;
    let mut conn = if through {
        rig.client().await?
    } else {
        rig.direct("app").await?
    };
    conn.query_drop(format!("SET SESSION binlog_format={format}"))
        .await?;
    conn.query_drop(sql).await?;
    rig.direct("nat").await?.query_drop(sql).await?;
    let message = told_that_it_failed(alter).await?;
    ensure!(
        message.contains("logged without its rows"),
        "the client was told: {message}"
    );
    nothing_left(&mut rig.direct("").await?).await?;
    rig.tables_are_equal("t").await
}

/// `sql_log_bin=0`: the log does not tell, so what was copied before is stale. The comparison finds it.
async fn changes_hidden_from_the_log_are_found_by_the_comparison(flavor: Flavor) -> Result<()> {
    let held = Held::at("verifying", flavor).await?;
    let rig = &held.rig;
    prepare(rig).await?;
    let alter = send(rig, ALTERS[0]).await?;
    in_phase(rig, "verifying").await?;
    let mut root = rig.direct("").await?;
    root.query_drop("SET SESSION sql_log_bin=0").await?;
    in_both(
        &mut root,
        &[
            "UPDATE t SET v=-v, pad=NULL WHERE id % 500 = 0",
            "DELETE FROM t WHERE id % 700 = 0",
            "INSERT INTO t (id, v) VALUES (-5, 5), (100000, 7)",
        ],
    )
    .await?;
    held.open()?;
    altered_as_natively(rig, alter, ALTERS[0])
        .await
        .map_err(|error| rig.explain(error))?;
    nothing_left(&mut root).await
}
