//! The cut-over against real servers, under writers: no acknowledged write is lost and nobody sees an error.

mod following;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alterego_engine::cut_over::{self, NoGate, Recorder, Swapped, Where};
use alterego_engine::follower::Follower;
use alterego_engine::key::Key;
use alterego_engine::plan::Plan;
use alterego_engine::position::Position;
use alterego_engine::session::Upstream;
use alterego_engine::{Error, Result as EngineResult, TableName, names, old_table, verify};
use anyhow::{Result, ensure};
use async_trait::async_trait;
use following::{FLAVORS, Named, plan, run, start, verification};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

const WRITERS: i64 = 20;
const STRICT: &str = "STRICT_TRANS_TABLES";

/// Counts the attempts it was told of.
#[derive(Default)]
struct Attempts(AtomicU64);

#[async_trait]
impl Recorder for Attempts {
    async fn cutting_over(&self, _triggers: &str) -> EngineResult<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// The follower of the migration under way; writers tell it what they are about to change.
type Current = Arc<Mutex<Option<Arc<Named>>>>;

struct Workload {
    stop: Arc<AtomicBool>,
    longest_ms: Arc<AtomicU64>,
    writers: Vec<JoinHandle<Result<BTreeMap<i64, i64>>>>,
}

impl Workload {
    /// Each writer owns every [`WRITERS`]-th row: it inserts, updates and deletes, and remembers what was acknowledged.
    fn start(upstream: &Upstream, current: &Current) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let longest_ms = Arc::new(AtomicU64::new(0));
        let writers = (0..WRITERS).map(|writer| {
            let (upstream, current) = (upstream.clone(), Arc::clone(current));
            let (stop, longest_ms) = (Arc::clone(&stop), Arc::clone(&longest_ms));
            tokio::spawn(async move {
                let mut conn = upstream.control().await?;
                conn.query_drop("SET SESSION lock_wait_timeout=60, innodb_lock_wait_timeout=60")
                    .await?;
                let mut rows = BTreeMap::new();
                let mut step = 0;
                while !stop.load(Ordering::SeqCst) {
                    step += 1;
                    let id = writer + WRITERS * (step % 40);
                    if let Some(follower) = current.lock().await.as_ref() {
                        follower.touch(id);
                    }
                    let sql = match rows.get(&id) {
                        None => format!("INSERT INTO app.t (id, v) VALUES ({id}, {step})"),
                        Some(_) if step % 7 == 0 => format!("DELETE FROM app.t WHERE id={id}"),
                        Some(_) => format!("UPDATE app.t SET v={step} WHERE id={id}"),
                    };
                    let began = Instant::now();
                    conn.query_drop(&sql)
                        .await
                        .map_err(|error| anyhow::anyhow!("{sql}: {error}"))?;
                    ensure!(
                        conn.affected_rows() == 1,
                        "{sql} changed {} rows",
                        conn.affected_rows()
                    );
                    longest_ms.fetch_max(began.elapsed().as_millis() as u64, Ordering::SeqCst);
                    match sql.starts_with("DELETE") {
                        true => rows.remove(&id),
                        false => rows.insert(id, step),
                    };
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Ok(rows)
            })
        });
        let writers = writers.collect();
        Self {
            stop,
            longest_ms,
            writers,
        }
    }

    /// Stops the writers and compares what they were told with what is there.
    async fn check(self, upstream: &Upstream) -> Result<u64> {
        self.stop.store(true, Ordering::SeqCst);
        let mut expected = BTreeMap::new();
        for writer in self.writers {
            expected.extend(writer.await??);
        }
        let mut conn = upstream.control().await?;
        let found: Vec<(i64, i64)> = conn
            .query("SELECT id, v FROM app.t WHERE id < 10000000 ORDER BY id")
            .await?;
        let found: BTreeMap<i64, i64> = found.into_iter().collect();
        ensure!(
            found == expected,
            "{} rows were acknowledged, {} are there",
            expected.len(),
            found.len()
        );
        Ok(self.longest_ms.load(Ordering::SeqCst))
    }
}

struct Migration {
    plan: Arc<Plan>,
    follower: Arc<Named>,
    recorder: Arc<Attempts>,
    upstream: Upstream,
}

impl Migration {
    async fn begin(upstream: &Upstream, current: &Current) -> Result<Self> {
        let plan = plan(upstream, "ENGINE=InnoDB, FORCE", STRICT).await?;
        let follower = Named::new(upstream, &plan, Duration::ZERO);
        *current.lock().await = Some(Arc::clone(&follower));
        // A statement that was sent before the follower was there may still be on its way.
        for id in 0..WRITERS * 40 {
            follower.touch(id);
        }
        follower.copy().await?;
        Ok(Self {
            plan,
            follower,
            recorder: Arc::default(),
            upstream: upstream.clone(),
        })
    }

    async fn swap(&self) -> Result<Swapped> {
        let (context, cancel) = verification(&self.upstream, &self.plan, &self.follower);
        let verified = verify::run(&context).await?;
        drop(cancel);
        let (_cancel, cancelled) = watch::channel(false);
        let context = cut_over::Context {
            plan: Arc::clone(&self.plan),
            upstream: self.upstream.clone(),
            follower: Arc::clone(&self.follower) as Arc<dyn Follower>,
            gate: Arc::new(NoGate),
            budget: Duration::from_millis(400),
            recorder: Arc::clone(&self.recorder) as Arc<dyn Recorder>,
            counters: Arc::default(),
            cancelled,
        };
        let swapped = cut_over::swap(&context, verified).await?;
        let (counted, longest) = (
            &context.counters.cut_over_attempts,
            &context.counters.longest_hold_us,
        );
        ensure!(counted.get() <= u64::from(swapped.attempts) && counted.get() > 0);
        ensure!(Duration::from_micros(longest.get() + 1) > swapped.held);
        Ok(swapped)
    }
}

fn source() -> TableName {
    TableName::new("app", "t")
}

async fn table(upstream: &Upstream) -> Result<()> {
    let mut conn = upstream.control().await?;
    run(
        &mut conn,
        &[
            "CREATE DATABASE app",
            "CREATE TABLE app.t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v BIGINT, KEY (v)) AUTO_INCREMENT=10000000",
        ],
    )
    .await
}

#[tokio::test]
async fn no_write_is_lost() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        table(&upstream).await?;
        let current = Current::default();
        let workload = Workload::start(&upstream, &current);
        let mut conn = upstream.control().await?;
        let mut held = Duration::ZERO;
        for _ in 0..8 {
            let migration = Migration::begin(&upstream, &current).await?;
            let swapped = migration.swap().await?;
            held = held.max(swapped.held);
            ensure!(migration.follower.is_paused());
            ensure!(u64::from(swapped.attempts) == migration.recorder.0.load(Ordering::SeqCst));
            ensure!(cut_over::look(&mut conn, &source()).await? == Where::Swapped);
            old_table::drop_old(&upstream, &source()).await?;
            ensure!(cut_over::look(&mut conn, &source()).await? == Where::Alone);
            let left: Vec<String> = conn
                .query(
                    "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'app\\_\\_%'",
                )
                .await?;
            ensure!(left.is_empty(), "{left:?}");
        }
        let longest = workload.check(&upstream).await?;
        eprintln!("{flavor}: held at most {held:?}, longest write {longest} ms");
        conn.query_drop("INSERT INTO app.t (v) VALUES (1)").await?;
        ensure!(
            conn.last_insert_id() == Some(10_000_000),
            "{:?}",
            conn.last_insert_id()
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_open_transaction_is_not_queued_behind() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        table(&upstream).await?;
        let current = Current::default();
        let workload = Workload::start(&upstream, &current);
        let migration = Migration::begin(&upstream, &current).await?;
        let mut holder = upstream.control().await?;
        run(&mut holder, &["START TRANSACTION", "SELECT * FROM app.t LIMIT 1"]).await?;
        let release = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(8)).await;
            holder.query_drop("COMMIT").await
        });
        let began = Instant::now();
        let swapped = migration.swap().await?;
        ensure!(
            began.elapsed() > Duration::from_secs(6),
            "swapped under an open transaction"
        );
        release.await??;
        let longest = workload.check(&upstream).await?;
        eprintln!("{flavor}: {swapped:?}, longest write {longest} ms");
        ensure!(longest < 3000, "{flavor}: a writer waited {longest} ms");
    }
    Ok(())
}

/// Kills, at random moments, every session that locks or renames.
#[tokio::test]
async fn killed_sessions_lose_nothing() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        table(&upstream).await?;
        let current = Current::default();
        let workload = Workload::start(&upstream, &current);
        let killing = Arc::new(AtomicBool::new(false));
        let kills = Arc::new(AtomicU64::new(0));
        let killer = {
            let (killing, kills) = (Arc::clone(&killing), Arc::clone(&kills));
            let mut conn = upstream.control().await?;
            tokio::spawn(async move {
                let mut round = 0_u64;
                loop {
                    round += 1;
                    tokio::time::sleep(Duration::from_micros(300 + round * 37 % 900)).await;
                    let ids: Vec<u64> = conn
                        .query(
                            "SELECT id FROM information_schema.processlist WHERE info LIKE 'LOCK TABLES%' \
                             OR info LIKE 'RENAME TABLE%' OR info LIKE 'UNLOCK%' OR info LIKE 'DROP TABLE `app__old`%' \
                             OR info LIKE 'INSERT INTO `app__ghost`%' AND info NOT LIKE '%SHARE%'",
                        )
                        .await?;
                    for id in ids {
                        if killing.load(Ordering::SeqCst)
                            && conn.query_drop(format!("KILL {id}")).await.is_ok()
                        {
                            kills.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
                #[allow(unreachable_code)]
                Ok::<(), mysql_async::Error>(())
            })
        };
        let mut attempts = 0;
        for _ in 0..4 {
            let migration = Migration::begin(&upstream, &current).await?;
            killing.store(true, Ordering::SeqCst);
            let stop = Arc::clone(&killing);
            let end = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                stop.store(false, Ordering::SeqCst);
            });
            attempts += migration.swap().await?.attempts;
            end.abort();
            killing.store(false, Ordering::SeqCst);
            old_table::drop_old(&upstream, &source()).await?;
        }
        killer.abort();
        workload.check(&upstream).await?;
        eprintln!(
            "{flavor}: {attempts} attempts, {} kills",
            kills.load(Ordering::SeqCst)
        );
        ensure!(kills.load(Ordering::SeqCst) > 0);
    }
    Ok(())
}

/// A follower in whose drain somebody empties the source: the statement waits behind the cut-over's locks, and in front of
/// MariaDB's RENAME. As the stream would, the follower ends when it has been carried out.
struct Emptied {
    named: Arc<Named>,
    upstream: Upstream,
    statement: Mutex<Option<JoinHandle<EngineResult<()>>>>,
}

impl Emptied {
    /// Whether the statement was sent; then it has run when this returns.
    async fn has_run(&self) -> bool {
        let statement = self.statement.lock().await;
        let Some(statement) = statement.as_ref() else {
            return false;
        };
        while !statement.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// Sends the statement, and waits until it waits.
    async fn send(&self) -> EngineResult<()> {
        let mut conn = self.upstream.control().await?;
        conn.query_drop("SET SESSION lock_wait_timeout=60").await?;
        *self.statement.lock().await = Some(tokio::spawn(async move {
            Ok(conn.query_drop("TRUNCATE app.t").await?)
        }));
        let mut control = self.upstream.control().await?;
        loop {
            let waits: Option<u8> = control
                .query_first(
                    "SELECT 1 FROM information_schema.processlist \
                     WHERE info LIKE 'TRUNCATE%' AND state LIKE 'Waiting for table metadata lock'",
                )
                .await?;
            if waits.is_some() {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl Follower for Emptied {
    fn backlog(&self) -> usize {
        self.named.backlog()
    }

    async fn wait_applied(&self, position: &Position) -> EngineResult<()> {
        self.named.wait_applied(position).await
    }

    async fn pause(&self) -> EngineResult<()> {
        if self.has_run().await {
            return Err(Error::fatal("the table was emptied"));
        }
        self.named.pause().await
    }

    fn resume(&self) {
        self.named.resume();
    }

    async fn drain_on(&self, conn: &mut Conn, position: &Position) -> EngineResult<u64> {
        let drained = self.named.drain_on(conn, position).await?;
        if self.statement.lock().await.is_none() {
            self.send().await?;
        }
        Ok(drained)
    }

    async fn reconcile_now(&self, keys: Vec<Key>) -> EngineResult<()> {
        self.named.reconcile_now(keys).await
    }
}

/// Whichever goes first, the statement or the swap: what it emptied stays empty.
#[tokio::test]
async fn a_statement_before_the_rename_is_not_undone() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        let mut conn = upstream.control().await?;
        table(&upstream).await?;
        run(&mut conn, &["INSERT INTO app.t (v) VALUES (1),(2),(3)"]).await?;
        let migration = Migration::begin(&upstream, &Current::default()).await?;
        let (context, _cancel) = verification(&upstream, &migration.plan, &migration.follower);
        let verified = verify::run(&context).await?;
        let follower = Arc::new(Emptied {
            named: Arc::clone(&migration.follower),
            upstream: upstream.clone(),
            statement: Mutex::default(),
        });
        let (_cancel, cancelled) = watch::channel(false);
        let context = cut_over::Context {
            plan: Arc::clone(&migration.plan),
            upstream: upstream.clone(),
            follower: Arc::clone(&follower) as Arc<dyn Follower>,
            gate: Arc::new(NoGate),
            budget: Duration::from_secs(20),
            recorder: Arc::<Attempts>::default(),
            counters: Arc::default(),
            cancelled,
        };
        let swapped = cut_over::swap(&context, verified).await;
        let statement = follower.statement.lock().await.take();
        statement.expect("the drain was reached").await??;
        let left: Option<u64> = conn.query_first("SELECT COUNT(*) FROM app.t").await?;
        ensure!(left == Some(0), "{flavor}: {left:?} rows came back, {swapped:?}");
        eprintln!("{flavor}: {swapped:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_counter_ahead_of_the_rows_is_carried_over() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        let mut conn = upstream.control().await?;
        table(&upstream).await?;
        run(
            &mut conn,
            &["INSERT INTO app.t (v) VALUES (1),(2),(3)", "DELETE FROM app.t"],
        )
        .await?;
        let migration = Migration::begin(&upstream, &Current::default()).await?;
        // The ghost counts from the start again, as after a copy of rows whose newest are deleted.
        conn.query_drop(format!(
            "ALTER TABLE {} AUTO_INCREMENT=1",
            migration.plan.ghost_name()
        ))
        .await?;
        migration.swap().await?;
        conn.query_drop("INSERT INTO app.t (v) VALUES (4)").await?;
        ensure!(
            conn.last_insert_id() == Some(10_000_003),
            "{flavor}: {:?}",
            conn.last_insert_id()
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_others_put_there_stays() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        let mut conn = upstream.control().await?;
        run(
            &mut conn,
            &[
                "CREATE DATABASE app",
                "CREATE DATABASE app__old",
                "CREATE DATABASE app__ghost",
                "CREATE TABLE app__old.t (i INT)",
                "CREATE TABLE app__old.other (i INT)",
                "CREATE PROCEDURE app__ghost.p() SELECT 1",
            ],
        )
        .await?;
        old_table::drop_old(&upstream, &source()).await?;
        let tables: Vec<String> = conn.query("SHOW TABLES FROM app__old").await?;
        ensure!(tables == ["other"], "{flavor}: {tables:?}");
        run(
            &mut conn,
            &["DROP PROCEDURE app__ghost.p", "DROP TABLE app__old.other"],
        )
        .await?;
        // A table that comes while the schema is about to go: one of both statements fails, and no table vanishes.
        let mut left = 0;
        for round in 0..20 {
            run(&mut conn, &["CREATE DATABASE IF NOT EXISTS app__old"]).await?;
            let create = async {
                tokio::time::sleep(Duration::from_millis(round * 5)).await;
                conn.query_drop("CREATE TABLE app__old.late (i INT)")
                    .await
                    .is_ok()
            };
            let source = source();
            let (created, dropped) = tokio::join!(create, old_table::drop_old(&upstream, &source));
            dropped?;
            let tables: Vec<String> = conn
                .query("SELECT table_name FROM information_schema.tables WHERE table_schema='app__old'")
                .await?;
            left += usize::from(!created);
            ensure!(
                created == (tables == ["late"]),
                "{flavor}: created {created}, there is {tables:?}"
            );
            run(&mut conn, &["DROP TABLE IF EXISTS app__old.late"]).await?;
        }
        eprintln!("{flavor}: the schema went first {left} times of 20");
        ensure!(names::old(&source()).schema.as_str() == "app__old");
    }
    Ok(())
}
