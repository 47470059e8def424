//! Who may be read from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use alterego_proxy::routing::{GroupView, State};
use alterego_testkit::{Flavor, Options, Server, client_opts};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{OptsBuilder, SslOpts};
use tokio::sync::watch;

use super::both;
use super::rig::Rig;
use crate::health::Way;
use crate::health::observe::Observer;
use crate::health::report::Sight;

both! {
    a_replica_that_falls_behind_is_kept_from_readers,
    a_server_that_hangs_is_down,
    a_killed_connection_is_no_failure,
    a_busy_group_is_at_peace,
    a_server_without_tls_is_reached_where_tls_is_only_preferred,
    one_privilege_is_enough,
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
    let rig = Rig::impatient(flavor, 2).await?;
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
    let rig = Rig::start(flavor, 1).await?;
    let mut view = rig.view();
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

/// Replicas are looked at before, after and while their primary is, and rightly have more or less than that look shows.
/// None of it is a finding.
async fn a_busy_group_is_at_peace(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, 3).await?;
    // Two proxies that share what they see.
    let other = rig.another()?;
    other.asked().await;
    let stop = AtomicBool::new(false);
    let write = async {
        while !stop.load(Relaxed) {
            rig.write("a", 20).await?;
        }
        anyhow::Ok(())
    };
    let watch = async {
        tokio::try_join!(peace(rig.view()), peace(other.views().remove(0)))?;
        stop.store(true, Relaxed);
        Ok(())
    };
    tokio::try_join!(write, watch)?;
    rig.all_up("a").await
}

/// Follows a hundred looks at a primary that had more each time.
async fn peace(mut view: watch::Receiver<Arc<GroupView>>) -> Result<()> {
    let mut last = String::new();
    for _ in 0..100 {
        let now = loop {
            view.changed().await?;
            let now = view.borrow_and_update().clone();
            if now.members[0].transactions != last {
                break now;
            }
        };
        now.members[0].transactions.clone_into(&mut last);
        ensure!(now.primary == Ok(0), "{:?}", now.primary);
        for member in &now.members {
            // A machine may be too busy for the replicas to keep up.
            let fine = match &member.state {
                State::Up => true,
                State::Withheld(reason) => reason.contains("behind"),
                State::Down(_) => false,
            };
            ensure!(fine, "{}: {:?}", member.name, member.state);
        }
    }
    Ok(())
}

async fn a_server_without_tls_is_reached_where_tls_is_only_preferred(flavor: Flavor) -> Result<()> {
    let without = match flavor {
        Flavor::MySql => "--tls-version=",
        Flavor::MariaDb => "--skip-ssl",
    };
    let server = Server::start(flavor, &Options::relaxed().arg(without)).await?;
    let preferred = OptsBuilder::from_opts(server.root_opts())
        .ssl_opts(SslOpts::default().with_danger_accept_invalid_certs(true));
    let mut way = Way {
        opts: preferred.into(),
        without_tls: None,
    };
    let patience = Duration::from_secs(60);
    let sight = Observer::new("x".to_owned(), way.clone(), patience).look().await;
    ensure!(matches!(sight, Sight::Silent(_)), "{sight:?}");
    way.without_tls = Some(server.root_opts());
    let sight = Observer::new("x".to_owned(), way, patience).look().await;
    ensure!(sight.look().is_some(), "{sight:?}");
    Ok(())
}

/// And without it the server's own words say which one is missing.
async fn one_privilege_is_enough(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let privilege = match flavor {
        Flavor::MySql => "REPLICATION CLIENT",
        Flavor::MariaDb => "SLAVE MONITOR",
    };
    server
        .create_user("watcher", "secret", None, &[&format!("{privilege} ON *.*")])
        .await?;
    server.create_user("nobody", "secret", None, &[]).await?;
    let look = async |user| {
        let way = Way {
            opts: client_opts(server.port(), user, "secret", None),
            without_tls: None,
        };
        Observer::new("x".to_owned(), way, Duration::from_secs(60))
            .look()
            .await
    };
    let sight = look("watcher").await;
    ensure!(sight.look().is_some_and(|look| look.report.writable), "{sight:?}");
    let sight = look("nobody").await;
    ensure!(
        matches!(&sight, Sight::Silent(reason) if reason.contains(privilege)),
        "{sight:?}"
    );
    Ok(())
}
