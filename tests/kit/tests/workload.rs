//! The workload against the servers alone: it must be right by itself before it can judge anything else.

use std::time::Duration;

use alterego_testkit::orders::{self, Layout};
use alterego_testkit::{Flavor, Options, Server, Workload, WorkloadOptions};
use anyhow::Result;
use mysql_async::Value;
use mysql_async::prelude::Queryable;

/// Runs the workload around `meanwhile` and compares the table with what the clients say.
async fn check(flavor: Flavor, transactions: bool, meanwhile: &str, extra: &[(&str, Value)]) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let layout = Layout::with_rows(20_000);
    orders::fill(&server.root_opts(), "app", "orders", layout, |_| ()).await?;
    let mut options = WorkloadOptions::new(layout);
    options.pause = Duration::ZERO;
    options.transactions = transactions;
    let workload = Workload::start(&server.root_opts(), &options).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut root = server.root().await?;
    root.query_drop(meanwhile).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outcome = workload.stop().await?;
    assert!(outcome.errors.is_empty(), "{flavor}: {:#?}", outcome.errors);
    assert!(
        outcome.changes > 100 && outcome.model.touched_rows() > 100,
        "{flavor}: {}",
        outcome.changes
    );
    assert!(outcome.longest_stall.duration > Duration::ZERO);
    let found = outcome.model.compare(&mut root, ("app", "orders"), extra).await?;
    assert!(found.is_none(), "{flavor}: {found}");

    // And the comparison sees what a fault would leave. No client touches these three rows.
    let second_bucket = layout.highest_id() / 64 + 1;
    root.query_drop("UPDATE app.orders SET quantity = quantity + 1 WHERE id = 1")
        .await?;
    root.query_drop(format!("DELETE FROM app.orders WHERE id = {second_bucket}"))
        .await?;
    let last = layout.highest_id();
    root.query_drop(format!("UPDATE app.orders SET id = 1000000 WHERE id = {last}"))
        .await?;
    let found = outcome.model.compare(&mut root, ("app", "orders"), extra).await?;
    assert_eq!(
        (found.changed, found.missing, found.unexpected),
        (1, 2, 1),
        "{flavor}: {found}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_what_the_table_holds_after_transactions() -> Result<()> {
    for flavor in Flavor::ALL {
        check(flavor, true, "DO 0", &[]).await?;
    }
    Ok(())
}

/// Single statements only: the server's own ALTER makes open transactions fail with 1213.
#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_what_the_table_holds_after_a_native_alter() -> Result<()> {
    let alter = "ALTER TABLE app.orders MODIFY COLUMN quantity BIGINT NOT NULL, \
                 ADD COLUMN region INT NOT NULL DEFAULT 7 AFTER status";
    for flavor in Flavor::ALL {
        check(flavor, false, alter, &[("region", Value::Int(7))]).await?;
    }
    Ok(())
}
