//! Who takes the writes.

use std::time::Duration;

use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;

use super::both;
use super::rig::{DEADLINE, Rig};

both! {
    a_promoted_replica_that_has_everything_takes_the_writes,
    writes_that_never_reached_the_new_primary_are_named,
    what_was_received_must_be_applied,
    an_old_primary_is_up_again_when_its_writes_are_brought_over,
    of_two_that_take_writes_the_known_one_stays,
    what_was_never_acknowledged,
}

/// A primary is demoted, a replica promoted, and the other two follow it.
async fn a_promoted_replica_that_has_everything_takes_the_writes(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, 3).await?;
    rig.server("a").set_writable(false).await?;
    rig.refused("'a': read-only").await?;
    rig.server("b").catch_up(rig.server("a")).await?;
    rig.server("b").set_writable(true).await?;
    rig.refused("'b': takes writes but still replicates").await?;
    rig.server("b").stop_following().await?;
    rig.primary("b").await?;
    for other in ["a", "c"] {
        rig.server(other).follow(rig.server("b")).await?;
    }
    rig.write("b", 3).await?;
    rig.all_up("b").await
}

/// The primary is killed with writes that only it had. Its replica is refused until an operator gives them up; when it
/// comes back it is kept away until it is a clone of the new one.
async fn writes_that_never_reached_the_new_primary_are_named(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, 2).await?;
    let missing = lose_writes(&mut rig, 3).await?;

    let reason = rig.refused("lacks transactions").await?;
    ensure!(
        reason.ends_with(&format!("'a' was seen to have: {missing}")),
        "{reason}"
    );
    // It survives a restart, and so does the refusal.
    rig.restart(true)?;
    let reason = rig.refused("lacks transactions").await?;
    ensure!(reason.ends_with(&missing), "{reason}");
    ensure!(rig.withheld("b", "lacks transactions").await? == Some(missing.clone()));

    let other = rig.another()?;
    let elsewhere = rig
        .says("ACCEPT PRIMARY 'b' IN GROUP 'other' WITHOUT ''")
        .await
        .unwrap_err();
    ensure!(elsewhere == "there is no server group 'other'", "{elsewhere}");
    let refused = rig
        .says("ACCEPT PRIMARY 'b' IN GROUP 'shop' WITHOUT ''")
        .await
        .unwrap_err();
    let Some((_, statement)) = refused.split_once("this would do: ") else {
        anyhow::bail!("{refused}");
    };
    ensure!(statement.ends_with(&format!("WITHOUT '{missing}'")), "{refused}");
    let accepted = rig.says(statement).await.map_err(anyhow::Error::msg)?;
    ensure!(accepted.ends_with(&missing), "{accepted}");
    rig.primary("b").await?;
    // A proxy beside it hears the word.
    let mut others = other.views().remove(0);
    let heard = tokio::time::timeout(DEADLINE, others.wait_for(|view| view.primary.is_ok())).await;
    ensure!(heard??.primary == Ok(1));
    rig.restart(true)?;
    rig.primary("b").await?;
    rig.write("b", 2).await?;

    // It comes back as it went: writable.
    rig.server_mut("a").restart().await?;
    rig.withheld("a", "it takes writes, too").await?;
    rig.server("a").set_writable(false).await?;
    let differing = rig
        .withheld("a", "it has transactions that the primary lacks")
        .await?;
    ensure!(differing == Some(missing), "{differing:?}");
    rig.server_mut("a").begin_anew(11).await?;
    rig.server("a").set_writable(false).await?;
    rig.server("a").follow(rig.server("b")).await?;
    rig.all_up("b").await
}

/// Transactions in the relay log of a promoted replica are not lost, and not there yet either.
async fn what_was_received_must_be_applied(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, 2).await?;
    rig.server("b").apply(false).await?;
    rig.write("a", 3).await?;
    rig.seen("a").await?;
    let had = rig.server("a").gtids().await?;
    // Everything has arrived: the source waits for it, as with semi-synchronous replication.
    received(&rig, flavor).await?;
    rig.server_mut("a").kill();
    rig.server("b").stop_following().await?;
    rig.server("b").set_writable(true).await?;
    rig.refused("'b' takes writes, but lacks transactions").await?;
    // MariaDB has thrown its relay log away by now and fetches it again; MySQL need not.
    if flavor == Flavor::MariaDb {
        rig.server_mut("a").restart().await?;
        rig.server("a").set_writable(false).await?;
        rig.server("b").receive(true).await?;
    }
    rig.server("b").apply(true).await?;
    rig.refused("'b': takes writes but still replicates").await?;
    rig.server("b").has(&had).await?;
    rig.server("b").stop_following().await?;
    rig.primary("b").await
}

/// Waits until the replica's receiver is where its source is.
async fn received(rig: &Rig, flavor: Flavor) -> Result<()> {
    let wanted = rig.server("a").gtids().await?;
    let (status, column) = match flavor {
        Flavor::MySql => ("SHOW REPLICA STATUS", "Retrieved_Gtid_Set"),
        Flavor::MariaDb => ("SHOW ALL SLAVES STATUS", "Gtid_IO_Pos"),
    };
    let mut root = rig.server("b").root().await?;
    for _ in 0..1000 {
        let row: Option<mysql_async::Row> = root.query_first(status).await?;
        let received: Option<String> = row.and_then(|row| row.get(column));
        if received.is_some_and(|received| received.replace('\n', "") == wanted) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("`{wanted}` is not received")
}

/// The old primary comes back read-only, and the new one fetches what it lacked.
async fn an_old_primary_is_up_again_when_its_writes_are_brought_over(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, 2).await?;
    let missing = lose_writes(&mut rig, 2).await?;
    let statement = format!("ACCEPT PRIMARY 'b' IN GROUP 'shop' WITHOUT '{missing}'");
    rig.refused("lacks transactions").await?;
    rig.says(&statement).await.map_err(anyhow::Error::msg)?;
    rig.server_mut("a").restart().await?;
    rig.server("a").set_writable(false).await?;
    rig.withheld("a", "it has transactions that the primary lacks")
        .await?;
    // The rows' keys are taken by nobody else, so they can be applied behind the writes of `b`.
    rig.server("b").follow(rig.server("a")).await?;
    rig.server("b").catch_up(rig.server("a")).await?;
    rig.server("b").stop_following().await?;
    rig.primary("b").await?;
    rig.up("a").await
}

/// Nobody is taken by guess.
async fn of_two_that_take_writes_the_known_one_stays(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, 2).await?;
    rig.server("b").stop_following().await?;
    rig.server("b").set_writable(true).await?;
    rig.withheld("b", "it takes writes, too, while 'a' is the primary")
        .await?;
    rig.primary("a").await?;
    rig.restart(true)?;
    rig.primary("a").await?;
    rig.restart(false)?;
    rig.refused("'a' and 'b' both take writes").await?;
    rig.server("b").set_writable(false).await?;
    rig.primary("a").await
}

/// Kills `a` after that many writes that never reach `b`, promotes `b`, and says what it lacks, by the servers' own
/// arithmetic.
async fn lose_writes(rig: &mut Rig, count: usize) -> Result<String> {
    rig.server("b").receive(false).await?;
    rig.write("a", count).await?;
    rig.seen("a").await?;
    let had = rig.server("a").gtids().await?;
    rig.server_mut("a").kill();
    rig.down("a").await?;
    rig.server("b").stop_following().await?;
    rig.server("b").set_writable(true).await?;
    let mut root = rig.server("b").root().await?;
    let subtract = match rig.server("b").flavor() {
        Flavor::MySql => format!("SELECT GTID_SUBTRACT('{had}', @@GLOBAL.gtid_executed)"),
        // All of it is of one server in one domain.
        Flavor::MariaDb => {
            format!("SELECT CONCAT('0-1-', SUBSTRING_INDEX('{had}', '-', -1) - {count} + 1, '..{had}')")
        }
    };
    let missing: Option<String> = root.query_first(subtract).await?;
    root.disconnect().await?;
    let missing = missing.unwrap_or_default();
    ensure!(!missing.is_empty(), "nothing is lost");
    Ok(missing)
}

/// A commit that waits for a semi-synchronous replica is in the primary's log and was acknowledged to nobody. MySQL does
/// not count it as executed. MariaDB's log state counts it, so there an operator is asked.
async fn what_was_never_acknowledged(flavor: Flavor) -> Result<()> {
    let mut rig = Rig::start(flavor, 2).await?;
    rig.server("b").receive(false).await?;
    rig.server("a").stall_commits(Duration::from_secs(3600)).await?;
    let mut client = rig.server("a").root().await?;
    let insert = tokio::spawn(async move { client.query_drop("INSERT INTO app.t VALUES ()").await });
    while rig.server("a").stalled_commits().await? == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Many looks at both servers.
    rig.views(30).await?;
    rig.server_mut("a").kill();
    ensure!(insert.await?.is_err(), "nobody was told that it is done");
    rig.down("a").await?;
    rig.server("b").stop_following().await?;
    rig.server("b").set_writable(true).await?;
    match flavor {
        Flavor::MySql => rig.primary("b").await,
        Flavor::MariaDb => rig.refused("lacks transactions").await.map(drop),
    }
}
