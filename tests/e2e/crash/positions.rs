//! A checkpoint never says more than is true: what was not applied when the proxy died is applied by the next one.
//!
//! Verification would mend a checkpoint that said too much, so what counts is that it has nothing to mend.

use std::time::Duration;

use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::scene::{ALTER, Client, ROWS, Scene};
use crate::support::eventually;

crate::both!(
    the_proxy_dies_among_the_rows_of_one_transaction,
    the_proxy_dies_while_one_row_is_locked,
    the_proxy_dies_when_nothing_has_happened_for_long,
);

/// Longer than two intervals between checkpoints, and between the server's heartbeats. Nothing fails if it is too short.
const A_WHILE: Duration = Duration::from_secs(5);

/// The migration, standing at this failpoint.
async fn standing_at(scene: &mut Scene, failpoint: &str, failpoints: &str) -> Result<Client> {
    scene.prepare(ROWS).await?;
    scene.start_proxy(failpoints)?;
    let client = Client::sends(&scene.road, ALTER);
    scene.stands_at(failpoint).await?;
    Ok(client)
}

/// The proxy dies, rows are written, and another one brings the migration to its end.
async fn dies_and_is_followed(scene: &mut Scene, client: Client) -> Result<()> {
    scene.needs_no_repair()?;
    scene.rig.proxy.kill9();
    let mut root = scene.rig.direct("").await?;
    both(&mut root, "UPDATE {} SET pad='nobody looked' WHERE code % 50 = 7").await?;
    scene.start_proxy("")?;
    scene.is_altered(client).await?;
    let log = scene.rig.proxy.log();
    ensure!(log.contains("goes on from its checkpoint"), "{log}");
    Ok(())
}

/// One transaction that writes to both tables; `{}` stands for their names.
async fn both(conn: &mut Conn, statement: &str) -> Result<()> {
    let [first, second] = ["app.t", "nat.t"].map(|table| statement.replace("{}", table));
    Ok(conn
        .query_drop(format!("BEGIN; {first}; {second}; COMMIT"))
        .await?)
}

async fn the_proxy_dies_among_the_rows_of_one_transaction(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    let stops = "copied,batch_committed:7";
    let client = standing_at(&mut scene, "copied", stops).await?;
    let mut root = scene.rig.direct("").await?;
    // Many times as large as a batch.
    both(&mut root, "UPDATE {} SET pad=CONCAT('once ', id)").await?;
    both(&mut root, "DELETE FROM {} WHERE code % 100 = 3").await?;
    scene.rig.proxy.signal("CONT")?;
    scene.stands_at("batch_committed").await?;
    dies_and_is_followed(&mut scene, client).await
}

/// Later changes are applied, in bursts; the position must not pass the one that waits.
async fn the_proxy_dies_while_one_row_is_locked(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    let client = standing_at(&mut scene, "indexed", "indexed").await?;
    let mut root = scene.rig.direct("").await?;
    both(&mut root, "UPDATE {} SET pad='waits' WHERE id=50").await?;
    let mut holder = scene.rig.direct("").await?;
    holder.query_drop("BEGIN").await?;
    holder
        .query_drop("SELECT * FROM app.t WHERE id=50 FOR UPDATE")
        .await?;
    // So few that no server looks through the whole table for them, past the locked row.
    both(
        &mut root,
        "UPDATE {} SET pad='a burst' WHERE id BETWEEN 20000 AND 28000",
    )
    .await?;
    scene.rig.proxy.signal("CONT")?;
    eventually("the burst is applied", async || {
        let sql = "SELECT COUNT(*) FROM app__ghost.t WHERE pad='a burst'";
        let applied: Option<u64> = root.query_first(sql).await?;
        both(&mut root, "UPDATE {} SET pad='a drop' WHERE id=60").await?;
        Ok((applied == Some(801)).then_some(()))
    })
    .await
    .map_err(|error| scene.rig.explain(error))?;
    tokio::time::sleep(A_WHILE).await;
    let ghost: Option<String> = root
        .query_first("SELECT pad FROM app__ghost.t WHERE id=50")
        .await?;
    ensure!(ghost.as_deref() != Some("waits"), "the row was not waited for");
    holder.disconnect().await?;
    dies_and_is_followed(&mut scene, client).await
}

/// Heartbeats alone have told where the log ends.
async fn the_proxy_dies_when_nothing_has_happened_for_long(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    let client = standing_at(&mut scene, "verified", "verified").await?;
    let mut holder = scene.rig.direct("").await?;
    holder.query_drop("BEGIN").await?;
    holder.query_drop("SELECT * FROM app.t WHERE id=50").await?;
    let mut root = scene.rig.direct("").await?;
    both(&mut root, "UPDATE {} SET pad='the last' WHERE id=70").await?;
    scene.rig.proxy.signal("CONT")?;
    // Nobody gets the table locks meanwhile.
    tokio::time::sleep(A_WHILE).await;
    both(&mut root, "UPDATE {} SET pad='after the silence' WHERE id=80").await?;
    scene.rig.proxy.kill9();
    holder.disconnect().await?;
    dies_and_is_followed(&mut scene, client).await
}
