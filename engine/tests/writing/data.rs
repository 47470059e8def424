//! Data that does not fit the changed table.

use alterego_engine::checkpoint::Frontier;
use alterego_engine::{Error, Result};
use alterego_testkit::{Flavor, Server};
use mysql_async::prelude::Queryable;
use tokio::sync::watch;

use crate::fixture::{Case, Fixture, STRICT, fill, int, server};

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
    the_first_bad_row_is_the_answer(&server).await?;
    lax_modes_warn_with_ordinals(&server).await?;
    leftovers_of_another_run_are_replaced(&server).await?;
    a_copy_can_be_resumed_throttled_and_cancelled(&server).await?;
    a_bad_change_is_an_answer(&server).await
}

fn narrowed<'a>(schema: &'a str, sql_mode: &'a str) -> Case<'a> {
    Case {
        schema,
        source: "id INT PRIMARY KEY, v INT",
        ghost: "id INT PRIMARY KEY, v TINYINT",
        new_unique: None,
        sql_mode,
    }
}

async fn bad_rows(fixture: &Fixture) -> Result<()> {
    let mut conn = fixture.upstream.control().await?;
    let bad = "IF(n IN (1500, 1700, 2900), 1000, n % 100)";
    fill(&mut conn, fixture.plan.source_name(), 3000, bad).await
}

fn message(error: Error) -> String {
    error
        .server()
        .map_or_else(|| error.to_string(), |server| server.message)
}

async fn the_first_bad_row_is_the_answer(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, narrowed("strict", STRICT)).await?;
    bad_rows(&fixture).await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let error = fixture.copy(&ledger, 4, 300).await.unwrap_err();
    assert_eq!(message(error), "Out of range value for column 'v' at row 1500");
    // Behind a start key the rows in front of it count, too.
    let ledger = fixture.ledger(Frontier::Key(int(1600)));
    let error = fixture.copy(&ledger, 4, 300).await.unwrap_err();
    assert_eq!(message(error), "Out of range value for column 'v' at row 1700");
    Ok(())
}

async fn lax_modes_warn_with_ordinals(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, narrowed("lax", "")).await?;
    bad_rows(&fixture).await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let report = fixture.copy(&ledger, 4, 300).await?;
    let texts: Vec<&str> = report
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!((report.rows, report.warning_count), (3000, 3));
    assert_eq!(
        texts,
        [
            "Out of range value for column 'v' at row 1500",
            "Out of range value for column 'v' at row 1700",
            "Out of range value for column 'v' at row 2900",
        ]
    );
    Ok(())
}

async fn leftovers_of_another_run_are_replaced(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, narrowed("leftovers", STRICT)).await?;
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, fixture.plan.source_name(), 2000, "n % 100").await?;
    fill(&mut conn, fixture.plan.ghost_name(), 3000, "-1").await?;
    conn.query_drop(format!(
        "DELETE FROM {} WHERE id % 3 = 0",
        fixture.plan.source_name()
    ))
    .await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    fixture.copy(&ledger, 2, 300).await?;
    fixture.compare().await
}

async fn a_copy_can_be_resumed_throttled_and_cancelled(server: &Server) -> anyhow::Result<()> {
    // So many that the copy cannot end before it hears that it is cancelled.
    const ROWS: u64 = 30_000;
    let fixture = Fixture::new(server, narrowed("resumed", STRICT)).await?;
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, fixture.plan.source_name(), ROWS, "n % 100").await?;
    let (throttle, throttled) = watch::channel(Some("replica lag".to_owned()));
    let (cancel, cancelled) = watch::channel(false);
    let ledger = fixture.ledger(Frontier::Nothing);
    let copy = fixture.copy_with(&ledger, 2, 100, throttled.clone(), cancelled.clone());
    let meanwhile = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(
            fixture.counters.rows_copied.get(),
            0,
            "nothing is copied while throttled"
        );
        throttle.send_replace(None);
        while fixture.counters.rows_copied.get() < 1000 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        cancel.send_replace(true);
    };
    let (outcome, ()) = tokio::join!(copy, meanwhile);
    outcome.unwrap_err();
    let mut checkpoints = ledger.checkpoint();
    let copied = |frontier: &Frontier| matches!(frontier, Frontier::Key(_));
    let checkpoint = checkpoints.wait_for(|c| c.as_ref().is_some_and(|c| copied(&c.copied_through)));
    let checkpoint = checkpoint
        .await?
        .clone()
        .map(|checkpoint| checkpoint.copied_through);
    let ledger = fixture.ledger(checkpoint.unwrap_or(Frontier::Nothing));
    let report = fixture.copy(&ledger, 2, 100).await?;
    assert!(
        (1..ROWS).contains(&report.rows),
        "{} rows were copied anew",
        report.rows
    );
    let mut checkpoints = ledger.checkpoint();
    checkpoints
        .wait_for(|c| {
            c.as_ref()
                .is_some_and(|c| c.copied_through == Frontier::Everything)
        })
        .await?;
    fixture.compare().await
}

async fn a_bad_change_is_an_answer(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, narrowed("late", STRICT)).await?;
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, fixture.plan.source_name(), 500, "n % 100").await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let (applier, log) = fixture.applier(&ledger);
    fixture.copy(&ledger, 2, 100).await?;
    conn.query_drop(format!(
        "UPDATE {} SET v=1000 WHERE id=321",
        fixture.plan.source_name()
    ))
    .await?;
    log.write([320, 321, 322]).await;
    let waited = applier.wait_applied(&log.end()).await;
    let expected = "Out of range value for column 'v' at row 321";
    assert_eq!(message(waited.unwrap_err()), expected);
    assert_eq!(message(applier.failed().await), expected);
    applier.pause().await;
    applier.stop().await;
    Ok(())
}
