//! Caught schema changes: asked, held, answered, killed, left.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use alterego_proxy::hooks::{
    Answer, Grid, Held, Hooks, Latch, Progress, ReadMode, Request, Verdict, Warning,
};
use alterego_testkit::{Flavor, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use support::{Alter, BASE, MARIADB, Proxy, Raw, TestHooks, always, native, query, server};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

const INFO: &str = "Records: 3  Duplicates: 0  Warnings: 1";
/// Refused as INSTANT by both servers.
const COPY: &str = "ALTER TABLE t MODIFY b BIGINT";

fn done() -> Answer {
    let warnings = vec![Warning {
        level: "Warning".into(),
        code: 1265,
        message: "Data truncated for column 'b' at row 1".into(),
    }];
    Answer::Ok {
        affected: 3,
        info: INFO.into(),
        warning_count: 1,
        warnings,
    }
}

async fn with_table(flavor: Flavor) -> Result<Server> {
    let server = server(flavor).await?;
    let mut root = server.root().await?;
    for sql in [
        "USE app",
        "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, b INT)",
        "INSERT INTO t (b) VALUES (1), (2), (3)",
        "CREATE VIEW v AS SELECT * FROM t",
    ] {
        root.query_drop(sql).await?;
    }
    root.disconnect().await?;
    Ok(server)
}

async fn connect(proxy: &Proxy) -> Result<Conn> {
    Ok(Conn::new(Opts::from(proxy.tcp_opts("root", "").db_name(Some("app")))).await?)
}

async fn column_type(connection: &mut Conn) -> Result<String> {
    let sql = "SELECT DATA_TYPE FROM information_schema.columns WHERE table_schema='app' AND table_name='t' \
               AND column_name='b'";
    connection.query_first(sql).await?.context("no column")
}

/// An answer that waits to be told to come, and records what it was asked.
fn on_demand() -> (
    Alter,
    mpsc::UnboundedReceiver<Request>,
    mpsc::UnboundedReceiver<&'static str>,
    Arc<tokio::sync::Notify>,
) {
    let (asked, requests) = mpsc::unbounded_channel();
    let (events, happened) = mpsc::unbounded_channel();
    let go = Arc::new(tokio::sync::Notify::new());
    let release = go.clone();
    struct Dropped(mpsc::UnboundedSender<&'static str>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let alter: Alter = Arc::new(move |request, mut held: Held| {
        let (asked, events, go) = (asked.clone(), events.clone(), go.clone());
        Box::pin(async move {
            let _dropped = Dropped(events.clone());
            held.progress.send_replace(Progress {
                stage: "copying rows".into(),
                stage_number: 1,
                stages: 2,
                percent: 50.0,
            });
            let _ = asked.send(request);
            tokio::select! {
                () = go.notified() => done(),
                _ = held.cancelled.wait_for(|cancelled| *cancelled) => {
                    let _ = events.send("cancelled");
                    let (state, message) = ("70100".into(), "Query execution was interrupted".into());
                    Answer::Err { code: 1317, state, message }
                }
            }
        })
    });
    (alter, requests, happened, release)
}

/// Hooks whose latch is not to be had until the test says so: meanwhile the client's session runs nothing.
struct LateLatch {
    hooks: TestHooks,
    asked: mpsc::UnboundedSender<()>,
    given: Arc<tokio::sync::Notify>,
}

#[async_trait::async_trait]
impl Hooks for LateLatch {
    fn inspect(&self, sql: &str, mode: ReadMode) -> Verdict {
        self.hooks.inspect(sql, mode)
    }

    async fn alter(&self, request: Request, held: Held) -> Answer {
        self.hooks.alter(request, held).await
    }

    async fn latch(&self, _: &str) -> Option<Latch> {
        let _ = self.asked.send(());
        self.given.notified().await;
        None
    }

    async fn migrations(&self) -> Grid {
        Grid::default()
    }
}

/// A kill that meets no statement, which the server forgets.
#[tokio::test]
async fn a_kill_between_two_statements_is_heard() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = with_table(flavor).await?;
        let (alter, _requests, mut happened, _) = on_demand();
        let (asked, mut latches) = mpsc::unbounded_channel();
        let given = Arc::new(tokio::sync::Notify::new());
        let hooks = LateLatch {
            hooks: TestHooks(alter),
            asked,
            given: given.clone(),
        };
        let proxy = Proxy::with_hooks(Proxy::config(&server), Arc::new(hooks)).await?;
        let mut connection = connect(&proxy).await?;
        let id = connection.id();
        let altering = tokio::spawn(async move { (connection.query_drop(COPY).await, connection) });
        latches.recv().await.context("no latch is asked for")?;
        let mut killer = connect(&proxy).await?;
        killer.query_drop(format!("KILL QUERY {id}")).await?;
        given.notify_one();
        let (altered, mut connection) = timeout(Duration::from_secs(60), altering).await??;
        let error = altered.err().context("it is not killed")?.to_string();
        ensure!(error.contains("1317"), "{flavor}: {error}");
        ensure!(happened.recv().await == Some("cancelled"));
        ensure!(connection.query_first::<u8, _>("SELECT 7").await? == Some(7));
    }
    Ok(())
}

/// A kill that the server refuses is none.
#[tokio::test]
async fn a_kill_by_a_stranger_is_none() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = with_table(flavor).await?;
        server
            .create_user("stranger", "", None, &["ALL ON app.*"])
            .await?;
        let (alter, _requests, _happened, go) = on_demand();
        let (asked, mut latches) = mpsc::unbounded_channel();
        let given = Arc::new(tokio::sync::Notify::new());
        let hooks = LateLatch {
            hooks: TestHooks(alter),
            asked,
            given: given.clone(),
        };
        let proxy = Proxy::with_hooks(Proxy::config(&server), Arc::new(hooks)).await?;
        let mut connection = connect(&proxy).await?;
        let id = connection.id();
        let altering = tokio::spawn(async move { connection.query_drop(COPY).await });
        latches.recv().await.context("no latch is asked for")?;
        let opts = proxy.tcp_opts("stranger", "").db_name(Some("app"));
        let mut stranger = Conn::new(Opts::from(opts)).await?;
        let refused = stranger.query_drop(format!("KILL QUERY {id}")).await;
        ensure!(refused.is_err_and(|error| error.to_string().contains("109")));
        given.notify_one();
        go.notify_one();
        timeout(Duration::from_secs(60), altering).await???;
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_is_the_servers_own() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = with_table(flavor).await?;
        let proxy = Proxy::of(&server, always(done())).await?;
        let mut connection = connect(&proxy).await?;
        for round in ["text", "prepared"] {
            if round == "text" {
                connection.query_drop(COPY).await?;
            } else {
                connection.exec_drop(COPY, ()).await?;
            }
            ensure!(
                connection.info() == INFO && connection.affected_rows() == 3,
                "{flavor} {round}: {}",
                connection.info()
            );
            ensure!(connection.get_warnings() == 1);
            let warnings: Vec<(String, u16, String)> = connection.query("SHOW WARNINGS").await?;
            ensure!(
                warnings.len() == 1 && warnings[0].1 == 1265,
                "{flavor} {round}: {warnings:?}"
            );
            let count: Option<u32> = connection.query_first("SHOW COUNT(*) WARNINGS").await?;
            ensure!(count == Some(1));
            connection.query_drop("DO 1").await?;
            let warnings: Vec<(String, u16, String)> = connection.query("SHOW WARNINGS").await?;
            ensure!(warnings.is_empty(), "{flavor}: {warnings:?}");
        }
        ensure!(column_type(&mut connection).await? == "int", "the server did it");
        let timeouts: Option<(u64, u64)> = connection
            .query_first("SELECT @@session.lock_wait_timeout, @@global.lock_wait_timeout")
            .await?;
        ensure!(
            timeouts.is_some_and(|(session, global)| session == global),
            "{flavor}: {timeouts:?}"
        );
        connection.query_drop("INSERT INTO t (b) VALUES (4)").await?;
        let id: Option<u64> = connection.query_first("SELECT LAST_INSERT_ID()").await?;
        connection.query_drop(COPY).await?;
        ensure!(
            connection
                .query_first::<u64, _>("SELECT LAST_INSERT_ID()")
                .await?
                == id
        );
        let grid: Vec<(String, Option<String>)> = connection.query("show migrations;").await?;
        ensure!(
            grid == [("1".into(), Some("app.t".into())), ("2".into(), None)],
            "{grid:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_server_does_what_it_can_and_words_its_own_errors() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = with_table(flavor).await?;
        let proxy = Proxy::of(
            &server,
            always(Answer::Err {
                code: 1062,
                state: "23000".into(),
                message: "Duplicate entry '1' for key 't.u'".into(),
            }),
        )
        .await?;
        let mut direct = Conn::new(Opts::from(
            mysql_async::OptsBuilder::from_opts(server.root_opts()).db_name(Some("app")),
        ))
        .await?;
        let mut through = connect(&proxy).await?;
        // At once.
        through.query_drop("ALTER TABLE app.t ADD COLUMN c INT").await?;
        ensure!(
            through.info() == "Records: 0  Duplicates: 0  Warnings: 0",
            "{flavor}: {}",
            through.info()
        );
        // Natively, error for error.
        for sql in [
            "ALTER TABLE nowhere ADD COLUMN c INT",
            "ALTER TABLE t ADD COLUMN b INT",
            "ALTER TABLE t DROP COLUMN missing",
            "ALTER TABLE t ADD COLUMN",
            "ALTER TABLE t ADD COLUMN d NOTYPE",
            "ALTER TABLE v ADD COLUMN d INT",
            "ALTER TABLE t ADD COLUMN (e INT) garbage",
        ] {
            let (expected, found) = (direct.query_drop(sql).await, through.query_drop(sql).await);
            let (expected, found) = (
                expected.err().context(sql)?.to_string(),
                found.err().context(sql)?.to_string(),
            );
            ensure!(expected == found, "{flavor} {sql}: {expected} / {found}");
            let expected: Vec<(String, u16, String)> = direct.query("SHOW WARNINGS").await?;
            let found: Vec<(String, u16, String)> = through.query("SHOW WARNINGS").await?;
            ensure!(expected == found, "{flavor} {sql}: {expected:?} / {found:?}");
        }
        // An error of the hooks'.
        let error = through
            .query_drop(COPY)
            .await
            .err()
            .context("no error")?
            .to_string();
        ensure!(error.contains("1062") && error.contains("'t.u'"), "{error}");
        let warnings: Vec<(String, u16, String)> = through.query("SHOW WARNINGS").await?;
        ensure!(warnings.len() == 1 && warnings[0].1 == 1062, "{warnings:?}");
        // No schema.
        let mut nowhere = proxy.root().await?;
        let error = nowhere
            .query_drop(COPY)
            .await
            .err()
            .context("no error")?
            .to_string();
        ensure!(error.contains("1046"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_for_the_hooks_is_left_to_the_server() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = with_table(flavor).await?;
        let never: Alter = Arc::new(|request: Request, _| panic!("asked for {}", request.sql));
        let proxy = Proxy::of(&server, never).await?;
        let mut connection = connect(&proxy).await?;
        connection
            .query_drop("CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, b INT)")
            .await?;
        connection.query_drop("ALTER TABLE tmp MODIFY b BIGINT").await?;
        connection.query_drop("LOCK TABLES t WRITE").await?;
        connection.query_drop(COPY).await?;
        ensure!(column_type(&mut connection).await? == "bigint");
        connection.query_drop("UNLOCK TABLES").await?;
        // Locks no statement of its own shows.
        connection.query_drop("DO 1; LOCK TABLES t WRITE").await?;
        connection.query_drop("ALTER TABLE t MODIFY b INT").await?;
        ensure!(column_type(&mut connection).await? == "int");
        connection.query_drop("UNLOCK TABLES").await?;
        // Characters the server would not read as the proxy does.
        connection.query_drop("SET NAMES latin1").await?;
        connection
            .query_drop("ALTER TABLE t MODIFY b BIGINT COMMENT 'é'")
            .await?;
        ensure!(column_type(&mut connection).await? == "bigint");
        connection.query_drop("SET NAMES utf8mb4").await?;
        // A schema that is another one than at the time of preparation.
        let statement = connection.prep("ALTER TABLE t MODIFY b INT").await?;
        connection.query_drop("USE mysql").await?;
        let _ = connection.exec_drop(&statement, ()).await;

        let proxy = Proxy::of(&server, native()).await?;
        let mut connection = connect(&proxy).await?;
        connection.query_drop("ALTER TABLE t MODIFY b SMALLINT").await?;
        ensure!(
            column_type(&mut connection).await? == "smallint",
            "{flavor}: not done by the server"
        );
        connection.exec_drop("ALTER TABLE t MODIFY b INT", ()).await?;
        ensure!(column_type(&mut connection).await? == "int");
    }
    Ok(())
}

#[tokio::test]
async fn a_held_client_can_be_killed_or_leave() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = with_table(flavor).await?;
        let (alter, mut requests, mut happened, release) = on_demand();
        let proxy = Proxy::of(&server, alter).await?;
        let mut root = server.root().await?;

        // KILL QUERY is 1317, and the session lives on.
        for autocommit in [1, 0] {
            let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
            raw.ok(&format!("SET autocommit={autocommit}")).await?;
            raw.ok("SET sql_select_limit=0").await?;
            raw.send(0, &query(COPY)).await?;
            let request = timeout(Duration::from_secs(5), requests.recv())
                .await?
                .context("not asked")?;
            ensure!(request.schema == "app" && request.table == "t" && request.sql == COPY);
            sleep(Duration::from_millis(600)).await;
            // Nothing of the session stands in the way of the change.
            root.query_drop("SET lock_wait_timeout=1").await?;
            root.query_drop("ALTER TABLE app.t COMMENT 'free'")
                .await
                .with_context(|| format!("{flavor}: locked"))?;
            root.query_drop(format!("KILL QUERY {}", raw.connection_id))
                .await?;
            let (sequence, packet) = timeout(Duration::from_secs(5), raw.packet())
                .await
                .context("not killed")??;
            ensure!(
                sequence == 1 && packet[..3] == [0xff, 0x25, 5],
                "{flavor}: {}",
                String::from_utf8_lossy(&packet)
            );
            ensure!(happened.recv().await == Some("cancelled") && happened.recv().await == Some("dropped"));
            raw.ok("DO 1").await?;
        }

        // A client that leaves is let go, with its connection; the future is dropped.
        let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
        raw.send(0, &query(COPY)).await?;
        requests.recv().await.context("not asked")?;
        drop(raw);
        ensure!(timeout(Duration::from_secs(5), happened.recv()).await? == Some("dropped"));

        // KILL CONNECTION closes the client's connection.
        let mut raw = Raw::connect(proxy.tcp, BASE, 0).await?;
        raw.send(0, &query(COPY)).await?;
        requests.recv().await.context("not asked")?;
        root.query_drop(format!("KILL {}", raw.connection_id)).await?;
        ensure!(
            timeout(Duration::from_secs(5), raw.packet())
                .await
                .context("not closed")?
                .is_err()
        );
        ensure!(happened.recv().await == Some("dropped"));

        // A held session outlives its wait_timeout, and its answer comes with progress to those who want it.
        let base = if flavor == Flavor::MariaDb { MARIADB } else { BASE };
        let mut raw = Raw::connect(proxy.tcp, base, 1).await?;
        raw.ok("SET wait_timeout=1").await?;
        if flavor == Flavor::MariaDb {
            raw.ok("SET progress_report_time=1, max_statement_time=0.1")
                .await?;
        } else {
            raw.ok("SET max_execution_time=100").await?;
        }
        raw.send(0, &query(COPY)).await?;
        requests.recv().await.context("not asked")?;
        sleep(Duration::from_millis(2_700)).await;
        release.notify_one();
        let mut progress = 0;
        let (sequence, packet) = loop {
            let (sequence, packet) = raw.packet().await?;
            if packet[..3] != [0xff; 3] {
                break (sequence, packet);
            }
            progress += 1;
            ensure!(sequence == progress);
        };
        ensure!(
            packet.ends_with(INFO.as_bytes()) && sequence == progress + 1,
            "{flavor}: {packet:x?}"
        );
        ensure!(
            (flavor == Flavor::MariaDb) == (progress >= 1),
            "{flavor}: {progress} progress packets"
        );
        ensure!(happened.recv().await == Some("dropped"));
    }
    Ok(())
}

#[tokio::test]
async fn a_question_waits_no_longer_than_the_client_would() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = with_table(flavor).await?;
        let proxy = Proxy::of(&server, always(done())).await?;
        let mut blocker = Conn::new(Opts::from(
            mysql_async::OptsBuilder::from_opts(server.root_opts()).db_name(Some("app")),
        ))
        .await?;
        blocker.query_drop("BEGIN").await?;
        blocker.query_drop("SELECT * FROM t").await?;
        let mut connection = connect(&proxy).await?;
        connection.query_drop("SET lock_wait_timeout=3").await?;
        let start = Instant::now();
        let error = connection
            .query_drop("ALTER TABLE t ADD COLUMN c INT")
            .await
            .err()
            .context("no error")?;
        ensure!(error.to_string().contains("1205"), "{flavor}: {error}");
        ensure!(
            (3..8).contains(&start.elapsed().as_secs()),
            "{flavor}: {:?}",
            start.elapsed()
        );
        // It succeeds when the table is free again, and it can be killed while it waits.
        connection.query_drop("SET lock_wait_timeout=60").await?;
        let id = connection.id();
        let waiting = tokio::spawn(async move {
            (
                connection.query_drop("ALTER TABLE t ADD COLUMN c INT").await,
                connection,
            )
        });
        sleep(Duration::from_millis(2_500)).await;
        server
            .root()
            .await?
            .query_drop(format!("KILL QUERY {id}"))
            .await?;
        let (killed, mut connection) = timeout(Duration::from_secs(5), waiting).await??;
        ensure!(
            killed.is_err_and(|error| error.to_string().contains("1317")),
            "{flavor}: not killed"
        );
        let left: Option<u64> = connection.query_first("SELECT @@lock_wait_timeout").await?;
        ensure!(left == Some(60));
        let waiting =
            tokio::spawn(async move { connection.query_drop("ALTER TABLE t ADD COLUMN c INT").await });
        sleep(Duration::from_millis(1_500)).await;
        blocker.query_drop("COMMIT").await?;
        timeout(Duration::from_secs(10), waiting).await???;
    }
    Ok(())
}

#[tokio::test]
async fn a_closed_gate_holds_what_names_the_table() -> Result<()> {
    let server = with_table(Flavor::MySql).await?;
    let proxy = Proxy::of(&server, native()).await?;
    let watched = proxy.gate.watch(["t"]);
    let mut free = Raw::connect(proxy.tcp, BASE, 0).await?;
    free.ok("BEGIN").await?;
    free.ok("UPDATE t SET b = 1 WHERE id = 2").await?;
    let mut late = Raw::connect(proxy.tcp, BASE, 0).await?;
    late.ok("BEGIN").await?;
    let mut connection = connect(&proxy).await?;
    let statement = connection.prep("UPDATE t SET b = b + 1 WHERE id = ?").await?;
    let other = connection.prep("SELECT 5").await?;
    let mut by_name = connect(&proxy).await?;
    for sql in [
        "PREPARE writer FROM 'UPDATE t SET b = b + 1 WHERE id = 1'",
        "PREPARE six FROM 'SELECT 6'",
        "SET @v = 'SELECT 7'",
        "PREPARE seven FROM @v",
    ] {
        by_name.query_drop(sql).await?;
    }
    let closed = watched.close();
    // Transactions that have named the table and statements about other things pass.
    timeout(Duration::from_secs(1), free.ok("UPDATE t SET b = 2 WHERE id = 2")).await??;
    ensure!(
        timeout(Duration::from_millis(200), closed.drained())
            .await
            .is_err(),
        "a transaction holds the table"
    );
    timeout(Duration::from_secs(1), free.ok("ROLLBACK")).await??;
    timeout(Duration::from_secs(1), closed.drained()).await?;
    let five: Option<u8> = timeout(Duration::from_secs(1), connection.exec_first(&other, ())).await??;
    ensure!(five == Some(5));
    for (sql, expected) in [("EXECUTE six", 6), ("execute `seven`", 7)] {
        let value: Option<u8> = timeout(Duration::from_secs(1), by_name.query_first(sql)).await??;
        ensure!(value == Some(expected));
    }
    let is_done = Arc::new(AtomicBool::new(false));
    let flag = is_done.clone();
    let waiting_by_name = tokio::spawn(async move {
        by_name.query_drop("EXECUTE writer").await?;
        flag.store(true, Ordering::SeqCst);
        anyhow::Ok(())
    });
    let flag = is_done.clone();
    let waiting = tokio::spawn(async move {
        connection.exec_drop(&statement, (1,)).await?;
        flag.store(true, Ordering::SeqCst);
        connection
            .query_drop("UPDATE /* T */ t SET b = b + 1 WHERE id = 1")
            .await
    });
    // A transaction that has not named the table yet has no hold on it.
    late.send(0, &query("UPDATE t SET b = 7 WHERE id = 3")).await?;
    // Whoever leaves while held is let go.
    let mut gone = Raw::connect(proxy.tcp, BASE, 0).await?;
    gone.send(0, &query("DELETE FROM t")).await?;
    sleep(Duration::from_millis(300)).await;
    drop(gone);
    sleep(Duration::from_millis(300)).await;
    ensure!(!is_done.load(Ordering::SeqCst), "not held");
    timeout(Duration::from_secs(1), closed.drained()).await?;
    drop(closed);
    timeout(Duration::from_secs(1), waiting).await???;
    timeout(Duration::from_secs(1), waiting_by_name).await???;
    let count: Option<u8> = server
        .root()
        .await?
        .query_first("SELECT COUNT(*) FROM app.t")
        .await?;
    ensure!(count == Some(3), "a client that left was served");
    // Nothing is held for ever.
    let _closed = watched.close();
    let start = Instant::now();
    free.ok("UPDATE t SET b = 2 WHERE id = 2").await?;
    ensure!(start.elapsed() > Duration::from_secs(4) && start.elapsed() < Duration::from_secs(8));
    Ok(())
}
