//! A new unique key: stale ghost rows are no duplicates, and duplicates are.

use alterego_engine::checkpoint::Frontier;
use alterego_engine::key::Range;
use alterego_engine::reconcile::{Writer, keys_on};
use alterego_testkit::{Flavor, Server};
use mysql_async::prelude::Queryable;

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
    stale_rows_are_no_duplicates(&server).await?;
    duplicates_are_the_answer(&server).await
}

fn case<'a>(schema: &'a str) -> Case<'a> {
    Case {
        schema,
        source: "id INT PRIMARY KEY, u VARCHAR(20)",
        ghost: "id INT PRIMARY KEY, u VARCHAR(20), UNIQUE KEY uk (u)",
        new_unique: Some("u"),
        sql_mode: STRICT,
    }
}

/// Values went around among every 20 rows: each row written meets its neighbour's old value.
async fn stale_rows_are_no_duplicates(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, case("stale")).await?;
    let (source, ghost) = (fixture.plan.source_name(), fixture.plan.ghost_name());
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, source, 200, "CONCAT('v', n)").await?;
    fill(
        &mut conn,
        ghost,
        200,
        "CONCAT('v', (n - 1) DIV 20 * 20 + n % 20 + 1)",
    )
    .await?;
    let flavor = fixture.upstream.flavor();
    let mut writer = Writer::new(fixture.worker().await?, fixture.plan.clone(), flavor);
    let upper_half = Range {
        after: Some(int(110)),
        through: None,
    };
    assert_eq!(
        writer.range(&upper_half).await?.rows,
        90,
        "the stale rows in the way do not count"
    );
    for n in 1..=110 {
        writer.keys(&[int(n)]).await?;
    }
    fixture.compare().await?;
    conn.query_drop(format!("UPDATE {source} SET u=CONCAT('v', (id % 200) + 1)"))
        .await?;
    let keys: Vec<_> = (1..=200).map(int).collect();
    conn.query_drop(format!("LOCK TABLES {source} WRITE, {ghost} WRITE"))
        .await?;
    assert_eq!(keys_on(&mut conn, &fixture.plan, flavor, &keys).await?, 200);
    // Whoever else wants the table still waits: the locks were not given up.
    let mut other = fixture.upstream.control().await?;
    let refused = other
        .query_drop(format!("UPDATE {source} SET u='x' WHERE id=1"))
        .await;
    assert!(refused.unwrap_err().to_string().contains("1205"));
    conn.query_drop("UNLOCK TABLES").await?;
    fixture.compare().await
}

async fn duplicates_are_the_answer(server: &Server) -> anyhow::Result<()> {
    let fixture = Fixture::new(server, case("duplicates")).await?;
    let source = fixture.plan.source_name();
    let mut conn = fixture.upstream.control().await?;
    fill(&mut conn, source, 3000, "CONCAT('v', IF(n=2500, 7, n))").await?;
    let ledger = fixture.ledger(Frontier::Nothing);
    let error = fixture.copy(&ledger, 2, 300).await.unwrap_err();
    let error = error.server().ok_or_else(|| anyhow::anyhow!("{error}"))?;
    // The server's own words, which differ.
    let native = conn
        .query_drop(format!("ALTER TABLE {source} ADD UNIQUE KEY uk (u)"))
        .await;
    let mysql_async::Error::Server(native) = native.unwrap_err() else {
        anyhow::bail!("the server refused otherwise");
    };
    assert_eq!(
        (error.code, error.state, error.message),
        (native.code, native.state, native.message)
    );
    Ok(())
}
