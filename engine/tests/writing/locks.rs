//! Rows that somebody else has locked.

use std::time::{Duration, Instant};

use alterego_engine::checkpoint::Frontier;
use alterego_testkit::{Flavor, Server};
use mysql_async::prelude::Queryable;

use crate::fixture::{Case, Fixture, STRICT, fill, server};

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
    an_open_transaction_is_waited_for(&server).await?;
    a_locked_row_holds_up_only_itself(&server).await?;
    a_drain_given_up_loses_nothing(&server).await?;
    a_change_in_a_chunk_in_flight_is_kept(&server).await?;
    a_stalled_commit_is_not_missed(&server).await
}

fn plain(schema: &str) -> Case<'_> {
    Case {
        schema,
        source: "id INT PRIMARY KEY, v INT",
        ghost: "id INT PRIMARY KEY, v BIGINT",
        new_unique: None,
        sql_mode: STRICT,
    }
}

/// What a statement of the engine takes at least that waits for somebody's row: `innodb_lock_wait_timeout` of its session.
const A_WAIT: Duration = Duration::from_secs(5);

/// An update, an insert in the middle, an insert behind the end and a delete are open while the copy runs.
async fn an_open_transaction_is_waited_for(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, plain("open")).await?;
    let source = fixture.plan.source_name().clone();
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, &source, 4000, "n").await?;
    conn.query_drop(format!("DELETE FROM {source} WHERE id=2500"))
        .await?;
    conn.query_drop(format!(
        "START TRANSACTION; UPDATE {source} SET v=-1 WHERE id=500; INSERT INTO {source} VALUES (2500,-2),(9000,-3); \
         DELETE FROM {source} WHERE id=3500"
    ))
    .await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let copy = fixture.copy(&ledger, 2, 1000);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        conn.query_drop(format!("UPDATE {source} SET v=-4 WHERE id=501"))
            .await?;
        conn.query_drop("COMMIT").await
    };
    let (report, committed) = tokio::join!(copy, meanwhile);
    committed?;
    assert_eq!(report?.rows, 4000);
    fixture.compare().await
}

async fn a_locked_row_holds_up_only_itself(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, plain("held")).await?;
    let source = fixture.plan.source_name().clone();
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, &source, 1000, "n").await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let (applier, log) = fixture.applier(&ledger);
    fixture.copy(&ledger, 2, 1000).await?;
    conn.query_drop(format!("UPDATE {source} SET v=v+1")).await?;
    conn.query_drop(format!(
        "START TRANSACTION; UPDATE {source} SET v=0 WHERE id IN (5, 6, 7, 8, 9)"
    ))
    .await?;
    log.write(1..=1000).await;
    let began = Instant::now();
    while applier.backlog() > 5 && began.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(applier.backlog(), 5);
    assert!(began.elapsed() < A_WAIT, "{:?}", began.elapsed());
    let began = Instant::now();
    applier.pause().await;
    assert!(began.elapsed() < A_WAIT, "{:?}", began.elapsed());
    applier.resume();
    conn.query_drop("COMMIT").await?;
    log.write(5..=9).await;
    applier.wait_applied(&log.end()).await?;
    fixture.compare().await?;
    applier.stop().await;
    Ok(())
}

async fn a_drain_given_up_loses_nothing(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, plain("drained")).await?;
    let source = fixture.plan.source_name().clone();
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, &source, 1000, "n").await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let (applier, log) = fixture.applier(&ledger);
    fixture.copy(&ledger, 2, 1000).await?;
    applier.pause().await;
    conn.query_drop(format!("UPDATE {source} SET v=v+1")).await?;
    log.write(1..=1000).await;
    let mut locked = fixture.worker().await?;
    // A session that is gone cannot drain.
    let id = locked.id();
    conn.query_drop(format!("KILL {id}")).await?;
    applier.drain_on(&mut locked, &log.end()).await.unwrap_err();
    assert_eq!(applier.backlog(), 1000);
    // Nor is anything lost when nobody waits for the end of a drain.
    let mut waiting = fixture.worker().await?;
    let beyond = crate::fixture::position(1_000_000);
    let given_up = tokio::time::timeout(Duration::from_millis(50), applier.drain_on(&mut waiting, &beyond));
    given_up.await.unwrap_err();
    fixture.drain_and_compare(&applier, &log).await?;
    applier.resume();
    applier.reconcile_now(vec![crate::fixture::int(3)]).await?;
    assert_eq!(applier.applied(), Some(log.end()));
    applier.stop().await;
    Ok(())
}

/// A commit that is in the binary log and in no snapshot yet: neither the copy nor the applier may miss it.
async fn a_stalled_commit_is_not_missed(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, plain("stalled")).await?;
    let source = fixture.plan.source_name().clone();
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, &source, 1000, "n").await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let (applier, log) = fixture.applier(&ledger);
    server.stall_commits(Duration::from_secs(4)).await?;
    let statements = [
        format!("INSERT INTO {source} VALUES (1001, 0)"),
        format!("UPDATE {source} SET v=-1 WHERE id=500"),
        format!("DELETE FROM {source} WHERE id=1"),
    ];
    let mut writers = tokio::task::JoinSet::new();
    for statement in statements {
        let mut conn = fixture.upstream.control().await?;
        writers.spawn(async move { conn.query_drop(statement).await });
    }
    while server.stalled_commits().await? == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The events are here before the rows are.
    log.write([1001, 500, 1]).await;
    let copied = fixture.copy(&ledger, 2, 200).await;
    server.release().await?;
    copied?;
    while let Some(written) = writers.join_next().await {
        written??;
    }
    fixture.compare().await?;
    applier.stop().await;
    Ok(())
}

/// A chunk is half read when a row of the half that was read changes: its change must not be taken for one that the chunk's
/// read will see.
async fn a_change_in_a_chunk_in_flight_is_kept(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, plain("flight")).await?;
    let source = fixture.plan.source_name().clone();
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, &source, 1000, "n").await?;
    let mut holder = fixture.upstream.control().await?;
    holder
        .query_drop(format!(
            "START TRANSACTION; UPDATE {source} SET v=-1 WHERE id=1000"
        ))
        .await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let (applier, log) = fixture.applier(&ledger);
    let copy = fixture.copy(&ledger, 1, 1000);
    let meanwhile = async {
        let copied = format!("SELECT COUNT(*) FROM {} WHERE id=1", fixture.plan.ghost_name());
        while conn.query_first::<u64, _>(&copied).await? != Some(1) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        conn.query_drop(format!("UPDATE {source} SET v=-2 WHERE id=1"))
            .await?;
        log.write([1]).await;
        holder.query_drop("COMMIT").await
    };
    let (copied, committed) = tokio::join!(copy, meanwhile);
    committed?;
    copied?;
    applier.wait_applied(&log.end()).await?;
    fixture.compare().await?;
    applier.stop().await;
    Ok(())
}
