//! Verification against real servers: every kind of difference is found, and nothing else is.

mod following;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alterego_engine::session::Upstream;
use alterego_engine::{Flavor, verify};
use anyhow::{Context, Result, ensure};
use following::{FLAVORS, Named, plan, run, start, verification};
use mysql_async::prelude::Queryable;

const STRICT: &str = "STRICT_TRANS_TABLES";

/// Columns both servers have.
const COLUMNS: &str = "id BIGINT NOT NULL PRIMARY KEY, n INT, u BIGINT UNSIGNED, m MEDIUMINT NOT NULL, dc DECIMAL(20,6), \
    f FLOAT, d DOUBLE, c CHAR(10) CHARACTER SET latin1, v VARCHAR(40) CHARACTER SET utf8mb4, tx TEXT CHARACTER SET utf8mb4, \
    v2 VARCHAR(40) CHARACTER SET utf8mb4, bi BINARY(4), vb VARBINARY(20), bl BLOB, bt BIT(64), e ENUM('','a','b'), \
    s SET('x','y'), y YEAR, da DATE, ti TIME(3), dt DATETIME(6), ts TIMESTAMP(6) NULL, j JSON, g GEOMETRY";

const VALUES: &str = "{id}, {id}, 18446744073709551615, -1, 1.500000, 0.1, 1e0, 'abc', 'val', 'text ', '', 'ab', X'6100', X'00FF', \
    b'1', '', 'x,y', 2024, '2024-01-01', '-10:00:00.001', '2024-01-01 00:00:00.000001', '2024-10-27 00:30:00', '{\"a\": 1.0}', \
    ST_GeomFromText('POINT(1 2)')";

/// What is done to the ghost, each the least difference its type has.
const CORRUPTIONS: &[&str] = &[
    "DELETE FROM {g} WHERE id=7",
    "DELETE FROM {g} WHERE id=(SELECT * FROM (SELECT MIN(id) FROM {g}) x)",
    "DELETE FROM {g} WHERE id=(SELECT * FROM (SELECT MAX(id) FROM {g}) x)",
    "INSERT INTO {g} (id, m) VALUES (-5, 0)",
    "INSERT INTO {g} (id, m) VALUES (9999, 0)",
    "UPDATE {g} SET id=100000 WHERE id=9",
    "UPDATE {g} SET n=NULL WHERE id=9",
    "UPDATE {g} SET n=n+1 WHERE id=9",
    "UPDATE {g} SET u=u-1 WHERE id=9",
    "UPDATE {g} SET m=0 WHERE id=9",
    "UPDATE {g} SET dc=1.500001 WHERE id=9",
    "UPDATE {g} SET f=0.100000024 WHERE id=9",
    "UPDATE {g} SET d=1.0000000000000002 WHERE id=9",
    "UPDATE {g} SET c='ABC' WHERE id=9",
    "UPDATE {g} SET c=NULL WHERE id=9",
    "UPDATE {g} SET v='Val' WHERE id=9",
    "UPDATE {g} SET v='val ' WHERE id=9",
    "UPDATE {g} SET v='vàl' WHERE id=9",
    "UPDATE {g} SET v='va', v2='l' WHERE id=9",
    "UPDATE {g} SET v2=NULL WHERE id=9",
    "UPDATE {g} SET tx='text' WHERE id=9",
    "UPDATE {g} SET bi=X'61620001' WHERE id=9",
    "UPDATE {g} SET vb=X'61' WHERE id=9",
    "UPDATE {g} SET bl=X'00FE' WHERE id=9",
    "UPDATE {g} SET bt=b'0' WHERE id=9",
    "UPDATE {g} SET e=0 WHERE id=9",
    "UPDATE {g} SET e='a' WHERE id=9",
    "UPDATE {g} SET s='x' WHERE id=9",
    "UPDATE {g} SET y=0 WHERE id=9",
    "UPDATE {g} SET da='2024-01-02' WHERE id=9",
    "UPDATE {g} SET ti='-10:00:00' WHERE id=9",
    "UPDATE {g} SET dt='2024-01-01' WHERE id=9",
    "UPDATE {g} SET ts='2024-10-27 01:30:00' WHERE id=9",
    "UPDATE {g} SET ts=NULL WHERE id=9",
    "UPDATE {g} SET j='{\"a\": 2}' WHERE id=9",
    "UPDATE {g} SET j='{\"A\": 1.0}' WHERE id=9",
    "UPDATE {g} SET j=NULL WHERE id=9",
    "UPDATE {g} SET j='null' WHERE id=9",
    "UPDATE {g} SET g=ST_GeomFromText('POINT(1 2.0000000000000004)') WHERE id=9",
    "UPDATE {g} SET g=ST_GeomFromText('POINT(1 2)', 4326) WHERE id=9",
    "UPDATE {g} SET zero=-0.0e0 WHERE id=9",
    "UPDATE {g} SET zero=NULL WHERE id=9",
];

const MYSQL_ONLY: &[&str] = &["UPDATE {g} SET ve=TO_VECTOR('[1,2.0000002]') WHERE id=9"];
const MARIADB_ONLY: &[&str] = &[
    "UPDATE {g} SET ve=VEC_FromText('[1,2.0000002]') WHERE id=9",
    "UPDATE {g} SET uu='123e4567-e89b-12d3-a456-426655440001' WHERE id=9",
    "UPDATE {g} SET i6='::2' WHERE id=9",
];

async fn every_type(upstream: &Upstream) -> Result<()> {
    let mut conn = upstream.control().await?;
    let (more, values) = match upstream.flavor() {
        Flavor::MySql => ("ve VECTOR(2)", "TO_VECTOR('[1,2]')"),
        Flavor::MariaDb => (
            "ve VECTOR(2), uu UUID, i6 INET6",
            "VEC_FromText('[1,2]'), '123e4567-e89b-12d3-a456-426655440000', '::1'",
        ),
    };
    run(&mut conn, &["DROP DATABASE IF EXISTS app", "CREATE DATABASE app"]).await?;
    conn.query_drop(format!("CREATE TABLE app.t ({COLUMNS}, zero DOUBLE, {more})"))
        .await?;
    for id in 1..=60 {
        let row = VALUES.replace("{id}", &id.to_string());
        conn.query_drop(format!("INSERT INTO app.t VALUES ({row}, 0, {values})"))
            .await?;
    }
    Ok(())
}

/// Verifies after `corruption`; the rows found wrong.
async fn found(upstream: &Upstream, clauses: &str, sql_mode: &str, corruption: &str) -> Result<u64> {
    let plan = plan(upstream, clauses, sql_mode).await?;
    let follower = Named::new(upstream, &plan, Duration::ZERO);
    follower.copy().await?;
    let mut conn = upstream.control().await?;
    if !corruption.is_empty() {
        conn.query_drop(corruption.replace("{g}", &plan.ghost_name().to_string()))
            .await
            .context("corrupting")?;
    }
    let (context, _cancel) = verification(upstream, &plan, &follower);
    let verified = verify::run(&context).await?;
    ensure!(context.counters.rows_repaired.get() == verified.repaired());
    let rows: Option<u64> = conn.query_first("SELECT COUNT(*) FROM app.t").await?;
    ensure!(
        Some(verified.rows()) == rows,
        "{} rows were verified of {rows:?}",
        verified.rows()
    );
    Ok(verified.repaired())
}

#[tokio::test]
async fn every_difference_is_found_and_repaired() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        every_type(&upstream).await?;
        ensure!(found(&upstream, "ADD INDEX (n)", STRICT, "").await? == 0);
        let own = match upstream.flavor() {
            Flavor::MySql => MYSQL_ONLY,
            Flavor::MariaDb => MARIADB_ONLY,
        };
        for corruption in CORRUPTIONS.iter().chain(own) {
            let repaired = found(&upstream, "ADD INDEX (n)", STRICT, corruption)
                .await
                .with_context(|| format!("{flavor} {corruption}"))?;
            let wrong = if corruption.contains("SET id") { 2 } else { 1 };
            ensure!(repaired == wrong, "{flavor} {corruption}: {repaired} repaired");
        }
    }
    Ok(())
}

/// Changes of type: nothing is wrong after the copy, and one changed value in the new type is found.
const CONVERSIONS: &[(&str, &str, &str)] = &[
    ("MODIFY n BIGINT", STRICT, "UPDATE {g} SET n=n+1 WHERE id=9"),
    ("MODIFY n VARCHAR(30)", STRICT, "UPDATE {g} SET n='9 ' WHERE id=9"),
    (
        "MODIFY n DECIMAL(10,2)",
        STRICT,
        "UPDATE {g} SET n=9.01 WHERE id=9",
    ),
    (
        "MODIFY dc DECIMAL(10,1)",
        STRICT,
        "UPDATE {g} SET dc=1.6 WHERE id=9",
    ),
    (
        "MODIFY dc DOUBLE",
        STRICT,
        "UPDATE {g} SET dc=1.5000000000000002 WHERE id=9",
    ),
    (
        "MODIFY v VARCHAR(2) CHARACTER SET utf8mb4",
        "",
        "UPDATE {g} SET v='Va' WHERE id=9",
    ),
    (
        "MODIFY c VARCHAR(10) CHARACTER SET utf8mb4",
        STRICT,
        "UPDATE {g} SET c='Abc' WHERE id=9",
    ),
    (
        "MODIFY v CHAR(40) CHARACTER SET latin1",
        STRICT,
        "UPDATE {g} SET v='Val' WHERE id=9",
    ),
    (
        "MODIFY tx CHAR(40) CHARACTER SET utf8mb4",
        STRICT,
        "UPDATE {g} SET tx='text.' WHERE id=9",
    ),
    (
        "MODIFY bi BINARY(8)",
        STRICT,
        "UPDATE {g} SET bi=X'61620000000001' WHERE id=9",
    ),
    (
        "MODIFY e ENUM('a','b','')",
        STRICT,
        "UPDATE {g} SET e='b' WHERE id=9",
    ),
    (
        "MODIFY e ENUM('','a','b','c')",
        STRICT,
        "UPDATE {g} SET e='c' WHERE id=9",
    ),
    ("MODIFY s SET('y','x')", STRICT, "UPDATE {g} SET s='x' WHERE id=9"),
    (
        "MODIFY dt DATETIME",
        STRICT,
        "UPDATE {g} SET dt='2024-01-01 00:00:01' WHERE id=9",
    ),
    ("MODIFY dt DATE", "", "UPDATE {g} SET dt='2024-01-02' WHERE id=9"),
    ("MODIFY f DOUBLE", STRICT, "UPDATE {g} SET f=0.1 WHERE id=9"),
    ("MODIFY u VARCHAR(20)", STRICT, "DELETE FROM {g} WHERE id=9"),
    ("MODIFY n INT NOT NULL", "", "UPDATE {g} SET n=0 WHERE id=9"),
    (
        "CHANGE n n9 INT, DROP COLUMN v, ADD COLUMN later INT",
        STRICT,
        "UPDATE {g} SET n9=0 WHERE id=9",
    ),
];

#[tokio::test]
async fn conversions_are_the_servers_own() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        every_type(&upstream).await?;
        for (clauses, sql_mode, corruption) in CONVERSIONS {
            for (corruption, wrong) in [("", 0), (*corruption, 1)] {
                let repaired = found(&upstream, clauses, sql_mode, corruption)
                    .await
                    .with_context(|| format!("{flavor} {clauses} {corruption}"))?;
                ensure!(
                    repaired == wrong,
                    "{flavor} {clauses} {corruption}: {repaired} repaired"
                );
            }
        }
    }
    Ok(())
}

/// A composite key of text whose collation ignores case, and of a date that can be zero.
#[tokio::test]
async fn keys_of_text_are_compared_to_the_byte() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        let mut conn = upstream.control().await?;
        run(
            &mut conn,
            &[
                "CREATE DATABASE app",
                "CREATE TABLE app.t (k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL, \
                 d DATE NOT NULL, v INT, PRIMARY KEY (k, d))",
                "INSERT INTO app.t VALUES ('a','0000-00-00',1),('b','0000-00-00',2),('c','2024-01-01',3)",
            ],
        )
        .await?;
        let check = async |corruption: &str, differs: bool| -> Result<()> {
            let plan = plan(&upstream, "ADD INDEX (v)", STRICT).await?;
            let mut conn = upstream.control().await?;
            let ghost = plan.ghost_name().to_string();
            conn.query_drop(format!("INSERT INTO {ghost} SELECT * FROM app.t"))
                .await?;
            if differs {
                conn.query_drop(corruption.replace("{g}", &ghost)).await?;
            }
            let follower = Named::new(&upstream, &plan, Duration::ZERO);
            let (context, _cancel) = verification(&upstream, &plan, &follower);
            // This follower cannot repair such keys, so a difference is there in every pass.
            let outcome = verify::run(&context).await;
            ensure!(outcome.is_err() == differs, "{flavor} {corruption}: {outcome:?}");
            Ok(())
        };
        check("", false).await?;
        check("UPDATE {g} SET k='A' WHERE k='a'", true).await?;
        check("UPDATE {g} SET k='a ' WHERE k='a'", true).await?;
        check("DELETE FROM {g} WHERE k='b'", true).await?;
        check("INSERT INTO {g} VALUES ('b','0001-01-01',2)", true).await?;
    }
    Ok(())
}

/// A row that toggles faster than the follower follows, and one that comes and goes.
#[tokio::test]
async fn hot_rows_are_not_reported() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        let mut conn = upstream.control().await?;
        run(
            &mut conn,
            &[
                "CREATE DATABASE app",
                "CREATE TABLE app.t (id BIGINT NOT NULL PRIMARY KEY, v INT NOT NULL)",
                "INSERT INTO app.t VALUES (1,0),(2,0),(3,0),(5,0)",
            ],
        )
        .await?;
        let plan = plan(&upstream, "ADD INDEX (v)", STRICT).await?;
        let follower = Named::new(&upstream, &plan, Duration::from_millis(5));
        for id in [1, 2, 4] {
            follower.touch(id);
        }
        follower.copy().await?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        for sql in [
            "UPDATE app.t SET v=1-v WHERE id=1",
            "UPDATE app.t SET v=v+1 WHERE id=2",
            "UPDATE app.t SET v=v+1 WHERE id=2",
            "INSERT INTO app.t VALUES (4,1)#DELETE FROM app.t WHERE id=4",
        ] {
            let mut conn = upstream.control().await?;
            conn.query_drop("SET SESSION innodb_lock_wait_timeout=50").await?;
            let stop = Arc::clone(&stop);
            writers.push(tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    for sql in sql.split('#') {
                        conn.query_drop(sql).await?;
                    }
                }
                Ok::<(), mysql_async::Error>(())
            }));
        }
        for _ in 0..5 {
            let (context, _cancel) = verification(&upstream, &plan, &follower);
            let verified = verify::run(&context).await?;
            ensure!(
                verified.repaired() == 0,
                "{flavor}: {} false reports",
                verified.repaired()
            );
        }
        conn.query_drop(format!("UPDATE {} SET v=7 WHERE id=3", plan.ghost_name()))
            .await?;
        let (context, _cancel) = verification(&upstream, &plan, &follower);
        ensure!(verify::run(&context).await?.repaired() == 1);
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.await??;
        }
    }
    Ok(())
}
