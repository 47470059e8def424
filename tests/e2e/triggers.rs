//! Tables with triggers: these follow the table with all that belongs to them, and act on each row exactly once throughout.
//!
//! Online on MySQL; MariaDB alters such tables itself, and the result has to be the same.

use std::sync::Arc;

use alterego_testkit::{Flavor, compare_tables};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::support::{
    Failures, Outcome, Rig, Writers, eventually, fill, nothing_left, run, script, triggers,
};

crate::both!(they_follow_the_table, each_row_once_under_writers);

/// The log that most triggers write, and a function that some call.
const AROUND: &str =
    "CREATE TABLE log (n INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20), id INT, old INT, new INT)";

/// Statements that every case ends with, and what they answer.
const WRITES: &[&str] = &[
    "INSERT INTO t (id, a) VALUES (50, 5), (51, 6)",
    "UPDATE t SET a = a + 1 WHERE id IN (1, 50)",
    "INSERT INTO t (id, a) VALUES (50, 7) ON DUPLICATE KEY UPDATE a = 70",
    "REPLACE INTO t (id, a) VALUES (51, 9)",
    "DELETE FROM t WHERE id IN (2, 51)",
];

struct Case {
    name: &'static str,
    triggers: &'static str,
    alter: &'static str,
    online: bool,
}

const fn online(name: &'static str, alter: &'static str, triggers: &'static str) -> Case {
    Case {
        name,
        triggers,
        alter,
        online: true,
    }
}

const fn native(name: &'static str, alter: &'static str, triggers: &'static str) -> Case {
    Case {
        name,
        triggers,
        alter,
        online: false,
    }
}

const WIDER: &str = "ALTER TABLE t MODIFY a BIGINT, ADD COLUMN b INT DEFAULT 3 AFTER id";

const CASES: &[Case] = &[
    online(
        "all times and events",
        WIDER,
        "CREATE TRIGGER bi BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.a * 2;
         CREATE TRIGGER ai AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id, new) VALUES ('ai', NEW.id, NEW.a);
         CREATE TRIGGER bu BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = NEW.a + 100;
         CREATE TRIGGER au AFTER UPDATE ON t FOR EACH ROW INSERT INTO log (what, id, old, new) VALUES ('au', NEW.id, OLD.a, NEW.a);
         CREATE TRIGGER bd BEFORE DELETE ON t FOR EACH ROW INSERT INTO log (what, id, old) VALUES ('bd', OLD.id, OLD.a);
         CREATE TRIGGER ad AFTER DELETE ON t FOR EACH ROW INSERT INTO log (what, id, old) VALUES ('ad', OLD.id, OLD.a);",
    ),
    online(
        "an order that is not that of their creation",
        WIDER,
        "CREATE TRIGGER second BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.a * 10;
         CREATE TRIGGER third BEFORE INSERT ON t FOR EACH ROW FOLLOWS second SET NEW.a = NEW.a + 3;
         CREATE TRIGGER first BEFORE INSERT ON t FOR EACH ROW PRECEDES second SET NEW.a = NEW.a + 1;",
    ),
    online(
        "compound texts, labels, handlers, comments",
        "ALTER TABLE t MODIFY a BIGINT, ADD KEY (a)",
        "CREATE TRIGGER c AFTER INSERT ON t FOR EACH ROW top: BEGIN
             DECLARE i INT DEFAULT 0; -- a comment; with a semicolon
             DECLARE CONTINUE HANDLER FOR 1062 SET @met = 1; # and; a third
             /* another 'one' */
             WHILE i < 2 DO
                 SET i = i + 1; INSERT INTO log (what, id, new) VALUES ('it''s \\\\', NEW.id, i); END WHILE; IF NEW.id > 50 THEN LEAVE top; END IF; INSERT INTO log (what, id) VALUES (\"end\", NEW.id); END top;
         CREATE TRIGGER s BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = NEW.a + 1 -- nothing;",
    ),
    online(
        "modes, character sets and definers of their own",
        WIDER,
        "CREATE DEFINER=definer@`%` TRIGGER d AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id) VALUES (CURRENT_USER(), NEW.id);
         SET sql_mode='ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES';
         CREATE TRIGGER \"quo`ted\" AFTER INSERT ON \"t\" FOR EACH ROW INSERT INTO \"log\" (\"what\", id) VALUES ('a' || '\\' || 'b', NEW.id);
         SET sql_mode='';
         CREATE TRIGGER lax BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = 'x';
         SET NAMES utf8mb4 COLLATE utf8mb4_bin;
         CREATE TRIGGER `größer` AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id) VALUES (CONCAT('é€', _utf8mb4'ü' = 'Ü', 'a' = 'A'), NEW.id);
         SET NAMES latin1 COLLATE latin1_german1_ci;
         CREATE TRIGGER latin AFTER DELETE ON t FOR EACH ROW INSERT INTO log (what, id) VALUES (CONCAT('Ã¼', 'a' = 'A'), OLD.id);
         SET NAMES utf8mb4;",
    ),
    online(
        "routines and other tables",
        WIDER,
        "CREATE TABLE sums (id INT PRIMARY KEY, total INT);
         INSERT INTO sums VALUES (1, 0);
         CREATE PROCEDURE note(x INT) INSERT INTO log (what, id) VALUES ('note', x);
         CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC READS SQL DATA RETURN 2 * x + (SELECT total FROM sums) * 0;
         CREATE TRIGGER p AFTER INSERT ON t FOR EACH ROW CALL note(NEW.id);
         CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW SET NEW.a = twice(NEW.a);
         CREATE TRIGGER s AFTER UPDATE ON t FOR EACH ROW UPDATE sums SET total = total + NEW.a - OLD.a;",
    ),
    online(
        "one that refuses rows",
        WIDER,
        "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW IF NEW.a > 5 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='too much'; END IF;",
    ),
    online(
        "a column they name is renamed to a name they know",
        "ALTER TABLE t MODIFY a BIGINT, ADD COLUMN c INT DEFAULT 4",
        "CREATE TRIGGER n BEFORE INSERT ON t FOR EACH ROW SET NEW.a = COALESCE(NEW.pad, 1);",
    ),
    native(
        "a column they name goes",
        "ALTER TABLE t MODIFY a BIGINT, DROP COLUMN pad",
        "CREATE TRIGGER n BEFORE INSERT ON t FOR EACH ROW SET NEW.pad = NEW.a;",
    ),
    native(
        "a column they name is renamed",
        "ALTER TABLE t MODIFY a BIGINT, RENAME COLUMN pad TO filler",
        "CREATE TRIGGER n BEFORE INSERT ON t FOR EACH ROW SET NEW.pad = NEW.a;",
    ),
    online(
        "a table they need is not there",
        WIDER,
        "CREATE TRIGGER n AFTER INSERT ON t FOR EACH ROW INSERT INTO nowhere VALUES (NEW.id);",
    ),
];

async fn they_follow_the_table(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &["--strategy", "ghost"]).await?;
    let mut root = rig.direct("").await?;
    root.query_drop("CREATE USER definer").await?;
    root.query_drop("GRANT ALL ON *.* TO definer").await?;
    let mut failures = Failures::default();
    for case in CASES {
        failures.note(&rig, case.name, one(&rig, case).await);
    }
    failures.none()
}

async fn one(rig: &Rig, case: &Case) -> Result<()> {
    let mut root = rig.direct("").await?;
    prepare(&mut root, case.triggers).await?;
    let before = rig.migrations_of("t").await?.len();
    let (ours, native) = rig.both_ways("", case.alter).await?;
    ensure!(
        ours == native,
        "through the proxy: {ours:?}\nnatively: {native:?}"
    );
    let latest = rig.migrations_of("t").await?.into_iter().next();
    let online = latest.filter(|migration| migration.succeeded());
    let expected = case.online && rig.flavor() == Flavor::MySql;
    ensure!(
        online.is_some() == expected,
        "online: {online:?}, of {} migrations before",
        before
    );
    the_same_is_there(rig, &mut root).await?;
    let (ours, native) = (writes(&mut root, "app").await?, writes(&mut root, "nat").await?);
    ensure!(ours == native, "afterwards: {ours:?}\nnatively: {native:?}");
    the_same_is_there(rig, &mut root).await?;
    nothing_left(&mut root).await?;
    root.query_drop("DROP DATABASE app").await?;
    Ok(root.query_drop("CREATE DATABASE app").await?)
}

async fn prepare(root: &mut Conn, triggers: &str) -> Result<()> {
    for schema in ["app", "nat"] {
        let tables = format!(
            "SET SESSION sql_mode=DEFAULT;\nSET NAMES utf8mb4;\nDROP DATABASE {schema};\nCREATE DATABASE {schema};\nUSE {schema};\n{AROUND};\n\
             CREATE TABLE t (id INT PRIMARY KEY, a INT, pad VARCHAR(20))"
        );
        script(root, &tables).await?;
        fill(root, "t", 40, "n, n, 7").await?;
        script(root, triggers).await?;
    }
    Ok(())
}

async fn writes(root: &mut Conn, schema: &str) -> Result<Vec<Outcome>> {
    root.query_drop(format!("USE {schema}")).await?;
    let mut outcomes = Vec::new();
    for statement in WRITES {
        outcomes.push(run(root, statement).await?.told_of_app());
    }
    Ok(outcomes)
}

/// Tables, rows and triggers of both schemas.
async fn the_same_is_there(rig: &Rig, root: &mut Conn) -> Result<()> {
    rig.tables_are_equal("t").await?;
    let log = compare_tables(root, ("app", "log"), ("nat", "log")).await?;
    ensure!(log.is_none(), "the log: {log}");
    let (ours, native) = (triggers(root, "app").await?, triggers(root, "nat").await?);
    ensure!(ours == native, "triggers: {ours:#?}\nnatively: {native:#?}");
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='app' AND table_name LIKE 'alterego%'";
    let strange: Option<u32> = root.query_first(tables).await?;
    ensure!(strange == Some(0), "tables of ours are left in app");
    Ok(())
}

const LIVELY: &str = "CREATE TRIGGER one BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = NEW.a * 2;
     CREATE TRIGGER two BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = (NEW.a + 3) % 1000;
     CREATE TRIGGER i AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id, new) VALUES ('i', NEW.id, NEW.a);
     CREATE TRIGGER u AFTER UPDATE ON t FOR EACH ROW INSERT INTO log (what, id, old, new) VALUES ('u', NEW.id, OLD.a, NEW.a);
     CREATE TRIGGER d AFTER DELETE ON t FOR EACH ROW INSERT INTO log (what, id, old) VALUES ('d', OLD.id, OLD.a);";

/// Each transaction writes the same to the table and to its clone. Those of the proxy's clients write what the triggers write
/// before they come to the table: without a gate for both they would deadlock with the swap.
fn transaction(writer: u64, i: u64) -> Vec<String> {
    let id = 1000 * (writer + 1) + i % 50;
    let mut statements = vec!["BEGIN".to_owned()];
    for schema in ["app", "nat"] {
        if writer < 4 {
            statements.push(format!(
                "INSERT INTO {schema}.log (what, id) VALUES ('own', {id})"
            ));
        }
        statements.push(match i % 4 {
            0 => format!("INSERT IGNORE INTO {schema}.t (id, a) VALUES ({id}, {i})"),
            1 | 2 => format!(
                "UPDATE {schema}.t SET a = a + {i} % 7 WHERE id BETWEEN {} AND {id}",
                id - 3
            ),
            _ => format!("DELETE FROM {schema}.t WHERE id = {}", id - 2),
        });
    }
    statements.push("COMMIT".to_owned());
    statements
}

/// Writers of neighbouring rows do not meet in the gaps between them.
fn read_committed(opts: Opts) -> Opts {
    OptsBuilder::from_opts(opts)
        .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"])
        .into()
}

async fn each_row_once_under_writers(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &["--strategy", "ghost"]).await?;
    let mut root = rig.direct("").await?;
    prepare(&mut root, LIVELY).await?;
    let through = Writers::start(read_committed(rig.client_opts("app")), 4, Arc::new(transaction)).await?;
    let past = Arc::new(|writer, i| transaction(writer + 4, i));
    let past = Writers::start(read_committed(rig.server.root_opts()), 2, past).await?;
    let mut client = rig.client().await?;
    let mut direct = rig.direct("nat").await?;
    for alter in [
        WIDER,
        "ALTER TABLE t ADD KEY (a), MODIFY pad VARCHAR(300)",
        "ALTER TABLE t DROP COLUMN b, MODIFY a INT",
    ] {
        client
            .query_drop(alter)
            .await
            .map_err(|error| rig.explain(error.into()))?;
        through.each_goes_on().await?;
        past.each_goes_on().await?;
        direct.query_drop(alter).await?;
    }
    through.finish().await.map_err(|error| rig.explain(error))?;
    past.finish().await.map_err(|error| rig.explain(error))?;
    rig.tables_are_equal("t").await?;
    ensure!(triggers(&mut root, "app").await? == triggers(&mut root, "nat").await?);
    // The logs are in the order of the transactions, which each lock their rows of both tables.
    let log = |schema: &str| format!("SELECT what, id, old, new FROM {schema}.log ORDER BY id, n");
    type Line = (String, u32, Option<u32>, Option<u32>);
    let ours: Vec<Line> = root.query(log("app")).await?;
    let native: Vec<Line> = root.query(log("nat")).await?;
    ensure!(ours == native, "{} and {} lines", ours.len(), native.len());
    let online = rig.migrations_of("t").await?;
    let online = online.iter().filter(|migration| migration.succeeded()).count();
    ensure!(
        online == if flavor == Flavor::MySql { 3 } else { 0 },
        "{online} online"
    );
    nothing_left(&mut root).await
}

/// A trigger that somebody drops past the proxy while the table is altered does not come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dropped_on_the_way_stays_dropped_on_mysql() -> Result<()> {
    let rig = Rig::start(Flavor::MySql, &["--strategy", "ghost"]).await?;
    let mut root = rig.direct("").await?;
    prepare(&mut root, LIVELY).await?;
    // The swap waits for this transaction: what the triggers write is locked with the table.
    let mut reader = rig.direct("app").await?;
    script(&mut reader, "BEGIN;\nSELECT * FROM log").await?;
    let mut client = rig.client().await?;
    let alter = tokio::spawn(async move { run(&mut client, WIDER).await });
    eventually("it is about to swap", async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations
            .iter()
            .any(|migration| migration.phase == "cutting over")
            .then_some(()))
    })
    .await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("DROP TRIGGER IF EXISTS {schema}.two"))
            .await?;
    }
    ensure!(!alter.is_finished(), "the swap has not waited");
    reader.query_drop("COMMIT").await?;
    ensure!(alter.await??.code().is_none());
    rig.direct("nat").await?.query_drop(WIDER).await?;
    the_same_is_there(&rig, &mut root).await?;
    nothing_left(&mut root).await
}
