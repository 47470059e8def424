//! What cannot be done online is done by the server, with the server's result, and one log line says why.

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use crate::support::{Failures, Rig, eventually, nothing_left, run, script};

crate::both!(
    left_to_the_server,
    a_temporary_table_shadows_a_base_table,
    tables_under_lock_tables,
    somebody_elses_tables_stay
);

/// A case: its name, its tables, the session's settings, and the ALTER, which the server cannot do at once.
struct Case {
    name: &'static str,
    tables: &'static str,
    alter: &'static str,
    on: &'static [Flavor],
}

const BOTH: &[Flavor] = &Flavor::ALL;
const PLAIN: &str = "CREATE TABLE t (id INT PRIMARY KEY, a INT);
     INSERT INTO t VALUES (1, 1), (2, 2);";
const RANGES: &str = "CREATE TABLE t (id INT PRIMARY KEY, a INT) PARTITION BY RANGE (id)
         (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
     INSERT INTO t VALUES (1, 1), (20, 2);";

const fn case(name: &'static str, tables: &'static str, alter: &'static str) -> Case {
    Case {
        name,
        tables,
        alter,
        on: BOTH,
    }
}

const CASES: &[Case] = &[
    case("no key", "CREATE TABLE t (id INT, a INT);\nINSERT INTO t VALUES (1, 1), (1, 1);", "ALTER TABLE t MODIFY a BIGINT"),
    case(
        "only a nullable unique key",
        "CREATE TABLE t (id INT UNIQUE, a INT);\nINSERT INTO t VALUES (1, 1), (NULL, 1), (NULL, 1);",
        "ALTER TABLE t MODIFY a BIGINT",
    ),
    case("only a key over a prefix", "CREATE TABLE t (id VARCHAR(50) NOT NULL, a INT, UNIQUE KEY p (id(3)));\nINSERT INTO t VALUES ('abcdef', 1);", "ALTER TABLE t MODIFY a BIGINT"),
    case("float key", "CREATE TABLE t (id FLOAT PRIMARY KEY, a INT);\nINSERT INTO t VALUES (1.1, 1), (2.2, 2);", "ALTER TABLE t MODIFY a BIGINT"),
    case("double key", "CREATE TABLE t (id DOUBLE PRIMARY KEY, a INT);\nINSERT INTO t VALUES (1.1, 1), (2.2, 2);", "ALTER TABLE t MODIFY a BIGINT"),
    case(
        "child of a foreign key",
        "CREATE TABLE parent (id INT PRIMARY KEY);
         CREATE TABLE t (id INT PRIMARY KEY, a INT, p INT, CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id));
         INSERT INTO parent VALUES (7);
         INSERT INTO t VALUES (1, 1, 7);",
        "ALTER TABLE t MODIFY a BIGINT",
    ),
    case(
        "parent of a foreign key",
        "CREATE TABLE t (id INT PRIMARY KEY, a INT);
         CREATE TABLE child (id INT PRIMARY KEY, t INT, CONSTRAINT to_t FOREIGN KEY (t) REFERENCES t (id) ON DELETE CASCADE);
         INSERT INTO t VALUES (1, 1);
         INSERT INTO child VALUES (1, 1);",
        "ALTER TABLE t MODIFY a BIGINT",
    ),
    case("add a foreign key", "CREATE TABLE parent (id INT PRIMARY KEY);\nCREATE TABLE t (id INT PRIMARY KEY, a INT);", "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES parent (id)"),
    Case {
        name: "trigger",
        tables: "CREATE TABLE t (id INT PRIMARY KEY, a INT);\nCREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;\nINSERT INTO t VALUES (1, 5);",
        alter: "ALTER TABLE t MODIFY a BIGINT",
        on: &[Flavor::MariaDb],
    },
    Case {
        name: "a trigger on what the change takes away",
        tables: "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT);\nCREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.b = 1;\nINSERT INTO t VALUES (1, 5, 6);",
        alter: "ALTER TABLE t MODIFY a BIGINT, DROP COLUMN b",
        on: &[Flavor::MySql],
    },
    case("drop partition", RANGES, "ALTER TABLE t DROP PARTITION p0"),
    case("truncate partition", RANGES, "ALTER TABLE t TRUNCATE PARTITION p0"),
    case("reorganize partition", RANGES, "ALTER TABLE t REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES LESS THAN (30), PARTITION p2 VALUES LESS THAN MAXVALUE)"),
    case("ALGORITHM=COPY", PLAIN, "ALTER TABLE t MODIFY a BIGINT, ALGORITHM=COPY"),
    case("ALGORITHM INPLACE", PLAIN, "ALTER TABLE t ALGORITHM INPLACE, FORCE"),
    case("ALGORITHM=INPLACE, refused", PLAIN, "ALTER TABLE t MODIFY a BIGINT, ALGORITHM=INPLACE"),
    case("LOCK=SHARED", PLAIN, "ALTER TABLE t MODIFY a BIGINT, LOCK=SHARED"),
    case("create index with LOCK", PLAIN, "CREATE INDEX i ON t (a) LOCK=NONE"),
    case("another engine", PLAIN, "ALTER TABLE t ENGINE=MyISAM"),
    case("from another engine", "CREATE TABLE t (id INT PRIMARY KEY, a INT) ENGINE=MyISAM;\nINSERT INTO t VALUES (1, 1);", "ALTER TABLE t MODIFY a BIGINT"),
    case("order by", PLAIN, "ALTER TABLE t ORDER BY a"),
    case("a version comment", PLAIN, "ALTER TABLE t /*!50000 MODIFY a BIGINT */"),
    case("a mode set on the way", PLAIN, r"ALTER TABLE t MODIFY a BIGINT COMMENT 'it\'s'; SET sql_mode = ''; ALTER TABLE t ADD c INT"),
    case("behind a routine", PLAIN, "ALTER TABLE t ADD c INT; CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; DROP FUNCTION f; ALTER TABLE t MODIFY a BIGINT"),
    Case {
        name: "ALTER IGNORE",
        tables: "CREATE TABLE t (id INT PRIMARY KEY, a INT);\nINSERT INTO t VALUES (1, 1), (2, 1);",
        alter: "ALTER IGNORE TABLE t ADD UNIQUE KEY (a)",
        on: &[Flavor::MariaDb],
    },
    Case {
        name: "system versioning",
        tables: "CREATE TABLE t (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING;\nINSERT INTO t VALUES (1, 1);",
        alter: "ALTER TABLE t MODIFY a BIGINT",
        on: &[Flavor::MariaDb],
    },
];

async fn left_to_the_server(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut failures = Failures::default();
    for case in CASES.iter().filter(|case| case.on.contains(&flavor)) {
        failures.note(&rig, case.name, one(&rig, case).await);
    }
    failures.none()
}

async fn fresh(rig: &Rig, tables: &str) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        script(
            &mut root,
            &format!("DROP DATABASE {schema};\nCREATE DATABASE {schema};\nUSE {schema};\n{tables}"),
        )
        .await?;
    }
    Ok(())
}

/// How often the proxy said that it left something to the server.
fn left(rig: &Rig) -> usize {
    rig.proxy.log().matches("left to the server").count()
}

/// Waits for the log to tell of one more than `lines`: the answer may be here before the log has been read.
async fn more_left(rig: &Rig, lines: usize) -> Result<()> {
    eventually("a log line", async || Ok((left(rig) > lines).then_some(()))).await
}

async fn one(rig: &Rig, case: &Case) -> Result<()> {
    fresh(rig, case.tables).await?;
    let (before, lines) = (rig.migrations().await?.len(), left(rig));
    let (ours, native) = rig.both_ways("", case.alter).await?;
    ensure!(
        ours == native,
        "through the proxy: {ours:?}\nnatively: {native:?}"
    );
    more_left(rig, lines).await?;
    ensure!(left(rig) == lines + 1, "{} log lines", left(rig) - lines);
    let migrations = rig.migrations().await?;
    ensure!(
        migrations
            .iter()
            .skip(before)
            .all(|migration| migration.phase == "failed"),
        "{migrations:?}"
    );
    let mut root = rig.direct("").await?;
    nothing_left(&mut root).await?;
    // The partition schemes of both are compared, too, being part of the definitions.
    rig.tables_are_equal("t").await
}

/// The ALTER is the temporary table's; the base table of that name stays as it is.
async fn a_temporary_table_shadows_a_base_table(flavor: Flavor) -> Result<()> {
    for strategy in ["auto", "ghost"] {
        let rig = Rig::start(flavor, &["--strategy", strategy]).await?;
        fresh(&rig, PLAIN).await?;
        let mut outcomes = Vec::new();
        for mut conn in [rig.client().await?, rig.direct("nat").await?] {
            script(&mut conn, "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, a INT, mine INT);\nINSERT INTO t VALUES (5, 5, 5);")
                .await?;
            let lines = left(&rig);
            let outcome = run(&mut conn, "ALTER TABLE t MODIFY a BIGINT").await?;
            let index = run(&mut conn, "CREATE INDEX by_a ON t (a)").await?;
            let shown: Option<(String, String)> = conn.query_first("SHOW CREATE TABLE t").await?;
            let rows: Vec<(u32, u32, u32)> = conn.query("SELECT * FROM t").await?;
            outcomes.push((outcome, index, shown, rows));
            if outcomes.len() == 1 {
                more_left(&rig, lines).await?;
            }
        }
        ensure!(outcomes.first() == outcomes.get(1), "{outcomes:#?}");
        ensure!(
            rig.migrations()
                .await?
                .iter()
                .all(|migration| !migration.succeeded())
        );
        rig.tables_are_equal("t")
            .await
            .context("the base table was touched")?;
        let mut root = rig.direct("app").await?;
        let (_, create): (String, String) = root
            .query_first("SHOW CREATE TABLE t")
            .await?
            .context("no table")?;
        ensure!(!create.contains("bigint") && !create.contains("mine"), "{create}");
    }
    Ok(())
}

/// The client holds a lock that a migration would wait for.
async fn tables_under_lock_tables(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    for locks in ["t WRITE", "t READ", "other WRITE"] {
        fresh(
            &rig,
            &format!("{PLAIN}\nCREATE TABLE other (id INT PRIMARY KEY);"),
        )
        .await?;
        let mut outcomes = Vec::new();
        for mut conn in [rig.client().await?, rig.direct("nat").await?] {
            conn.query_drop(format!("LOCK TABLES {locks}")).await?;
            let outcome = run(&mut conn, "ALTER TABLE t MODIFY a BIGINT").await?;
            let index = run(&mut conn, "CREATE INDEX by_a ON t (a)").await?;
            conn.query_drop("UNLOCK TABLES").await?;
            outcomes.push((outcome.told_of_app(), index.told_of_app()));
        }
        ensure!(outcomes.first() == outcomes.get(1), "{locks}: {outcomes:#?}");
        ensure!(
            rig.migrations()
                .await?
                .iter()
                .all(|migration| !migration.succeeded()),
            "{locks}"
        );
        rig.tables_are_equal("t").await?;
    }
    more_left(&rig, 0).await
}

/// The names a migration needs may be taken by tables it knows nothing of.
async fn somebody_elses_tables_stay(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    for schema in ["app__ghost", "app__old"] {
        fresh(&rig, PLAIN).await?;
        let mut root = rig.direct("").await?;
        script(
            &mut root,
            &format!("CREATE DATABASE {schema};\nCREATE TABLE {schema}.t (theirs INT);\nINSERT INTO {schema}.t VALUES (5);"),
        )
        .await?;
        let lines = left(&rig);
        let alter = "ALTER TABLE t MODIFY a BIGINT";
        rig.client().await?.query_drop(alter).await?;
        rig.direct("nat").await?.query_drop(alter).await?;
        rig.tables_are_equal("t").await?;
        more_left(&rig, lines).await?;
        let theirs: Option<u8> = root.query_first(format!("SELECT theirs FROM {schema}.t")).await?;
        ensure!(theirs == Some(5), "{schema}.t is gone");
        root.query_drop(format!("DROP DATABASE {schema}")).await?;
    }
    Ok(())
}
