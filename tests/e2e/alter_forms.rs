//! An ALTER is caught in whatever form it is written and sent, and does to the session what the server's own does.

use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;

use crate::support::{Failures, Outcome, Rig, fill, run, script};

crate::both!(
    texts,
    prepared_statements,
    the_session_afterwards,
    session_settings
);

const TABLE: &str =
    "CREATE TABLE `%` (id INT PRIMARY KEY, a INT NOT NULL, b VARCHAR(20)) DEFAULT CHARSET=utf8mb4";

/// The table `name` in both schemas, with a hundred rows.
async fn prepare(rig: &Rig, name: &str) -> Result<()> {
    let quoted = format!("`{}`", name.replace('`', "``"));
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop(format!("DROP TABLE IF EXISTS {quoted}")).await?;
        root.query_drop(TABLE.replace("`%`", &quoted)).await?;
        fill(&mut root, &quoted, 100, "n, n, CONCAT('row ', n)").await?;
    }
    Ok(())
}

async fn migrations(rig: &Rig) -> Result<usize> {
    Ok(rig.migrations().await?.len())
}

/// The session's settings, the table's name, and the statement.
const TEXTS: &[(&str, &str, &str)] = &[
    ("", "t", "alter table t modify a bigint not null"),
    ("", "t", "AlTeR tAbLe t MoDiFy a BIGINT NOT NULL"),
    ("", "t", "ALTER TABLE app.t MODIFY a BIGINT NOT NULL"),
    ("", "t", "ALTER TABLE `app` . `t` MODIFY `a` BIGINT NOT NULL"),
    ("", "t", "  \n\t ALTER\nTABLE\tt\r\nMODIFY a BIGINT NOT NULL ;"),
    (
        "",
        "t",
        "/* why */ ALTER /* what */ TABLE t /* how; */ MODIFY a BIGINT NOT NULL -- done",
    ),
    (
        "",
        "t",
        "-- first a comment\nALTER TABLE t MODIFY a BIGINT NOT NULL # and last",
    ),
    (
        "",
        "t",
        "ALTER TABLE t MODIFY a BIGINT NOT NULL COMMENT 'a; \\'quoted\\' \"text\", ALGORITHM=COPY'",
    ),
    (
        "",
        "t",
        "ALTER TABLE t/**/MODIFY COLUMN a BIGINT NOT NULL,ADD c INT DEFAULT'5'",
    ),
    (
        "",
        "odd `name`; -- é",
        "ALTER TABLE `odd ``name``; -- é` MODIFY a BIGINT NOT NULL",
    ),
    ("", "select", "ALTER TABLE `select` MODIFY a BIGINT NOT NULL"),
    ("", "1e5", "ALTER TABLE `1e5` MODIFY a BIGINT NOT NULL"),
    (
        "",
        "täble",
        "ALTER TABLE täble MODIFY a BIGINT NOT NULL COMMENT '✓ ünïcode'",
    ),
    (
        "SET sql_mode='ANSI_QUOTES'",
        "t",
        "ALTER TABLE \"t\" MODIFY \"a\" BIGINT NOT NULL COMMENT 'x'",
    ),
    (
        "SET sql_mode='NO_BACKSLASH_ESCAPES'",
        "t",
        "ALTER TABLE t MODIFY a BIGINT NOT NULL COMMENT 'ends with \\'",
    ),
    ("", "t", "CREATE INDEX i ON app.t (a)"),
    ("", "t", "/*x*/ create unique index `i` on t (a, b)"),
];

async fn texts(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut failures = Failures::default();
    for (session, table, alter) in TEXTS {
        failures.note(&rig, alter, one_text(&rig, session, table, alter).await);
    }
    failures.none()
}

async fn one_text(rig: &Rig, session: &str, table: &str, alter: &str) -> Result<()> {
    prepare(rig, table).await?;
    let before = migrations(rig).await?;
    let (ours, native) = rig.both_ways(session, alter).await?;
    ensure!(
        ours == native,
        "through the proxy: {ours:?}\nnatively: {native:?}"
    );
    ensure!(migrations(rig).await? == before + 1, "it was no migration");
    let mut root = rig.direct("").await?;
    let show = |schema: &str| format!("SHOW CREATE TABLE {schema}.`{}`", table.replace('`', "``"));
    let ours: Option<(String, String)> = root.query_first(show("app")).await?;
    let native: Option<(String, String)> = root.query_first(show("nat")).await?;
    ensure!(ours == native, "{ours:?}\n{native:?}");
    Ok(())
}

/// The statement is prepared in the binary protocol and in text, and executed twice.
async fn prepared_statements(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    prepare(&rig, "t").await?;
    let mut client = rig.client().await?;
    let statement = client.prep("ALTER TABLE t MODIFY a BIGINT NOT NULL").await?;
    client.exec_drop(&statement, ()).await?;
    ensure!(
        (client.affected_rows(), client.info().as_ref()) == (100, "Records: 100  Duplicates: 0  Warnings: 0")
    );
    ensure!(migrations(&rig).await? == 1, "binary protocol");
    // What is done already is done again by nobody: the server has nothing to change.
    client.exec_drop(&statement, ()).await?;
    ensure!(client.affected_rows() == 0, "{}", client.affected_rows());
    script(
        &mut client,
        "SET @text = 'ALTER TABLE t MODIFY a INT UNSIGNED NOT NULL';
         PREPARE again FROM @text;
         PREPARE later FROM 'ALTER TABLE app.t ADD INDEX by_b (b)';",
    )
    .await?;
    for (execute, rows) in [("EXECUTE again", 100), ("EXECUTE later", 0)] {
        client.query_drop(execute).await?;
        ensure!(
            client.affected_rows() == rows,
            "{execute}: {}",
            client.affected_rows()
        );
    }
    let mut direct = rig.direct("nat").await?;
    for alter in [
        "MODIFY a BIGINT NOT NULL",
        "MODIFY a INT UNSIGNED NOT NULL",
        "ADD INDEX by_b (b)",
    ] {
        direct.query_drop(format!("ALTER TABLE t {alter}")).await?;
    }
    rig.tables_are_equal("t").await
}

/// An ALTER commits the open transaction and leaves the session's settings alone.
async fn the_session_afterwards(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    prepare(&rig, "t").await?;
    let mut outcomes = Vec::new();
    for mut conn in [rig.client().await?, rig.direct("nat").await?] {
        script(
            &mut conn,
            "SET lock_wait_timeout = 123, @mine = 5, SESSION wait_timeout = 456;
             CREATE TEMPORARY TABLE mine (id INT);
             START TRANSACTION;
             INSERT INTO t VALUES (1000, 1000, 'uncommitted');",
        )
        .await?;
        let outcome = run(&mut conn, "ALTER TABLE t MODIFY a BIGINT NOT NULL").await?;
        conn.query_drop("ROLLBACK").await?;
        let committed: Option<u64> = conn.query_first("SELECT COUNT(*) FROM t WHERE id = 1000").await?;
        let settings: Option<(u64, u64, u64, String, u64)> = conn
            .query_first("SELECT @@lock_wait_timeout, @mine, @@wait_timeout, @@sql_mode, COUNT(*) FROM mine")
            .await?;
        conn.query_drop("ALTER TABLE t MODIFY a INT NOT NULL").await?;
        let inserted: Option<u64> = conn.query_first("SELECT LAST_INSERT_ID()").await?;
        outcomes.push((outcome.told_of_app(), committed, settings, inserted));
    }
    ensure!(outcomes.first() == outcomes.get(1), "{outcomes:#?}");
    ensure!(
        matches!(
            outcomes.first(),
            Some((Outcome::Ok { affected: 101, .. }, Some(1), ..))
        ),
        "{outcomes:#?}"
    );
    ensure!(migrations(&rig).await? == 2);
    Ok(())
}

/// The client's own settings decide what the ALTER means.
async fn session_settings(flavor: Flavor) -> Result<()> {
    const CASES: &[(&str, &str, &str)] = &[
        (
            "default in latin1",
            "SET NAMES latin1",
            "ALTER TABLE t ADD c VARCHAR(9) DEFAULT 'caf\u{e9}' COMMENT 'caf\u{e9}', FORCE",
        ),
        (
            "time zone",
            "SET time_zone='+05:30'",
            "ALTER TABLE t MODIFY at TIMESTAMP NULL, MODIFY ts DATETIME NULL",
        ),
        ("lax mode", "SET sql_mode=''", "ALTER TABLE t MODIFY b VARCHAR(5)"),
        (
            "ANSI",
            "SET sql_mode='ANSI,STRICT_ALL_TABLES'",
            "ALTER TABLE \"t\" ADD c CHAR(3) DEFAULT 'x' || 'y', FORCE",
        ),
        (
            "collation of the connection",
            "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
            "ALTER TABLE t ADD CHECK (b <> 'ROW 1')",
        ),
        (
            "pad",
            "SET sql_mode='PAD_CHAR_TO_FULL_LENGTH'",
            "ALTER TABLE t MODIFY b CHAR(30)",
        ),
        (
            "zero dates",
            "SET sql_mode='STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
            "ALTER TABLE t MODIFY b VARCHAR(90), MODIFY a BIGINT",
        ),
    ];
    let rig = Rig::start(flavor, &[]).await?;
    let mut failures = Failures::default();
    for (name, session, alter) in CASES {
        let mut root = rig.direct("").await?;
        for schema in ["app", "nat"] {
            root.query_drop(format!("USE {schema}")).await?;
            script(
                &mut root,
                "DROP TABLE IF EXISTS t;
                 CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20), at DATETIME, ts TIMESTAMP NULL,
                     z DATE, v VARCHAR(9)) DEFAULT CHARSET=utf8mb4;
                 SET sql_mode='NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00';
                 INSERT INTO t VALUES (0, 1, 'row 1', '2024-03-10 02:30:00', '2024-03-10 02:30:00', '0000-00-00', ''),
                     (5, 2, 'row 22', '1999-12-31 23:59:59', NULL, '2024-00-10', 'é');",
            )
            .await?;
        }
        let checked = async {
            let (ours, native) = rig.both_ways(session, alter).await?;
            ensure!(
                ours == native,
                "through the proxy: {ours:?}\nnatively: {native:?}"
            );
            rig.tables_are_equal("t").await
        };
        failures.note(&rig, name, checked.await);
    }
    failures.none()
}
