//! How fast rows are copied, against the server's own copy. Not a test: run it with `--run-ignored only`.

use std::time::Instant;

use alterego_engine::checkpoint::Frontier;
use alterego_testkit::{Flavor, Options, Server};
use mysql_async::prelude::Queryable;

use crate::fixture::{Case, Fixture, STRICT, fill};

const ROWS: u64 = 1_000_000;

#[tokio::test]
#[ignore = "a measurement"]
async fn mysql() -> anyhow::Result<()> {
    measure(Flavor::MySql).await
}

#[tokio::test]
#[ignore = "a measurement"]
async fn mariadb() -> anyhow::Result<()> {
    measure(Flavor::MariaDb).await
}

async fn measure(flavor: Flavor) -> anyhow::Result<()> {
    let server = Server::start(flavor, &Options::durable()).await?;
    let table = "id INT PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL, KEY k (k)";
    let case = Case {
        schema: "measured",
        source: table,
        ghost: table,
        new_unique: None,
        sql_mode: STRICT,
    };
    let fixture = Fixture::new(&server, case).await?;
    let source = fixture.plan.source_name();
    let mut conn = fixture.upstream.control().await?;
    fill(
        &mut conn,
        source,
        ROWS,
        "n*7919%1000003, SHA2(n,512), SHA2(n,224)",
    )
    .await?;
    for workers in [2, 2] {
        conn.query_drop(format!("TRUNCATE TABLE {}", fixture.plan.ghost_name()))
            .await?;
        let ledger = fixture.ledger(Frontier::Nothing);
        let began = Instant::now();
        let report = fixture.copy(&ledger, workers, 20_000).await?;
        tell(&format!("{workers} workers"), report.rows, began);
        fixture.compare().await?;
    }
    for algorithm in ["COPY", "INPLACE"] {
        let began = Instant::now();
        conn.query_drop(format!("ALTER TABLE {source} FORCE, ALGORITHM={algorithm}"))
            .await?;
        tell(algorithm, ROWS, began);
    }
    Ok(())
}

fn tell(what: &str, rows: u64, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{what}: {rows} rows in {seconds:.2} s, {:.0} rows/s",
        rows as f64 / seconds
    );
}
