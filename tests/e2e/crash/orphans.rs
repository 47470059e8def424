//! A proxy dies, and the server goes on with what that proxy had sent. The next one must neither be confused by it nor see
//! the tables as they were before it.

use alterego_testkit::Flavor;
use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;

use super::scene::{ALTER, Client, ROWS, Scene};
use crate::support::{DEADLINE, eventually};

crate::both!(an_index_build_outlives_its_proxy);

/// What the proxy sends when it builds the indexes; here somebody else does, so that it surely is at work when the next
/// proxy comes.
const BUILD: &str =
    "ALTER TABLE `app__ghost`.`t` ADD UNIQUE KEY `by_code` (`code`), ADD KEY `by_pad` (`pad`) /* alterego */";

async fn an_index_build_outlives_its_proxy(flavor: Flavor) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    scene.prepare(ROWS).await?;
    scene.start_proxy("copied")?;
    let client = Client::sends(&scene.road, ALTER);
    scene.stands_at("copied").await?;
    scene.rig.proxy.kill9();
    scene.road.follow_nobody();

    let mut holder = scene.rig.direct("").await?;
    holder.query_drop("BEGIN").await?;
    holder.query_drop("SELECT * FROM app__ghost.t LIMIT 1").await?;
    let mut orphan = scene.rig.direct("").await?;
    let build = tokio::spawn(async move { orphan.query_drop(BUILD).await });
    let mut root = scene.rig.direct("").await?;
    eventually("the build waits for the table", async || {
        let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%metadata lock%'";
        let waiting: Option<u64> = root.query_first(sql).await?;
        Ok((waiting == Some(1)).then_some(()))
    })
    .await?;
    scene.start_proxy("")?;
    let waits = "still at work on a statement of an earlier attempt";
    scene.rig.proxy.logged(waits, DEADLINE).await?;
    holder.disconnect().await?;
    build.await?.context("the build")?;
    scene.is_altered(client).await
}
