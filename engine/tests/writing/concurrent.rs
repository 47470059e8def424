//! Many writers while the table is copied and followed.

use alterego_engine::TableName;
use alterego_engine::checkpoint::Frontier;
use alterego_testkit::{Flavor, Server};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::RngExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::fixture::{Case, Fixture, Log, STRICT, fill, server};

const ROWS: i64 = 20_000;
const WRITERS: usize = 6;

#[tokio::test]
async fn on_mysql() -> anyhow::Result<()> {
    all(Flavor::MySql).await
}

#[tokio::test]
async fn on_mariadb() -> anyhow::Result<()> {
    all(Flavor::MariaDb).await
}

async fn all(flavor: Flavor) -> anyhow::Result<()> {
    let server = server(flavor).await?;
    let unique = "id INT PRIMARY KEY, u INT, v INT, UNIQUE KEY uk (u)";
    let plain = "id INT PRIMARY KEY, u INT, v INT";
    let same = Case {
        schema: "same",
        source: unique,
        ghost: unique,
        new_unique: None,
        sql_mode: STRICT,
    };
    busy(&server, same).await?;
    let new = Case {
        schema: "new",
        source: plain,
        ghost: unique,
        new_unique: Some("u"),
        sql_mode: STRICT,
    };
    busy(&server, new).await
}

/// Copies and follows while rows are inserted, updated, deleted, renumbered, and unique values go around.
async fn busy(server: &Server, case: Case<'_>) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, case).await?;
    let source = fixture.plan.source_name().clone();
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, &source, ROWS as u64, "n, n").await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let (applier, log) = fixture.applier(&ledger);
    let (stop, stopped) = watch::channel(false);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let conn = fixture.upstream.control().await?;
        writers.spawn(write(conn, source.clone(), writer, log.clone(), stopped.clone()));
    }
    fixture.copy(&ledger, 3, 500).await?;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    stop.send_replace(true);
    let mut transactions = 0;
    while let Some(written) = writers.join_next().await {
        transactions += written??;
    }
    println!(
        "{transactions} transactions, {} keys applied, {} lock conflicts",
        fixture.counters.changes_applied.get(),
        fixture.counters.lock_retries.get()
    );
    fixture.drain_and_compare(&applier, &log).await?;
    applier.stop().await;
    Ok(())
}

/// Each writer has the ids of its own residue, so that it knows its rows' unique values; an error of the server is a
/// failure of the test: the application must not notice the engine.
async fn write(
    mut conn: Conn,
    table: TableName,
    writer: usize,
    log: Log,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<u64> {
    let mut transactions = 0;
    while !*stopped.borrow() {
        let keys = transaction(&mut conn, &table, writer).await?;
        log.write(keys).await;
        transactions += 1;
    }
    Ok(transactions)
}

async fn transaction(conn: &mut Conn, table: &TableName, writer: usize) -> mysql_async::Result<Vec<i64>> {
    let own = || rand::rng().random_range(1..ROWS / WRITERS as i64) * WRITERS as i64 + writer as i64;
    let (a, b, c) = (own(), own(), own());
    let kind = rand::rng().random_range(0..6);
    let sql = match kind {
        // A rotation of unique values over three rows; NULL is the place they pass through.
        0 | 1 => format!(
            "START TRANSACTION; SET @a=NULL, @b=NULL; SELECT u INTO @a FROM {table} WHERE id={a} FOR UPDATE; \
             SELECT u INTO @b FROM {table} WHERE id={b} FOR UPDATE; \
             UPDATE {table} SET u=NULL WHERE id IN ({a},{b}); UPDATE {table} SET u=@b WHERE id={a}; UPDATE {table} SET u=@a WHERE id={b} AND {a}<>{b}; COMMIT"
        ),
        2 => format!("UPDATE {table} SET v=v+1 WHERE id IN ({a},{b},{c})"),
        3 => format!("DELETE FROM {table} WHERE id={a}"),
        4 => format!("INSERT IGNORE INTO {table} VALUES ({a},NULL,-1)"),
        _ => format!("UPDATE IGNORE {table} SET id={b} WHERE id={a}"),
    };
    conn.query_drop(sql).await?;
    Ok(vec![a, b, c])
}
