//! What every crash happens to: a table and its clone, writers of both, through the proxy and past it, and a client that
//! sends its ALTER until it has an answer.
//!
//! The clone is the independent model: each transaction writes the same to both, so the server keeps them equal through
//! any crash, and in the end the server itself alters the clone.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use alterego_testkit::{Alterego, Flavor};
use anyhow::{Context, Result, bail, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::task::JoinHandle;

use super::transaction;
use crate::support::{
    DEADLINE, Rig, Road, Survivors, Transaction, eventually, fill, is_lost, nothing_left, triggers,
};

/// Rows of the table; some ten chunks.
pub(crate) const ROWS: u32 = 10_000;

/// A change that is made online, of a scene that has one migration only.
pub(crate) const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w INT DEFAULT 3 FIRST";

/// So many triggers [`Scene::add_triggers`] adds.
pub(crate) const TRIGGERS: u64 = 4;

/// Rows of each writer: the rows above all of these are nobody's.
const ROWS_PER_WRITER: u64 = 2000;

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Proxy,
    Server,
    /// As when the machine they share goes.
    Both,
}

/// The server, the proxy of the moment, and the roads to them.
pub(crate) struct Scene {
    pub(crate) rig: Rig,
    pub(crate) road: Road,
}

impl Scene {
    pub(crate) async fn start(flavor: Flavor) -> Result<Scene> {
        let rig = Rig::start(flavor, &[]).await?;
        Ok(Scene {
            rig,
            road: Road::default(),
        })
    }

    /// The table and its clone, and nothing of an earlier case.
    pub(crate) async fn prepare(&mut self, rows: u32) -> Result<()> {
        self.rig.proxy.kill9();
        self.road.follow_nobody();
        let mut root = self.rig.direct("").await?;
        for schema in ["app__ghost", "app__old", "alterego"] {
            root.query_drop(format!("DROP DATABASE IF EXISTS {schema}"))
                .await?;
        }
        for table in ["app.t", "nat.t"] {
            for table in [table, &format!("{table}_log")] {
                root.query_drop(format!("DROP TABLE IF EXISTS {table}")).await?;
            }
            root.query_drop(format!(
                "CREATE TABLE {table} (id BIGINT PRIMARY KEY AUTO_INCREMENT, v INT, pad VARCHAR(250), code INT, \
                 UNIQUE KEY by_code (code), KEY by_pad (pad)) AUTO_INCREMENT=1000000000"
            ))
            .await?;
        }
        let columns = "n * 10, n, CONCAT(SHA2(n, 512), '0123456789'), n";
        fill(&mut root, "app.t", rows, columns).await?;
        root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
        Ok(root.disconnect().await?)
    }

    /// Triggers on the table and its clone: two whose order matters, and two that write down what they are called for. They
    /// differ in all that belongs to a trigger.
    pub(crate) async fn add_triggers(&self) -> Result<()> {
        let mut root = self.rig.direct("").await?;
        root.query_drop("CREATE USER IF NOT EXISTS definer").await?;
        root.query_drop("GRANT ALL ON *.* TO definer").await?;
        for schema in ["app", "nat"] {
            for statement in [
                format!("USE {schema}"),
                "SET NAMES utf8mb4".to_owned(),
                "SET sql_mode=DEFAULT".to_owned(),
                "CREATE TABLE t_log (id BIGINT, code INT, pad VARCHAR(250), KEY (id))".to_owned(),
                "CREATE TRIGGER b2 BEFORE UPDATE ON t FOR EACH ROW BEGIN SET NEW.pad=CONCAT('2', NEW.pad); END"
                    .to_owned(),
                "CREATE TRIGGER `b'1` BEFORE UPDATE ON t FOR EACH ROW PRECEDES b2 \
                 SET NEW.pad=LEFT(CONCAT('1', NEW.pad), 50)"
                    .to_owned(),
                "SET NAMES latin1 COLLATE latin1_german1_ci".to_owned(),
                "CREATE DEFINER=definer TRIGGER a1 AFTER UPDATE ON t FOR EACH ROW \
                 INSERT INTO t_log VALUES (NEW.id, NEW.code, NEW.pad)"
                    .to_owned(),
                "SET sql_mode='ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'".to_owned(),
                "CREATE TRIGGER d1 AFTER DELETE ON \"t\" FOR EACH ROW \
                 INSERT INTO t_log VALUES (OLD.id, OLD.code, 'go' || 'ne\\')"
                    .to_owned(),
            ] {
                root.query_drop(statement).await?;
            }
        }
        Ok(root.disconnect().await?)
    }

    /// Each trigger is there, in its place and with all that belongs to it, and was called for each row once.
    pub(crate) async fn triggers_have_done_the_same(&self) -> Result<()> {
        let mut root = self.rig.direct("").await?;
        let ours = triggers(&mut root, "app").await?;
        let native = triggers(&mut root, "nat").await?;
        ensure!(
            ours == native && ours.len() as u64 == 2 * TRIGGERS,
            "{ours:#?}\nnatively: {native:#?}"
        );
        let sql = "SELECT id, code, pad, SUM(side) FROM \
             (SELECT *, 1 AS side FROM app.t_log UNION ALL SELECT *, -1 FROM nat.t_log) both_sides \
             GROUP BY id, code, pad HAVING SUM(side) <> 0 LIMIT 5";
        let differing: Vec<(i64, Option<i32>, String, i64)> = root.query(sql).await?;
        ensure!(differing.is_empty(), "skipped or doubled: {differing:?}");
        let calls: Option<u64> = root.query_first("SELECT COUNT(*) FROM nat.t_log").await?;
        ensure!(calls > Some(0), "no trigger was called");
        let strange = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
             WHERE table_schema='app' AND table_name LIKE 'alterego%'";
        let strange: Vec<String> = root.query(strange).await?;
        ensure!(strange.is_empty(), "left behind: {strange:?}");
        Ok(root.disconnect().await?)
    }

    /// Two writers on each road.
    ///
    /// `first` is the number of each one's first transaction, and none may come twice: it makes values distinct.
    pub(crate) fn writers(&self, first: u64) -> Survivors {
        let direct = Road::to(self.rig.server.root_opts());
        let roads = [direct.clone(), self.road.clone(), direct, self.road.clone()];
        let transaction: Transaction = Arc::new(|writer, i| transaction(ROWS_PER_WRITER, writer, i));
        Survivors::begin(&roads, first, &transaction)
    }

    /// Starts a proxy in place of the last one, to stop at these failpoints.
    pub(crate) fn start_proxy(&mut self, failpoints: &str) -> Result<()> {
        self.road.follow_nobody();
        let env = [("ALTEREGO_FAILPOINT", failpoints)];
        self.rig.proxy = Alterego::spawn(&self.rig.server, &[], &env)?;
        Ok(())
    }

    /// Kills, and starts again what was killed, the proxy with these failpoints; a proxy that stood still and lives goes on.
    pub(crate) async fn kill(&mut self, victim: Victim, failpoints: &str) -> Result<()> {
        if victim != Victim::Server {
            self.rig.proxy.kill9();
        }
        if victim != Victim::Proxy {
            self.rig.server.kill();
        }
        if victim == Victim::Server {
            self.rig.proxy.signal("CONT")?;
        }
        if victim != Victim::Proxy {
            self.rig.server.restart().await?;
        }
        if victim != Victim::Server {
            self.start_proxy(failpoints)?;
        }
        Ok(())
    }

    /// Waits until the proxy of the moment stands still, which has to be at this failpoint.
    pub(crate) async fn stands_at(&mut self, failpoint: &str) -> Result<()> {
        let Scene { rig, road } = self;
        let name = eventually("the proxy stands at a failpoint", async || {
            road.follow(&rig.proxy);
            rig.proxy.stopped_at().await
        })
        .await
        .map_err(|error| rig.explain(error))?;
        ensure!(name == failpoint, "it stands at {name}");
        Ok(())
    }

    /// The end of a scene whose one migration is [`ALTER`]: it is done, the client heard the truth, the table is what the
    /// server makes of the clone, and verification had nothing to mend.
    pub(crate) async fn is_altered(&self, client: Client) -> Result<()> {
        let result = async {
            eventually("the migration has ended", async || {
                self.road.follow(&self.rig.proxy);
                Ok(self.all_is_done().await?.then_some(()))
            })
            .await?;
            is_true_of_an_altered_table(client.answer().await?)?;
            ensure!(self.ends().await? == ["done"]);
            self.needs_no_repair()?;
            self.rig.direct("nat").await?.query_drop(ALTER).await?;
            self.rig.tables_are_equal("t").await?;
            nothing_left(&mut self.rig.direct("").await?).await
        };
        result.await.map_err(|error| self.rig.explain(error))
    }

    /// The proxy of the moment has found no row of the ghost wrong: what the crashes left was right before it was compared.
    pub(crate) fn needs_no_repair(&self) -> Result<()> {
        let log = self.rig.proxy.log();
        ensure!(!log.contains("are repaired"), "rows were wrong:\n{log}");
        Ok(())
    }

    /// Whether every migration has ended and left nothing to do; not while the server cannot be asked.
    pub(crate) async fn all_is_done(&self) -> Result<bool> {
        self.has_done(1).await
    }

    /// Whether every migration has ended and left nothing to do, and there were as many at least.
    pub(crate) async fn has_done(&self, migrations: u64) -> Result<bool> {
        let Ok(mut root) = self.rig.server.root().await else {
            return Ok(false);
        };
        let sql = "SELECT COUNT(*), COUNT(ended_at) FROM alterego.migrations";
        let counts: mysql_async::Result<Option<(u64, u64)>> = root.query_first(sql).await;
        Ok(matches!(counts, Ok(Some((all, ended))) if all >= migrations && all == ended))
    }

    /// How the recorded migrations ended, the oldest first.
    pub(crate) async fn ends(&self) -> Result<Vec<String>> {
        let mut root = self.rig.server.root().await?;
        Ok(root
            .query("SELECT phase FROM alterego.migrations ORDER BY id")
            .await?)
    }

    /// The end of every case: the table equals the clone, which was written alike; `alter` is what the server itself is
    /// to do to the clone.
    pub(crate) async fn all_is_well(&self, writers: Survivors, alter: Option<&str>) -> Result<()> {
        eventually("the proxy listens", async || {
            self.road.follow(&self.rig.proxy);
            Ok(self.rig.proxy.listens())
        })
        .await?;
        writers.finish().await?;
        if let Some(alter) = alter {
            self.rig.direct("nat").await?.query_drop(alter).await?;
        }
        self.rig.tables_are_equal("t").await?;
        nothing_left(&mut self.rig.direct("").await?).await
    }
}

/// A client that sends its statement again whenever its connection is lost.
pub(crate) struct Client(Option<JoinHandle<Result<Option<u16>>>>);

impl Client {
    pub(crate) fn sends(road: &Road, statement: &'static str) -> Client {
        let road = road.clone();
        Client(Some(tokio::spawn(async move {
            let never = AtomicBool::new(false);
            loop {
                let conn = road.connect("app", &never).await;
                let mut conn = conn.context("nobody asked it to stop")?;
                match send(&mut conn, statement).await {
                    Err(error) if is_lost(&error) => {}
                    Ok(()) => return Ok(None),
                    Err(Error::Server(error)) => return Ok(Some(error.code)),
                    Err(error) => return Err(error.into()),
                }
            }
        })))
    }

    pub(crate) fn has_its_answer(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The number of the error it was answered with; `None` for OK.
    pub(crate) async fn answer(mut self) -> Result<Option<u16>> {
        let Some(task) = self.0.take() else {
            bail!("it has had its answer");
        };
        let answer = tokio::time::timeout(DEADLINE, task).await;
        answer.context("the client has no answer")??
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn send(conn: &mut Conn, statement: &str) -> mysql_async::Result<()> {
    conn.query_drop(statement).await
}

/// What a client hears that sends the statement again after the swap: the column is there, or gone, already.
const DUPLICATE_COLUMN: u16 = 1060;
const NO_SUCH_COLUMN: u16 = 1091;

/// The answer of a client whose table was altered: OK, or that there is nothing left to do.
pub(crate) fn is_true_of_an_altered_table(answer: Option<u16>) -> Result<()> {
    ensure!(
        answer.is_none_or(|code| matches!(code, DUPLICATE_COLUMN | NO_SUCH_COLUMN)),
        "the table is altered, and its client heard {answer:?}"
    );
    Ok(())
}
