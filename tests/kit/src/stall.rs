//! Commits that stay in the binary log, invisible to every reader: the semi-synchronous `AFTER_SYNC` wait,
//! reproduced without a replica.

use std::time::Duration;

use anyhow::Result;
use mysql_async::prelude::Queryable;

use crate::{Flavor, Server};

impl Server {
    /// From now on each commit waits between the binary log and the storage engine, until `timeout` after
    /// the first one or until [`Server::release`].
    pub async fn stall_commits(&self, timeout: Duration) -> Result<()> {
        self.stall_commits_at("AFTER_SYNC", timeout).await
    }

    /// As [`Server::stall_commits`], with the wait at `point`: at `AFTER_COMMIT` everybody but the client that commits sees
    /// the transaction.
    pub async fn stall_commits_at(&self, point: &str, timeout: Duration) -> Result<()> {
        let mut root = self.root().await?;
        if self.flavor() == Flavor::MySql {
            install_plugin(&mut root).await?;
        }
        for (name, value) in settings(self.flavor(), point, timeout) {
            root.query_drop(format!("SET GLOBAL {name} = {value}")).await?;
        }
        root.disconnect().await?;
        Ok(())
    }

    /// Ends the stall: waiting commits finish.
    pub async fn release(&self) -> Result<()> {
        let mut root = self.root().await?;
        root.query_drop(format!("SET GLOBAL {} = OFF", enabled(self.flavor())))
            .await?;
        root.disconnect().await?;
        Ok(())
    }

    /// How many commits are waiting now.
    pub async fn stalled_commits(&self) -> Result<u64> {
        let mut root = self.root().await?;
        let name = match self.flavor() {
            Flavor::MySql => "Rpl_semi_sync_source_wait_sessions",
            Flavor::MariaDb => "Rpl_semi_sync_master_wait_sessions",
        };
        let row: Option<(String, u64)> = root
            .query_first(format!("SHOW GLOBAL STATUS LIKE '{name}'"))
            .await?;
        root.disconnect().await?;
        Ok(row.map_or(0, |(_, waiting)| waiting))
    }
}

async fn install_plugin(root: &mut mysql_async::Conn) -> Result<()> {
    let installed: Option<u8> = root
        .query_first("SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'rpl_semi_sync_source'")
        .await?;
    if installed.is_none() {
        root.query_drop("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'")
            .await?;
    }
    Ok(())
}

fn enabled(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "rpl_semi_sync_source_enabled",
        Flavor::MariaDb => "rpl_semi_sync_master_enabled",
    }
}

fn settings(flavor: Flavor, wait_point: &str, timeout: Duration) -> Vec<(&'static str, String)> {
    let milliseconds = timeout.as_millis().to_string();
    let [no_replica, limit, point] = match flavor {
        Flavor::MySql => [
            "rpl_semi_sync_source_wait_no_replica",
            "rpl_semi_sync_source_timeout",
            "rpl_semi_sync_source_wait_point",
        ],
        Flavor::MariaDb => [
            "rpl_semi_sync_master_wait_no_slave",
            "rpl_semi_sync_master_timeout",
            "rpl_semi_sync_master_wait_point",
        ],
    };
    vec![
        // Off and on again: after one timeout the server would no longer wait.
        (enabled(flavor), "OFF".to_owned()),
        (no_replica, "ON".to_owned()),
        (limit, milliseconds),
        (point, wait_point.to_owned()),
        (enabled(flavor), "ON".to_owned()),
    ]
}
