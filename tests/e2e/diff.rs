//! `alterego diff A B`: every kind of drift is found, and a busy replica that lags behind is none.

use std::process::Output;
use std::sync::Arc;

use alterego_testkit::{Flavor, Options, Replication, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use crate::both;
use crate::support::{Writers, cannot_say, fill, tool};

both! {
    a_replica_that_lags_behind_is_no_difference,
    every_difference_is_found,
    other_definitions_and_other_tables_are_told,
    what_cannot_be_compared_is_an_error,
}

const ROWS: u32 = 7_000;

/// A primary with a table of many types, and its replica.
async fn prepare(flavor: Flavor) -> Result<Replication> {
    let group = Replication::start(flavor, 2).await?;
    let (a, b) = pair(&group)?;
    let mut root = a.root().await?;
    root.query_drop("CREATE DATABASE app").await?;
    root.query_drop("USE app").await?;
    root.query_drop(
        "CREATE TABLE t (id INT PRIMARY KEY, n BIGINT, dc DECIMAL(20,4), f FLOAT, d DOUBLE, \
         c VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, c2 VARCHAR(40) CHARACTER SET latin1, tx TEXT, \
         vb VARBINARY(20), bl BLOB, e ENUM('','x','y'), bt BIT(9), dt DATETIME(6), ts TIMESTAMP(6) NULL, ti TIME, j JSON)",
    )
    .await?;
    let columns = "n, n, n/3, n/7, n/7, 'ab', 'c', 'text', X'00', X'0100', 'x', 5, '2024-01-01', '2024-01-01', '10:00:00', '{\"a\": 1}'";
    fill(&mut root, "t", ROWS, columns).await?;
    b.catch_up(a).await?;
    Ok(group)
}

fn pair(group: &Replication) -> Result<(&Server, &Server)> {
    match group.servers.as_slice() {
        [a, b] => Ok((a, b)),
        _ => anyhow::bail!("two servers"),
    }
}

async fn diff(a: &str, b: &str, args: &[&str]) -> Result<Output> {
    tool(&[&["diff", a, b], args].concat()).await
}

/// Compares; asserts the status, and that stdout holds each of `expected`.
async fn check(a: &Server, b: &Server, args: &[&str], status: i32, expected: &[&str]) -> Result<()> {
    let output = diff(&a.url("root", ""), &b.url("root", ""), args).await?;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(
        output.status.code() == Some(status),
        "{:?}, expected {status}\n{stdout}{stderr}",
        output.status
    );
    for text in expected {
        ensure!(stdout.contains(text), "'{text}' is not in\n{stdout}");
    }
    Ok(())
}

/// Statements that the replica does not hear of.
async fn plant(a: &Server, statements: &[&str]) -> Result<()> {
    let mut root = a.root().await?;
    root.query_drop("SET SESSION sql_log_bin=0, sql_mode=''").await?;
    root.query_drop("USE app").await?;
    for sql in statements {
        root.query_drop(*sql).await.with_context(|| (*sql).to_owned())?;
    }
    Ok(root.disconnect().await?)
}

async fn a_replica_that_lags_behind_is_no_difference(flavor: Flavor) -> Result<()> {
    let group = prepare(flavor).await?;
    let (a, b) = pair(&group)?;
    let delay = match flavor {
        Flavor::MySql => "CHANGE REPLICATION SOURCE TO SOURCE_DELAY=1",
        Flavor::MariaDb => "CHANGE MASTER TO MASTER_DELAY=1",
    };
    b.stop_following().await?;
    b.execute(&[delay]).await?;
    let start = match flavor {
        Flavor::MySql => "START REPLICA",
        Flavor::MariaDb => "START SLAVE",
    };
    b.execute(&[start]).await?;
    let write = |writer: u64, i: u64| {
        let id = 1 + (writer * 3571 + i * 7919) % u64::from(ROWS);
        vec![
            "DO SLEEP(0.002)".to_owned(),
            match i % 3 {
                0 => format!("DELETE FROM app.t WHERE id={id}"),
                1 => format!("INSERT IGNORE INTO app.t (id, n) VALUES ({id}, {i})"),
                _ => format!(
                    "UPDATE app.t SET n=n+1, c=CONCAT(c, 'x') WHERE id BETWEEN {id} AND {id}+5 AND LENGTH(c) < 30"
                ),
            },
        ]
    };
    let writers = Writers::start(a.root_opts(), 2, Arc::new(write)).await?;
    let compared = check(a, b, &["app"], 0, &["app.t", "equal"]).await;
    writers.finish().await?;
    compared?;
    // One row among all of them is a difference all the same.
    plant(a, &["INSERT INTO t (id) VALUES (-5)"]).await?;
    check(a, b, &["app.t"], 1, &["different", "only in A: -5"]).await
}

async fn every_difference_is_found(flavor: Flavor) -> Result<()> {
    let group = prepare(flavor).await?;
    let (a, b) = pair(&group)?;
    check(a, b, &[], 0, &["app.t", "equal"]).await?;
    let differences = [
        "UPDATE t SET n=n^1 WHERE id=101",
        "UPDATE t SET n=NULL WHERE id=102",
        "UPDATE t SET dc=dc+0.0001 WHERE id=103",
        "UPDATE t SET f=f*1.0000002 WHERE id=104",
        "UPDATE t SET d=-d WHERE id=105",
        "UPDATE t SET c='a', c2='bc' WHERE id=106",
        "UPDATE t SET c='AB' WHERE id=107",
        "UPDATE t SET c='ab ' WHERE id=108",
        "UPDATE t SET c2=NULL WHERE id=109",
        "UPDATE t SET tx='' WHERE id=110",
        "UPDATE t SET vb=X'0000' WHERE id=111",
        "UPDATE t SET bl=X'01' WHERE id=112",
        "UPDATE t SET e='' WHERE id=113",
        "UPDATE t SET bt=4 WHERE id=114",
        "UPDATE t SET dt='2024-01-01 00:00:00.000001' WHERE id=115",
        "UPDATE t SET ts='2024-01-01 01:00:00' WHERE id=116",
        "UPDATE t SET ti='-10:00:00' WHERE id=117",
        "UPDATE t SET j='{\"a\": \"1\"}' WHERE id=118",
        "UPDATE t SET d=0 WHERE id=119",
        "UPDATE t SET e=0 WHERE id=120",
    ];
    plant(a, &differences).await?;
    // The first and the last row, both ends of a chunk, and rows that only one side has.
    plant(
        a,
        &[
            "DELETE FROM t WHERE id IN (1, 2000, 2001, 7000)",
            "INSERT INTO t (id) VALUES (-1), (8000)",
        ],
    )
    .await?;
    let mut expected = vec![
        "only in B: 1\n",
        "only in B: 2000",
        "only in B: 2001",
        "only in B: 7000",
        "only in A: -1",
        "only in A: 8000",
    ];
    let changed: Vec<String> = (101..=120).map(|id| format!("changed: {id}")).collect();
    expected.extend(changed.iter().map(String::as_str));
    check(a, b, &["app.t"], 1, &expected).await?;
    let other_way = ["only in A: 2000", "only in B: 8000", "changed: 101"];
    check(b, a, &["app.t", "--patience", "1s"], 1, &other_way).await
}

async fn other_definitions_and_other_tables_are_told(flavor: Flavor) -> Result<()> {
    let group = prepare(flavor).await?;
    let (a, b) = pair(&group)?;
    a.execute(&[
        "CREATE TABLE app.u (k VARCHAR(20), d DATE, v INT, PRIMARY KEY (k, d))",
        "INSERT INTO app.u VALUES ('a', '2024-01-01', 1), ('b', '2024-01-02', 2)",
    ])
    .await?;
    b.catch_up(a).await?;
    check(a, b, &["app.u"], 0, &["equal"]).await?;
    plant(
        a,
        &[
            "UPDATE u SET v=3 WHERE k='b'",
            "CREATE TABLE here (id INT PRIMARY KEY)",
        ],
    )
    .await?;
    check(
        a,
        b,
        &["app"],
        1,
        &["app.here", "only in A", "changed: 'b', '2024-01-02'"],
    )
    .await?;
    check(b, a, &["app", "--patience", "1s"], 1, &["app.here", "only in B"]).await?;
    plant(a, &["DROP TABLE here", "UPDATE u SET v=2 WHERE k='b'"]).await?;
    check(a, b, &["app"], 0, &["equal"]).await?;
    plant(a, &["ALTER TABLE u ADD COLUMN w INT"]).await?;
    check(a, b, &["app"], 1, &["column w is only in A"]).await?;
    plant(a, &["ALTER TABLE u DROP COLUMN w, ADD INDEX (v)"]).await?;
    check(a, b, &["app"], 1, &["index v is only in A"]).await?;
    plant(a, &["ALTER TABLE u DROP INDEX v, MODIFY v BIGINT NOT NULL"]).await?;
    check(
        a,
        b,
        &["app"],
        1,
        &["column v is bigint NOT NULL in A and int NULL in B"],
    )
    .await?;
    plant(a, &["ALTER TABLE u MODIFY v INT, COMMENT='other'"]).await?;
    check(a, b, &["app"], 1, &["SHOW CREATE TABLE"]).await?;
    plant(a, &["ALTER TABLE u COMMENT='', AUTO_INCREMENT=77"]).await?;
    check(a, b, &["app"], 0, &["equal"]).await
}

async fn what_cannot_be_compared_is_an_error(flavor: Flavor) -> Result<()> {
    let a = Server::start(flavor, &Options::relaxed()).await?;
    let (url, nobody) = (a.url("root", ""), "mysql://root@127.0.0.1:1");
    for (a, b, scope, expected) in [
        (url.as_str(), nobody, "app", "cannot reach the server"),
        (nobody, url.as_str(), "app", "cannot reach the server"),
        (
            url.as_str(),
            url.as_str(),
            "nothing.there",
            "neither server has such a table",
        ),
        (url.as_str(), "127.0.0.1", "app", "mysql://user"),
        (url.as_str(), url.as_str(), "app.", "SCHEMA.TABLE"),
    ] {
        let output = diff(a, b, &[scope]).await?;
        cannot_say(&output, expected)?;
    }
    a.execute(&[
        "CREATE DATABASE app",
        "CREATE TABLE app.t (v INT)",
        "INSERT INTO app.t VALUES (1)",
    ])
    .await?;
    // Rows without a key cannot be matched, so nothing is said of them.
    check(&a, &a, &["app"], 2, &["not known", "rows are not compared"]).await
}

/// Not replicated, and of two families: compared by time, where types allow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_and_mariadb_are_compared() -> Result<()> {
    let a = Server::start(Flavor::MySql, &Options::relaxed()).await?;
    let b = Server::start(Flavor::MariaDb, &Options::relaxed()).await?;
    for server in [&a, &b] {
        server
            .execute(&[
                "CREATE DATABASE app",
                "CREATE TABLE app.t (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, n INT, dc DECIMAL(10,3), f FLOAT, d DOUBLE, \
                 c VARCHAR(40), b VARBINARY(10), e ENUM('x','y'), s SET('p','q'), dt DATETIME(3), ts TIMESTAMP NULL, ti TIME(2), \
                 da DATE, y YEAR, g GEOMETRY, KEY by_n (n)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
                "INSERT INTO app.t VALUES (1, -1, 1.5, 0.1, 0.1, 'é', X'00', 'x', 'p,q', '2024-01-01', '2024-01-01', '-1:00:00', \
                 '2024-01-01', 2024, ST_GeomFromText('POINT(1 2)')), \
                 (18446744073709551615, NULL, -0.001, 1e30, -1e300, '', '', 'y', '', NULL, NULL, NULL, NULL, NULL, NULL)",
            ])
            .await?;
    }
    check(&a, &b, &[], 0, &["app.t", "equal"]).await?;
    b.execute(&["UPDATE app.t SET d=0.10000000000000002 WHERE id=1"])
        .await?;
    check(&a, &b, &[], 1, &["changed: 1\n"]).await?;
    b.execute(&[
        "UPDATE app.t SET d=0.1 WHERE id=1",
        "ALTER TABLE app.t ADD COLUMN j JSON",
    ])
    .await?;
    a.execute(&["ALTER TABLE app.t ADD COLUMN j JSON"]).await?;
    check(&a, &b, &[], 2, &["j is not compared"]).await
}
