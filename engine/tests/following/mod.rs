//! A private server, a planned migration on it, and a follower that is told by the test which rows may have changed.

#![allow(dead_code)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alterego_engine::alter::{ReadMode, understand};
use alterego_engine::counters::Counters;
use alterego_engine::follower::Follower;
use alterego_engine::key::{Key, KeyValue};
use alterego_engine::plan::Plan;
use alterego_engine::position::Position;
use alterego_engine::session::{SessionSettings, Upstream};
use alterego_engine::table::Table;
use alterego_engine::throttle::Share;
use alterego_engine::{Flavor, Result, TableName, ghost, verify};
use alterego_testkit::{Options, Server};
use async_trait::async_trait;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;

/// Both servers.
pub(crate) const FLAVORS: [alterego_testkit::Flavor; 2] =
    [alterego_testkit::Flavor::MySql, alterego_testkit::Flavor::MariaDb];

/// A private server as the engine sees it.
pub(crate) async fn start(flavor: alterego_testkit::Flavor) -> anyhow::Result<(Server, Upstream)> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let upstream = Upstream::reach(server.root_opts()).await?;
    Ok((server, upstream))
}

/// The settings of a client with this `sql_mode`.
pub(crate) fn settings(sql_mode: &str) -> SessionSettings {
    SessionSettings {
        sql_mode: sql_mode.to_owned(),
        time_zone: "+00:00".to_owned(),
        character_set_client: "utf8mb4".to_owned(),
        collation_connection: "utf8mb4_bin".to_owned(),
        foreign_key_checks: true,
    }
}

/// The plan for `ALTER TABLE app.t <clauses>`, with its empty ghost built.
pub(crate) async fn plan(upstream: &Upstream, clauses: &str, sql_mode: &str) -> anyhow::Result<Arc<Plan>> {
    let mut control = upstream.control().await?;
    let source = Table::load(&mut control, &TableName::new("app", "t")).await?;
    let sql = format!("ALTER TABLE app.t {clauses}");
    let statement = understand(&sql, ReadMode::default(), upstream.flavor())
        .map_err(|reason| anyhow::anyhow!("{sql} is not understood: {reason:?}"))?;
    Ok(Arc::new(
        ghost::build(
            upstream,
            alterego_engine::preflight::check(&statement, &source)
                .map_err(alterego_engine::Error::Refused)?,
            &settings(sql_mode),
        )
        .await?,
    ))
}

/// Keeps the ghost of a table with the integer key `id` in step, for the rows the test has named.
pub(crate) struct Named {
    upstream: Upstream,
    plan: Arc<Plan>,
    /// Rows that may change; never forgotten.
    pub(crate) ids: Mutex<BTreeSet<i64>>,
    /// How far the follower is behind.
    pub(crate) lag: Duration,
    paused: AtomicBool,
}

impl Named {
    pub(crate) fn new(upstream: &Upstream, plan: &Arc<Plan>, lag: Duration) -> Arc<Self> {
        Arc::new(Self {
            upstream: upstream.clone(),
            plan: Arc::clone(plan),
            ids: Mutex::default(),
            lag,
            paused: AtomicBool::new(false),
        })
    }

    /// To be called before the row is changed.
    pub(crate) fn touch(&self, id: i64) {
        self.ids.lock().unwrap().insert(id);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    fn known(&self) -> Vec<i64> {
        self.ids.lock().unwrap().iter().copied().collect()
    }

    /// Reconciles `ids`; under LOCK TABLES neither a lock nor a transaction is wanted.
    async fn reconcile(&self, conn: &mut Conn, ids: &[i64], locked: bool) -> Result<()> {
        let columns = |ghost: bool| {
            let pairs = self.plan.mapping.columns.iter();
            pairs
                .map(|pair| if ghost { &pair.ghost } else { &pair.source }.to_string())
                .collect::<Vec<_>>()
                .join(",")
        };
        let share = match (locked, self.upstream.flavor()) {
            (true, _) => "",
            (false, Flavor::MySql) => "FOR SHARE",
            (false, Flavor::MariaDb) => "LOCK IN SHARE MODE",
        };
        for ids in ids.chunks(500) {
            let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            let (source, ghost) = (self.plan.source_name(), self.plan.ghost_name());
            let mut statements = vec![
                format!("DELETE FROM {ghost} WHERE id IN ({list})"),
                format!(
                    "INSERT INTO {ghost} ({}) SELECT {} FROM {source} WHERE id IN ({list}) {share}",
                    columns(true),
                    columns(false)
                ),
            ];
            if !locked {
                statements.insert(0, "START TRANSACTION".to_owned());
                statements.push("COMMIT".to_owned());
            }
            for sql in statements {
                conn.query_drop(sql).await?;
            }
        }
        Ok(())
    }

    async fn worker(&self) -> Result<Conn> {
        let mut conn = self
            .upstream
            .worker(&self.plan.settings, &self.plan.time_zone, self.plan.native_copies)
            .await?;
        conn.query_drop("SET SESSION innodb_lock_wait_timeout=50").await?;
        Ok(conn)
    }

    /// Copies the whole table.
    pub(crate) async fn copy(&self) -> Result<()> {
        let mut conn = self.worker().await?;
        let ids: Vec<i64> = conn
            .query(format!("SELECT id FROM {}", self.plan.source_name()))
            .await?;
        let all: BTreeSet<i64> = ids.into_iter().chain(self.known()).collect();
        self.reconcile(&mut conn, &Vec::from_iter(all), false).await
    }
}

#[async_trait]
impl Follower for Named {
    fn backlog(&self) -> usize {
        0
    }

    async fn wait_applied(&self, _: &Position) -> Result<()> {
        tokio::time::sleep(self.lag).await;
        let mut conn = self.worker().await?;
        self.reconcile(&mut conn, &self.known(), false).await
    }

    async fn pause(&self) -> Result<()> {
        self.paused.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }

    async fn drain_on(&self, conn: &mut Conn, _: &Position) -> Result<u64> {
        let ids = self.known();
        self.reconcile(conn, &ids, true).await?;
        Ok(ids.len() as u64)
    }

    async fn reconcile_now(&self, keys: Vec<Key>) -> Result<()> {
        let ids: Vec<i64> = keys
            .iter()
            .filter_map(|key| match key.0.first() {
                Some(KeyValue::Int(id)) => Some(*id),
                _ => None,
            })
            .collect();
        let mut conn = self.worker().await?;
        self.reconcile(&mut conn, &ids, false).await
    }
}

/// Verifies the ghost of `plan`.
pub(crate) fn verification(
    upstream: &Upstream,
    plan: &Arc<Plan>,
    follower: &Arc<Named>,
) -> (verify::Context, watch::Sender<bool>) {
    let (cancel, cancelled) = watch::channel(false);
    let context = verify::Context {
        plan: Arc::clone(plan),
        upstream: upstream.clone(),
        follower: Arc::clone(follower) as Arc<dyn Follower>,
        counters: Arc::new(Counters::default()),
        share: Arc::new(Share::of(2)),
        cancelled,
    };
    (context, cancel)
}

/// Runs statements one after the other.
pub(crate) async fn run(conn: &mut Conn, statements: &[&str]) -> anyhow::Result<()> {
    for sql in statements {
        conn.query_drop(*sql)
            .await
            .map_err(|error| anyhow::anyhow!("{sql}: {error}"))?;
    }
    Ok(())
}
