//! Who may be read from.

use alterego_proxy::routing::State;
use alterego_testkit::Flavor;
use anyhow::{Result, ensure};

use super::both;
use super::rig::Rig;

both! {
    a_replica_that_falls_behind_is_kept_from_readers,
    a_server_that_hangs_is_down,
    a_killed_connection_is_no_failure,
}

/// Its replication stands still in one of two ways; the second leaves it calling itself punctual.
async fn a_replica_that_falls_behind_is_kept_from_readers(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, 2).await?;
    rig.server("b").apply(false).await?;
    // It has everything.
    rig.up("b").await?;
    rig.write("a", 1).await?;
    let differing = rig.withheld("b", "behind").await?;
    ensure!(differing.is_some(), "what it lacks is told");
    rig.server("b").apply(true).await?;
    rig.up("b").await?;

    rig.server("b").receive(false).await?;
    rig.write("a", 1).await?;
    rig.withheld("b", "behind").await?;
    rig.server("b").receive(true).await?;
    rig.all_up("a").await
}

/// A server that is stopped keeps its connections and answers nothing.
async fn a_server_that_hangs_is_down(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, 2).await?;
    rig.server("b").freeze()?;
    rig.down("b").await?;
    rig.primary("a").await?;
    rig.server("b").thaw()?;
    rig.up("b").await?;
    rig.server("a").freeze()?;
    rig.refused("'a': no answer within").await?;
    rig.up("b").await?;
    rig.server("a").thaw()?;
    rig.all_up("a").await
}

/// The monitor's own connection is closed by an administrator; the server is up all the same.
async fn a_killed_connection_is_no_failure(flavor: Flavor) -> Result<()> {
    use mysql_async::prelude::Queryable;
    let rig = Rig::start(flavor, 1).await?;
    let mut view = rig.monitor.view();
    let mut root = rig.server("a").root().await?;
    let own: Option<u64> = root.query_first("SELECT CONNECTION_ID()").await?;
    for _ in 0..5 {
        let ids: Vec<u64> = root
            .query(
                "SELECT id FROM information_schema.processlist WHERE user = 'root' AND command <> 'Daemon'",
            )
            .await?;
        for id in ids.into_iter().filter(|id| Some(*id) != own) {
            // It may be gone by itself.
            let _ = root.query_drop(format!("KILL {id}")).await;
        }
        rig.write("a", 1).await?;
        let has = rig.server("a").gtids().await?;
        loop {
            let now = view.borrow_and_update().clone();
            ensure!(now.members[0].state == State::Up, "{:?}", now.members[0].state);
            ensure!(now.primary == Ok(0), "{:?}", now.primary);
            if now.members[0].transactions.ends_with(&has) {
                break;
            }
            view.changed().await?;
        }
    }
    Ok(())
}
