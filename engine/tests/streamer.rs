//! The streamer against real servers: boundaries, lost connections, foreign statements.

mod stream_kit;

use std::collections::HashSet;

use alterego_engine::binlog::{StreamEnd, StreamItem};
use alterego_engine::key::{Key, KeyValue};
use alterego_engine::position::{Position, can_resume};
use alterego_testkit::{Flavor, Options};
use anyhow::{Result, ensure};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use stream_kit::{Fixture, end_of, int, items_until, keys_until};

const CREATE: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))";

fn key(id: i64) -> Key {
    Key(vec![KeyValue::Int(id)])
}

/// Every server and way of asking it for its log.
fn servers() -> Vec<(Flavor, Options)> {
    vec![
        (Flavor::MySql, Options::relaxed()),
        (Flavor::MySql, Options::relaxed().without_gtid()),
        (Flavor::MariaDb, Options::relaxed()),
    ]
}

/// The sessions that stream the log.
const DUMPS: &str = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";

async fn with_table(flavor: Flavor, options: &Options) -> Result<Fixture> {
    let mut fixture = Fixture::start(flavor, options).await?;
    fixture.run(&[CREATE]).await?;
    Ok(fixture)
}

/// Transactions of every shape a log can hold.
const SHAPES: &[&str] = &[
    "INSERT INTO t VALUES (1,'a')",
    "BEGIN",
    "INSERT INTO t VALUES (2,'b')",
    "SAVEPOINT s",
    "INSERT INTO t VALUES (3,'b')",
    "ROLLBACK TO s",
    "UPDATE t SET v='z' WHERE id=2",
    "COMMIT",
    "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM",
    "INSERT INTO m VALUES (1)",
    "CREATE TABLE u AS SELECT * FROM t",
    "XA START 'x'",
    "INSERT INTO t VALUES (5,'x')",
    "XA END 'x'",
    "XA PREPARE 'x'",
    "XA ROLLBACK 'x'",
    "XA START 'y'",
    "INSERT INTO t VALUES (6,'x')",
    "XA END 'y'",
    "XA COMMIT 'y' ONE PHASE",
    "XA START 'z'",
    "INSERT INTO t VALUES (7,'x')",
    "XA END 'z'",
    "XA PREPARE 'z'",
    "XA COMMIT 'z'",
    "BEGIN",
    "INSERT INTO m VALUES (2)",
    "INSERT INTO t VALUES (8,'x')",
    "ROLLBACK",
    "UPDATE t SET id=9 WHERE id=6",
    "DELETE FROM t WHERE id=9",
    "DROP TABLE u, m",
    "ANALYZE TABLE t",
    "FLUSH BINARY LOGS",
    "CREATE TABLE IF NOT EXISTS t (id INT)",
    "CREATE TEMPORARY TABLE tt (id INT)",
    "DROP TEMPORARY TABLE tt",
    "CREATE DATABASE other",
    "CREATE TABLE other.t (id INT)",
    "ALTER TABLE other.t ADD t INT",
    "DROP DATABASE other",
    "INSERT INTO t VALUES (10,'a'),(11,'b')",
];

#[tokio::test]
async fn every_position_is_a_boundary() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        let mut shapes = SHAPES.to_vec();
        if flavor == Flavor::MySql {
            shapes.extend([
                "SET binlog_transaction_compression=ON",
                "UPDATE t SET v=CONCAT(v,'c')",
            ]);
            if options.gtid {
                shapes.extend(["SET gtid_next='AUTOMATIC:red'", "INSERT INTO t VALUES (20,'a')"]);
            }
            shapes.push("INSERT INTO t VALUES (21,'a')");
        }
        fixture.run(&shapes).await?;
        let target = fixture.position().await?;
        let mut stream = fixture.stream(2, vec![int("id", 0)], start.clone()).await?;
        let items = items_until(&mut stream, &target).await?;
        let expected: HashSet<Key> = [1, 2, 5, 6, 7, 9, 10, 11].into_iter().map(key).collect();
        let keys: HashSet<Key> = items
            .iter()
            .filter_map(|item| match item {
                StreamItem::Key(key) => Some(key.clone()),
                StreamItem::TransactionEnd(_) => None,
            })
            .collect();
        ensure!(keys.is_superset(&expected), "{flavor}: {keys:?}");
        ensure!(!keys.contains(&key(3)), "{flavor}: {keys:?}");
        let last = items.last().cloned();
        ensure!(
            last == Some(StreamItem::TransactionEnd(target.clone())),
            "{flavor}: {last:?} {target:?}"
        );
        // From each position the stream goes on with exactly what came behind it.
        for (place, item) in items.iter().enumerate() {
            let StreamItem::TransactionEnd(position) = item else {
                continue;
            };
            ensure!(position.at_or_after(&start) && *position != start);
            let rest = &items[place + 1..];
            let mut resumed = fixture.stream(2, vec![int("id", 0)], position.clone()).await?;
            if rest.is_empty() {
                continue;
            }
            let again = items_until(&mut resumed, &target).await?;
            ensure!(
                again == rest,
                "{flavor} from {position:?}:\n{again:#?}\ninstead of\n{rest:#?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_idle_server_that_rotates_is_caught_up_with() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
        for _ in 0..3 {
            fixture.run(&["FLUSH BINARY LOGS"]).await?;
            let target = fixture.position().await?;
            ensure!(keys_until(&mut stream, &target).await?.is_empty());
        }
        // A stream that starts behind the rotation, and one that starts before it.
        let target = fixture.position().await?;
        fixture.run(&["INSERT INTO t VALUES (1,'a')"]).await?;
        let end = fixture.position().await?;
        let mut stream = fixture.stream(2, vec![int("id", 0)], target).await?;
        ensure!(keys_until(&mut stream, &end).await? == [key(1)]);
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_stream_misses_nothing() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
        let mut writer = fixture.session().await?;
        let mut killer = fixture.session().await?;
        let mut killed = 0;
        const TRANSACTIONS: i64 = 400;
        const ROWS: i64 = 50;
        let write = async {
            for transaction in 0..TRANSACTIONS {
                let mut statements = vec!["BEGIN".to_owned()];
                for part in 0..5 {
                    let first = transaction * ROWS + part * 10;
                    let values: Vec<String> = (first..first + 10).map(|id| format!("({id},'x')")).collect();
                    statements.push(format!("INSERT INTO t VALUES {}", values.join(",")));
                }
                statements.push("COMMIT".to_owned());
                writer.query_drop(statements.join("; ")).await?;
                if transaction % 50 == 0 {
                    killer.query_drop("FLUSH BINARY LOGS").await?;
                }
                if transaction % 20 == 0 {
                    let dumps = loop {
                        let dumps: Vec<u64> = killer.query(DUMPS).await?;
                        if !dumps.is_empty() {
                            break dumps;
                        }
                    };
                    for dump in dumps {
                        killed += 1;
                        let _ = killer.query_drop(format!("KILL {dump}")).await;
                    }
                }
            }
            anyhow::Ok(Position::current(&mut killer, fixture.upstream.flavor()).await?)
        };
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let read = tokio::spawn(async move {
            let mut seen = HashSet::new();
            let mut target: Option<Position> = None;
            loop {
                tokio::select! {
                    Some(position) = receiver.recv() => target = Some(position),
                    item = stream.next() => match item? {
                        StreamItem::Key(key) => { seen.insert(key); }
                        StreamItem::TransactionEnd(position) => {
                            if target.is_none() {
                                target = receiver.try_recv().ok();
                            }
                            if target.as_ref().is_some_and(|target| position.at_or_after(target)) {
                                return anyhow::Ok(seen);
                            }
                        }
                    }
                }
            }
        });
        let end = write.await?;
        sender.send(end)?;
        // A last transaction, in case the stream had passed the end before it was told.
        fixture.run(&["INSERT INTO t VALUES (-1,'x')"]).await?;
        let mut seen = tokio::time::timeout(std::time::Duration::from_secs(60), read).await???;
        seen.remove(&key(-1));
        let missing: Vec<i64> = (0..TRANSACTIONS * ROWS)
            .filter(|id| !seen.contains(&key(*id)))
            .collect();
        ensure!(killed >= 20, "{flavor}: only {killed} streams were killed");
        ensure!(
            missing.is_empty(),
            "{flavor}: {} keys are missing: {:?}",
            missing.len(),
            missing.first()
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_restarted_server_is_followed_on() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
        fixture.run(&["INSERT INTO t VALUES (1,'a')"]).await?;
        let target = fixture.position().await?;
        ensure!(keys_until(&mut stream, &target).await? == [key(1)]);
        fixture.server.restart().await?;
        fixture.conn = fixture.session().await?;
        fixture.run(&["INSERT INTO t VALUES (2,'a')"]).await?;
        let target = fixture.position().await?;
        ensure!(keys_until(&mut stream, &target).await? == [key(2)], "{flavor}");
    }
    Ok(())
}

/// A server that is killed while it writes an event leaves half of one at the end of its log. MariaDB keeps it there.
#[tokio::test]
async fn a_log_cut_off_by_a_crash_is_followed_on() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        fixture
            .run(&["INSERT INTO t VALUES (1,'a')", "INSERT INTO t VALUES (2,'a')"])
            .await?;
        let file = fixture.position().await?.file;
        fixture.server.kill();
        cut_off_after(&fixture.server.data_folder().join(&file))?;
        fixture.server.restart().await?;
        fixture.conn = fixture.session().await?;
        fixture.run(&["INSERT INTO t VALUES (3,'a')"]).await?;
        let target = fixture.position().await?;
        ensure!(target.file != file, "{flavor} goes on in the same file");
        let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
        let keys = keys_until(&mut stream, &target).await?;
        ensure!(keys == [key(1), key(2), key(3)], "{flavor}: {keys:?}");
    }
    Ok(())
}

/// Adds half of a row event to a log, copied from its last transaction.
fn cut_off_after(log: &std::path::Path) -> Result<()> {
    let bytes = std::fs::read(log)?;
    let mut events = Vec::new();
    let mut at = 4;
    while let Some(length) = bytes.get(at + 9..at + 13) {
        events.push(at);
        at += u32::from_le_bytes(length.try_into()?) as usize;
    }
    // A transaction ends with its row event and an XID event.
    let Some(&[rows, xid]) = events.last_chunk() else {
        anyhow::bail!("the log has no transaction")
    };
    let half = rows + (xid - rows) / 2;
    let mut log = std::fs::File::options().append(true).open(log)?;
    std::io::Write::write_all(&mut log, bytes.get(rows..half).unwrap_or_default())?;
    Ok(())
}

#[tokio::test]
async fn changes_of_the_table_end_the_stream() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let statements = [
            "ALTER TABLE t ADD x INT",
            "TRUNCATE t",
            "RENAME TABLE t TO u",
            "DROP TABLE t",
            "CREATE INDEX i ON app.t (v)",
            "DROP DATABASE app",
        ];
        for statement in statements {
            let start = fixture.position().await?;
            let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
            fixture.run(&[statement]).await?;
            let end = end_of(&mut stream).await?;
            ensure!(
                matches!(end, StreamEnd::Altered { .. }),
                "{flavor}: {statement}: {end}"
            );
            fixture
                .run(&[
                    "CREATE DATABASE IF NOT EXISTS app",
                    "USE app",
                    "DROP TABLE IF EXISTS t, u",
                    CREATE,
                ])
                .await?;
        }
        let statements = [
            "INSERT INTO t VALUES (1,'a')",
            "UPDATE app.t SET v='x'",
            "DELETE FROM t",
        ];
        for statement in statements {
            fixture
                .run(&["SET SESSION binlog_format=ROW", "REPLACE INTO t VALUES (1,'b')"])
                .await
                .or_else(|error| {
                    if statement.starts_with("INSERT") {
                        Ok(())
                    } else {
                        Err(error)
                    }
                })?;
            if statement.starts_with("INSERT") {
                fixture.run(&["DELETE FROM t"]).await?;
            }
            let start = fixture.position().await?;
            let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
            fixture
                .run(&[
                    "SET SESSION binlog_format=STATEMENT",
                    statement,
                    "SET SESSION binlog_format=ROW",
                ])
                .await?;
            let end = end_of(&mut stream).await?;
            ensure!(
                matches!(end, StreamEnd::NotUnderstood(_)),
                "{flavor}: {statement}: {end}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn our_own_statements_are_passed_over() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
        fixture
            .run(&[
                "CREATE DATABASE app__old",
                "/* alterego */ RENAME TABLE app.t TO app__old.t",
                "DROP TABLE app__old.t",
            ])
            .await?;
        let target = fixture.position().await?;
        ensure!(keys_until(&mut stream, &target).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_minimal_image_without_the_key_is_not_guessed_at() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = Fixture::start(flavor, &options).await?;
        fixture
            .run(&[
                "CREATE TABLE t (id INT PRIMARY KEY, k INT NOT NULL DEFAULT 7, v INT, UNIQUE (k))",
                "SET SESSION binlog_row_image=MINIMAL",
                "INSERT INTO t VALUES (1,1,1)",
            ])
            .await?;
        let start = fixture.position().await?;
        let mut stream = fixture.stream(3, vec![int("k", 1)], start).await?;
        fixture.run(&["INSERT INTO t (id) VALUES (2)"]).await?;
        let target = fixture.position().await?;
        let inserted = keys_until(&mut stream, &target).await;
        println!("{flavor}: a defaulted key in a minimal image: {inserted:?}");
        ensure!(inserted.is_err() || inserted? == [key(7)]);
        let start = fixture.position().await?;
        let mut stream = fixture.stream(3, vec![int("k", 1)], start).await?;
        fixture.run(&["UPDATE t SET v=5 WHERE id=1"]).await?;
        let end = end_of(&mut stream).await?;
        ensure!(matches!(end, StreamEnd::NotUnderstood(_)), "{flavor}: {end}");
    }
    Ok(())
}

#[tokio::test]
async fn partial_json_updates_are_followed() -> Result<()> {
    let mut fixture = Fixture::start(Flavor::MySql, &Options::relaxed()).await?;
    fixture
        .run(&[
            "CREATE TABLE t (j JSON, id INT PRIMARY KEY, j2 JSON, v VARCHAR(300))",
            "INSERT INTO t VALUES ('{\"a\":\"aaaaaaaaaaaaaaaaaaaa\"}', 1, '[1,2,3]', 'x'), (NULL, 2, '{}', NULL)",
            "SET SESSION binlog_row_value_options=PARTIAL_JSON, SESSION binlog_row_image=MINIMAL",
        ])
        .await?;
    let start = fixture.position().await?;
    let mut stream = fixture.stream(4, vec![int("id", 1)], start).await?;
    fixture
        .run(&[
            "UPDATE t SET j=JSON_SET(j,'$.a','b'), j2=JSON_REPLACE(j2,'$[0]',9), v='y'",
            "UPDATE t SET j=JSON_SET(j,'$.a','c'), id=id+10",
        ])
        .await?;
    let target = fixture.position().await?;
    let seen: HashSet<Key> = keys_until(&mut stream, &target).await?.into_iter().collect();
    ensure!(seen == [1, 2, 11, 12].into_iter().map(key).collect());
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_go_on_says_what_is_missing() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        fixture
            .run(&["INSERT INTO t VALUES (1,'a')", "FLUSH BINARY LOGS"])
            .await?;
        let here = fixture.position().await?;
        let engine_flavor = fixture.flavor();
        ensure!(
            can_resume(&mut fixture.conn, engine_flavor, &start)
                .await?
                .is_ok()
        );
        // A position behind the end of what the server has.
        let mut ahead = here.clone();
        ahead.offset += 1_000_000;
        ahead.gtids = ahead
            .gtids
            .map(|gtids| gtids.replace("-1-", "-1-9").replace(":1-", ":1-9"));
        let missing = can_resume(&mut fixture.conn, engine_flavor, &ahead).await?;
        println!("{flavor}: {missing:?}");
        ensure!(missing.is_err());
        purge_to(&mut fixture, &here.file).await?;
        let purged = can_resume(&mut fixture.conn, engine_flavor, &start).await?;
        println!("{flavor}: {purged:?}");
        ensure!(purged.is_err());
        ensure!(can_resume(&mut fixture.conn, engine_flavor, &here).await?.is_ok());
        let mut stream = fixture.stream(2, vec![int("id", 0)], start.clone()).await?;
        ensure!(matches!(end_of(&mut stream).await?, StreamEnd::Purged(_)));
        // Another server, to which file and offset mean nothing.
        let mut elsewhere = here.clone();
        elsewhere.server = "another".to_owned();
        let other = can_resume(&mut fixture.conn, engine_flavor, &elsewhere).await?;
        println!("{flavor}: {other:?}");
        ensure!(other.is_ok() == here.gtids.is_some());
        if here.gtids.is_some() {
            let mut stream = fixture.stream(2, vec![int("id", 0)], elsewhere).await?;
            fixture.run(&["INSERT INTO t VALUES (2,'a')"]).await?;
            let target = fixture.position().await?;
            ensure!(keys_until(&mut stream, &target).await? == [key(2)]);
            let mut elsewhere = start;
            elsewhere.server = "another".to_owned();
            ensure!(
                can_resume(&mut fixture.conn, engine_flavor, &elsewhere)
                    .await?
                    .is_err()
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_stalled_commit_is_no_lost_transaction() -> Result<()> {
    for (flavor, options) in servers() {
        let mut fixture = with_table(flavor, &options).await?;
        let start = fixture.position().await?;
        let mut stream = fixture.stream(2, vec![int("id", 0)], start).await?;
        fixture
            .server
            .stall_commits(std::time::Duration::from_secs(20))
            .await?;
        let mut writer = fixture.session().await?;
        let write = tokio::spawn(async move { writer.query_drop("INSERT INTO t VALUES (1,'a')").await });
        while fixture.server.stalled_commits().await? == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let stalled = fixture.position().await?;
        let items = items_until(&mut stream, &stalled).await?;
        ensure!(items.contains(&StreamItem::Key(key(1))), "{flavor}");
        let visible: Vec<Row> = fixture.conn.query("SELECT id FROM t").await?;
        ensure!(visible.is_empty(), "{flavor}: the commit was not stalled");
        let Some(StreamItem::TransactionEnd(delivered)) = items.last() else {
            anyhow::bail!("no position");
        };
        let engine_flavor = fixture.flavor();
        let resumable = can_resume(&mut fixture.conn, engine_flavor, delivered).await?;
        ensure!(resumable.is_ok(), "{flavor}: {resumable:?}");
        fixture.server.release().await?;
        write.await??;
    }
    Ok(())
}

/// Purges the logs before `file`; MariaDB keeps one until its engine has synced what is in it.
async fn purge_to(fixture: &mut Fixture, file: &str) -> Result<()> {
    loop {
        fixture.run(&[&format!("PURGE BINARY LOGS TO '{file}'")]).await?;
        let first: Option<Row> = fixture.conn.query_first("SHOW BINARY LOGS").await?;
        let first: Option<String> = first.and_then(|row| row.get(0));
        if first.as_deref() == Some(file) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
