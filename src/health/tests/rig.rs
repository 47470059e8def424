//! Servers `a`, `b`, `c`, of which `a` is the primary at first, and a monitor of them.

use std::sync::Arc;
use std::time::Duration;

use alterego_proxy::Upstream;
use alterego_proxy::routing::{GroupView, State};
use alterego_testkit::{Flavor, Replication, Server};
use anyhow::{Result, bail};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::health::{GroupSpec, Groups, MemberSpec, Way};

/// Long enough that only something broken reaches it, on a busy machine too.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

/// How long a server may take for an answer: a busy machine is no finding.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Rig {
    pub(super) replication: Replication,
    pub(super) groups: Groups,
    folder: TempDir,
    patience: Duration,
}

impl Rig {
    /// That many servers, with one row in a table.
    pub(super) async fn start(flavor: Flavor, servers: usize) -> Result<Self> {
        Self::patient(PATIENCE, Replication::start(flavor, servers).await?).await
    }

    /// As [`Rig::start`], for servers that are to be found down because they hang.
    pub(super) async fn impatient(flavor: Flavor, servers: usize) -> Result<Self> {
        let patience = Duration::from_secs(3);
        Self::patient(patience, Replication::start(flavor, servers).await?).await
    }

    /// These servers, with one row in a table.
    pub(super) async fn watching(replication: Replication) -> Result<Self> {
        Self::patient(PATIENCE, replication).await
    }

    async fn patient(patience: Duration, replication: Replication) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let rig = Self {
            groups: watch(&replication, &folder, patience)?,
            replication,
            folder,
            patience,
        };
        rig.server("a")
            .execute(&[
                "CREATE DATABASE app",
                "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY)",
            ])
            .await?;
        rig.write("a", 1).await?;
        rig.all_up("a").await?;
        Ok(rig)
    }

    pub(super) fn server(&self, name: &str) -> &Server {
        &self.replication.servers[place(name)]
    }

    pub(super) fn server_mut(&mut self, name: &str) -> &mut Server {
        &mut self.replication.servers[place(name)]
    }

    /// Commits that many transactions on this server.
    pub(super) async fn write(&self, name: &str, count: usize) -> Result<()> {
        self.server(name)
            .execute(&vec!["INSERT INTO app.t VALUES ()"; count])
            .await
    }

    /// The proxy starts again with what it remembers; or with nothing.
    pub(super) fn restart(&mut self, remembering: bool) -> Result<()> {
        if !remembering {
            self.folder = tempfile::tempdir()?;
        }
        self.groups = watch(&self.replication, &self.folder, self.patience)?;
        Ok(())
    }

    /// Another proxy that shares the state folder.
    pub(super) fn another(&self) -> Result<Groups> {
        watch(&self.replication, &self.folder, self.patience)
    }

    pub(super) fn view(&self) -> watch::Receiver<Arc<GroupView>> {
        self.groups.views().remove(0)
    }

    /// Waits for a view that is as it should be.
    pub(super) async fn until(
        &self,
        what: &str,
        wanted: impl FnMut(&Arc<GroupView>) -> bool,
    ) -> Result<Arc<GroupView>> {
        let mut view = self.view();
        let found = tokio::time::timeout(DEADLINE, view.wait_for(wanted)).await;
        if let Ok(found) = found {
            return Ok(Arc::clone(&*found?));
        }
        bail!("waited in vain for: {what}: {:#?}", self.view().borrow());
    }

    /// Waits until this one is the primary and the others may be read from, with all that the primary has now.
    pub(super) async fn all_up(&self, primary: &str) -> Result<()> {
        for (number, server) in self.replication.servers.iter().enumerate() {
            if number != place(primary) {
                server.catch_up(self.server(primary)).await?;
            }
        }
        let has = self.server(primary).gtids().await?;
        let what = format!("{primary} the primary and all up with `{has}`");
        self.until(&what, |view| {
            let mut members = view.members.iter();
            view.primary == Ok(place(primary))
                && members.all(|member| member.state == State::Up && shows(&member.transactions, &has))
        })
        .await?;
        Ok(())
    }

    /// Waits until the monitor has seen all that this server has now.
    pub(super) async fn seen(&self, name: &str) -> Result<()> {
        let has = self.server(name).gtids().await?;
        self.until("the latest look", |view| {
            shows(&view.members[place(name)].transactions, &has)
        })
        .await?;
        Ok(())
    }

    /// Waits until that many views were published: one for each look at a server, and one for each exchange with the
    /// state folder.
    pub(super) async fn views(&self, count: usize) -> Result<()> {
        let mut view = self.view();
        for _ in 0..count {
            tokio::time::timeout(DEADLINE, view.changed()).await??;
        }
        Ok(())
    }

    /// Waits until there is no primary, for a reason with these words, and gives the reason.
    pub(super) async fn refused(&self, words: &str) -> Result<String> {
        let refused = |view: &Arc<GroupView>| {
            view.primary
                .as_ref()
                .is_err_and(|reason| reason.0.contains(words))
        };
        let view = self.until(words, refused).await?;
        Ok(view.primary.clone().unwrap_err().0)
    }

    pub(super) async fn primary(&self, name: &str) -> Result<()> {
        self.until(name, |view| view.primary == Ok(place(name))).await?;
        Ok(())
    }

    /// Waits until this one is withheld, for a reason with these words, and gives what differs.
    pub(super) async fn withheld(&self, name: &str, words: &str) -> Result<Option<String>> {
        let withheld = |view: &Arc<GroupView>| match &view.members[place(name)].state {
            State::Withheld(reason) => reason.contains(words),
            _ => false,
        };
        let view = self.until(words, withheld).await?;
        Ok(view.members[place(name)].differing.clone())
    }

    pub(super) async fn up(&self, name: &str) -> Result<()> {
        self.until(&format!("{name} up"), |view| {
            view.members[place(name)].state == State::Up
        })
        .await?;
        Ok(())
    }

    pub(super) async fn down(&self, name: &str) -> Result<()> {
        let down = |view: &Arc<GroupView>| matches!(view.members[place(name)].state, State::Down(_));
        self.until(&format!("{name} down"), down).await?;
        Ok(())
    }

    /// An operator types this.
    pub(super) async fn says(&self, statement: &str) -> Result<String, String> {
        self.groups.accept(statement).await.expect("an ACCEPT PRIMARY")
    }
}

pub(super) fn place(name: &str) -> usize {
    ["a", "b", "c"]
        .iter()
        .position(|known| *known == name)
        .expect("a known name")
}

/// MariaDB's list holds one entry for each writer, of which `gtid_binlog_pos` names the last.
fn shows(transactions: &str, has: &str) -> bool {
    transactions == has || transactions.split(',').any(|gtid| gtid == has)
}

fn watch(replication: &Replication, folder: &TempDir, patience: Duration) -> Result<Groups> {
    let member = |(number, server): (usize, &Server)| MemberSpec {
        name: ["a", "b", "c"][number].to_owned(),
        way: Way {
            opts: server.root_opts(),
            without_tls: None,
        },
        upstream: Upstream {
            host: "127.0.0.1".to_owned(),
            port: server.port(),
        },
        weight: 1,
    };
    let members = replication.servers.iter().enumerate().map(member).collect();
    let spec = GroupSpec {
        lag_limit: Some(Duration::from_secs(3)),
        interval: Duration::from_millis(100),
        patience,
        ..GroupSpec::new("shop", members)
    };
    Groups::start(vec![spec], Some(folder.path()))
}
