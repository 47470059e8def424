//! The stream is lost: a server that falls silent for longer than its heartbeats, and events, procedures and bulk statements
//! that write past the proxy all the while.

use std::sync::Arc;

use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;

use super::{Held, altered_as_natively, fresh_schemas, in_both, in_phase, send};
use crate::support::{Rig, Writers, eventually, nothing_left};

crate::both!(a_silent_server_is_heard_again, writers_past_the_proxy);

const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w INT DEFAULT 3 FIRST";

async fn prepare(rig: &Rig, rows: u32) -> Result<()> {
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    in_both(
        &mut root,
        &[
            "CREATE TABLE t (id INT PRIMARY KEY, v INT, pad VARCHAR(100))",
            "CREATE TABLE other (id INT PRIMARY KEY, v INT)",
            "CREATE TABLE third (id INT PRIMARY KEY, v INT)",
            "INSERT INTO third VALUES (7, 70), (8, 80), (2999, -1)",
        ],
    )
    .await?;
    for schema in ["app", "nat"] {
        crate::support::fill(&mut root, &format!("{schema}.t"), rows, "n, n, CONCAT('row ', n)").await?;
        crate::support::fill(&mut root, &format!("{schema}.other"), 50, "n, -n").await?;
    }
    Ok(())
}

async fn a_silent_server_is_heard_again(flavor: Flavor) -> Result<()> {
    let held = Held::at("chunk_dispatched", flavor).await?;
    let rig = &held.rig;
    prepare(rig, 3000).await?;
    let alter = send(rig, ALTER).await?;
    in_phase(rig, "copying").await?;
    let mut root = rig.direct("").await?;
    in_both(&mut root, &["UPDATE t SET pad='before' WHERE id % 9 = 0"]).await?;
    rig.server.freeze()?;
    let silent = eventually("the stream is given up", async || {
        Ok(rig.proxy.log().contains("the server fell silent").then_some(()))
    })
    .await;
    rig.server.thaw()?;
    silent?;
    let writers = Writers::start(rig.server.root_opts(), 2, Arc::new(one_row)).await?;
    writers.each_goes_on().await?;
    held.open()?;
    let ours = alter.await?;
    writers.each_goes_on().await?;
    writers.finish().await?;
    altered_as_natively(rig, tokio::spawn(async move { ours }), ALTER)
        .await
        .map_err(|error| rig.explain(error))?;
    nothing_left(&mut rig.direct("").await?).await
}

fn one_row(writer: u64, i: u64) -> Vec<String> {
    let key = 1 + writer * 1500 + i * 7 % 1400;
    let update = |table: &str| format!("UPDATE {table} SET pad='{writer}.{i}' WHERE id={key}");
    vec![
        "BEGIN".to_owned(),
        update("app.t"),
        update("nat.t"),
        "COMMIT".to_owned(),
    ]
}

/// What an application's neighbours do: LOAD DATA, whole tables at once, joins, procedures, events.
async fn writers_past_the_proxy(flavor: Flavor) -> Result<()> {
    let held = Held::at("verifying", flavor).await?;
    let rig = &held.rig;
    prepare(rig, 3000).await?;
    let mut root = rig.direct("").await?;
    in_both(
        &mut root,
        &[
            "CREATE PROCEDURE touch(n INT) BEGIN UPDATE t SET pad='touched' WHERE id < n; DELETE FROM t WHERE id = n; END",
            "CREATE TRIGGER spread AFTER UPDATE ON other FOR EACH ROW UPDATE t SET v = NEW.v WHERE id = NEW.id + 1000",
            "CREATE VIEW few AS SELECT * FROM t WHERE id < 20",
            "CREATE EVENT tick ON SCHEDULE EVERY 1 SECOND DISABLE DO INSERT IGNORE INTO t VALUES (500000, 5, 'by an event')",
        ],
    )
    .await?;
    let alter = send(rig, ALTER).await?;
    in_phase(rig, "verifying").await?;
    let file = rig.server.data_folder().join("rows.txt");
    std::fs::write(&file, "7000\t1\tloaded\n7001\t2\tloaded\n5\t99\tloaded over\n")?;
    let load = format!(
        "LOAD DATA INFILE '{}' REPLACE INTO TABLE t (id, v, pad)",
        file.display()
    );
    in_both(
        &mut root,
        &[
            &load,
            "CALL touch(30)",
            "UPDATE t JOIN third USING (id) SET t.v = third.v, third.v = third.v * 2",
            "UPDATE other SET v = v + 1 WHERE id < 9",
            "UPDATE few SET pad = 'by a view'",
            "DELETE t FROM t JOIN other USING (id) WHERE other.id > 40",
            "INSERT INTO t SELECT id + 200000, v, 'selected' FROM other",
            "SET GLOBAL event_scheduler = ON",
            "ALTER EVENT tick ENABLE",
        ],
    )
    .await?;
    for schema in ["app", "nat"] {
        eventually("the event has run", async || {
            let found: Option<u8> = root
                .query_first(format!("SELECT 1 FROM {schema}.t WHERE id=500000"))
                .await?;
            Ok(found)
        })
        .await?;
    }
    in_both(&mut root, &["DROP EVENT tick"]).await?;
    held.open()?;
    altered_as_natively(rig, alter, ALTER)
        .await
        .map_err(|error| rig.explain(error))?;
    // And all of it once more than all of it.
    held.close()?;
    let second = "ALTER TABLE t MODIFY v INT";
    let alter = send(rig, second).await?;
    in_phase(rig, "verifying").await?;
    in_both(&mut root, &["DELETE FROM t", &load]).await?;
    held.open()?;
    altered_as_natively(rig, alter, second)
        .await
        .map_err(|error| rig.explain(error))?;
    let rows: Option<u64> = root.query_first("SELECT COUNT(*) FROM app.t").await?;
    ensure!(rows == Some(3), "{rows:?}");
    nothing_left(&mut root).await
}
