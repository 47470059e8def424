//! Private servers that replicate from one another, by GTID and asynchronously.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mysql_async::prelude::Queryable;

use crate::server::free_port;
use crate::{Flavor, Options, Server};

/// Generous, because the machine may be busy with many servers.
const PATIENCE: Duration = Duration::from_secs(90);

/// A primary, and replicas of it that are read-only.
#[derive(Debug)]
pub struct Replication {
    /// The servers, the primary first. Their server ids are 1, 2, and so on.
    pub servers: Vec<Server>,
}

impl Replication {
    /// Starts that many servers.
    pub async fn start(flavor: Flavor, servers: usize) -> Result<Replication> {
        let start = |number: usize| async move {
            let options = Options::relaxed()
                .arg(format!("--server-id={}", number + 1))
                .arg("--log-slave-updates=ON")
                // A replica that lost its source finds it again at once.
                .arg(match flavor {
                    Flavor::MySql => "--replica-net-timeout=5",
                    Flavor::MariaDb => "--slave-net-timeout=5",
                });
            Server::start(flavor, &options).await
        };
        let mut group = Replication { servers: Vec::new() };
        for number in 0..servers {
            group.servers.push(start(number).await?);
        }
        if let [primary, replicas @ ..] = group.servers.as_slice() {
            for replica in replicas {
                replica.set_writable(false).await?;
                replica.follow(primary).await?;
            }
        }
        Ok(group)
    }

    /// Starts that many MySQL servers in Group Replication with a single primary, the first.
    pub async fn start_group(servers: usize) -> Result<Replication> {
        let mut group = Replication { servers: Vec::new() };
        let mut seed = None;
        for number in 0..servers {
            let options = Options::relaxed()
                .arg(format!("--server-id={}", number + 1))
                .arg("--report-host=127.0.0.1");
            let server = Server::start(Flavor::MySql, &options).await?;
            let own = format!("127.0.0.1:{}", free_port()?);
            let bootstrap = seed.is_none();
            let seed = seed.get_or_insert_with(|| own.clone());
            server.join_group(&own, seed, bootstrap).await?;
            group.servers.push(server);
        }
        Ok(group)
    }
}

impl Server {
    /// Replicates from `source`, from where its GTIDs end.
    pub async fn follow(&self, source: &Server) -> Result<()> {
        self.stop_following().await?;
        let port = source.port();
        let statement = match self.flavor() {
            Flavor::MySql => format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='root', \
                 SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=0"
            ),
            Flavor::MariaDb => format!(
                "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='root', MASTER_SSL=0, \
                 MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1"
            ),
        };
        self.execute(&[&statement]).await?;
        self.replicate(true, "").await
    }

    /// Ends replicating, wherever it stands.
    pub async fn stop_following(&self) -> Result<()> {
        self.replicate(false, "").await
    }

    /// Starts or stops the part of replication that receives.
    pub async fn receive(&self, on: bool) -> Result<()> {
        self.replicate(on, "IO_THREAD").await
    }

    /// Starts or stops the part of replication that applies.
    pub async fn apply(&self, on: bool) -> Result<()> {
        self.replicate(on, "SQL_THREAD").await
    }

    /// Lets clients write, or not even administrators.
    pub async fn set_writable(&self, writable: bool) -> Result<()> {
        let on = u8::from(!writable);
        match self.flavor() {
            Flavor::MySql if writable => self.execute(&["SET GLOBAL read_only=0"]).await,
            Flavor::MySql => self.execute(&["SET GLOBAL super_read_only=1"]).await,
            Flavor::MariaDb => self.execute(&[&format!("SET GLOBAL read_only={on}")]).await,
        }
    }

    /// What the server has, in its own words: the executed set, or the state of its binary log.
    pub async fn gtids(&self) -> Result<String> {
        let mut root = self.root().await?;
        let variable = match self.flavor() {
            Flavor::MySql => "SELECT @@GLOBAL.gtid_executed",
            Flavor::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
        };
        let gtids: Option<String> = root.query_first(variable).await?;
        root.disconnect().await?;
        Ok(gtids.unwrap_or_default().replace('\n', ""))
    }

    /// Joins the group that is reached at `seed`, or begins it.
    async fn join_group(&self, own: &str, seed: &str, bootstrap: bool) -> Result<()> {
        self.execute(&[
            "INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
            "SET GLOBAL group_replication_group_name = '3e11fa47-71ca-11e1-9e33-c80aa9429562'",
            &format!("SET GLOBAL group_replication_local_address = '{own}'"),
            &format!("SET GLOBAL group_replication_group_seeds = '{seed}'"),
            &format!(
                "SET GLOBAL group_replication_bootstrap_group = {}",
                u8::from(bootstrap)
            ),
            "CHANGE REPLICATION SOURCE TO SOURCE_USER='root' FOR CHANNEL 'group_replication_recovery'",
            "START GROUP_REPLICATION",
            "SET GLOBAL group_replication_bootstrap_group = 0",
        ])
        .await
    }

    /// Waits until this server has everything that `source` has now.
    pub async fn catch_up(&self, source: &Server) -> Result<()> {
        self.has(&source.gtids().await?).await
    }

    /// Waits until this server has these transactions.
    pub async fn has(&self, wanted: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut root = self.root().await?;
        let has = match self.flavor() {
            Flavor::MySql => format!("SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)"),
            Flavor::MariaDb => format!("SELECT MASTER_GTID_WAIT('{wanted}', 0) = 0"),
        };
        while root.query_first::<u8, _>(&has).await? != Some(1) {
            if Instant::now() > deadline {
                bail!("`{wanted}` does not arrive, only `{}`", self.gtids().await?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        root.disconnect().await?;
        Ok(())
    }

    /// Runs these statements as root.
    pub async fn execute(&self, statements: &[&str]) -> Result<()> {
        let mut root = self.root().await?;
        for statement in statements {
            root.query_drop(*statement).await?;
        }
        root.disconnect().await?;
        Ok(())
    }

    /// Starts or stops a thread of replication, or all of them.
    async fn replicate(&self, on: bool, thread: &str) -> Result<()> {
        let verb = if on { "START" } else { "STOP" };
        let what = match self.flavor() {
            Flavor::MySql => "REPLICA",
            Flavor::MariaDb => "SLAVE",
        };
        self.execute(&[&format!("{verb} {what} {thread}")]).await
    }
}
