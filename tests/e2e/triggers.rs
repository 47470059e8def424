//! Tables with triggers: these follow the table with all that belongs to them, and act on each row exactly once throughout.
//!
//! Online on MySQL; MariaDB alters such tables itself, and the result has to be the same.

use std::sync::Arc;

use alterego_testkit::{Flavor, Options, compare_tables};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::support::{
    DEADLINE, Failures, Outcome, Rig, Writers, eventually, fill, nothing_left, run, script, triggers,
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
        "their own table, and a view",
        WIDER,
        "CREATE VIEW seen AS SELECT id, a FROM t WHERE id < 40;
         CREATE TRIGGER o BEFORE INSERT ON t FOR EACH ROW SET NEW.a = (SELECT COUNT(*) FROM t) + (SELECT COUNT(*) FROM seen);",
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
        "checks whose names the server has made",
        WIDER,
        "ALTER TABLE t ADD CHECK (id > 0), ADD CHECK (id < 1000000);
         CREATE TRIGGER n AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id, new) VALUES ('n', NEW.id, NEW.a);",
    ),
    native(
        "a check with a name of its own",
        WIDER,
        "ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0);
         CREATE TRIGGER n AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id, new) VALUES ('n', NEW.id, NEW.a);",
    ),
    online(
        "a check with a name of its own comes",
        "ALTER TABLE t MODIFY a BIGINT, ADD CONSTRAINT positive CHECK (id > 0)",
        "CREATE TRIGGER n AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id, new) VALUES ('n', NEW.id, NEW.a);",
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
    let migrations = rig.migrations_of("t").await?;
    let newest = migrations.first().filter(|_| migrations.len() > before);
    let online = newest.filter(|migration| migration.succeeded());
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

/// One of every time and event at least, with an order, definers, modes and character sets of their own.
const LIVELY: &str = "CREATE TRIGGER bi BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.a * 3;
     CREATE TRIGGER two BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = (NEW.a + 3) % 1000;
     CREATE DEFINER=definer@`%` TRIGGER one BEFORE UPDATE ON t FOR EACH ROW PRECEDES two SET NEW.a = NEW.a * 2;
     CREATE TRIGGER three BEFORE UPDATE ON t FOR EACH ROW FOLLOWS one SET NEW.pad = CONCAT(NEW.a, 'x');
     CREATE TRIGGER bd BEFORE DELETE ON t FOR EACH ROW IF OLD.a % 2 THEN INSERT INTO log (what, id) VALUES ('odd', OLD.id); END IF;
     SET sql_mode='ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES';
     CREATE DEFINER=modest@`%` TRIGGER \"u`s\" AFTER UPDATE ON \"t\" FOR EACH ROW INSERT INTO \"log\" (what, id, old, new) VALUES ('u' || '\\', NEW.id, OLD.a, NEW.a);
     SET sql_mode=DEFAULT;
     SET NAMES latin1 COLLATE latin1_german1_ci;
     CREATE TRIGGER i AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id, new) VALUES (CONCAT('Ã¼', 'a' = 'A'), NEW.id, NEW.a);
     SET NAMES utf8mb4;
     CREATE TRIGGER `größe` AFTER DELETE ON t FOR EACH ROW INSERT INTO log (what, id, old) VALUES ('d€', OLD.id, OLD.a);";

/// The definers; one of them may do what its trigger does and no more.
async fn definers(root: &mut Conn) -> Result<()> {
    script(
        root,
        "CREATE USER definer;
         GRANT ALL ON *.* TO definer;
         CREATE USER modest;",
    )
    .await
}

/// Once the tables are there.
async fn modest_grants(root: &mut Conn) -> Result<()> {
    for schema in ["app", "nat"] {
        for grant in [
            format!("GRANT TRIGGER, SELECT (id, a), UPDATE (a) ON {schema}.t TO modest"),
            format!("GRANT INSERT ON {schema}.log TO modest"),
        ] {
            root.query_drop(grant).await?;
        }
    }
    Ok(())
}

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

/// With several writers the logs are in the order of the transactions, which each lock their rows of both tables.
async fn logs_are_equal(root: &mut Conn) -> Result<()> {
    let log = |schema: &str| format!("SELECT what, id, old, new FROM {schema}.log ORDER BY id, n");
    type Line = (String, u32, Option<u32>, Option<u32>);
    let ours: Vec<Line> = root.query(log("app")).await?;
    let native: Vec<Line> = root.query(log("nat")).await?;
    ensure!(ours == native, "{} and {} lines", ours.len(), native.len());
    Ok(())
}

async fn each_row_once_under_writers(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &["--strategy", "ghost"]).await?;
    let mut root = rig.direct("").await?;
    definers(&mut root).await?;
    prepare(&mut root, LIVELY).await?;
    modest_grants(&mut root).await?;
    let through = Writers::start(read_committed(rig.client_opts("app")), 4, Arc::new(transaction)).await?;
    let past = Arc::new(|writer, i| transaction(writer + 4, i));
    let past = Writers::start(read_committed(rig.server.root_opts()), 2, past).await?;
    let mut client = rig.client().await?;
    let mut direct = rig.direct("nat").await?;
    for conn in [&mut client, &mut direct] {
        conn.query_drop("SET time_zone='+05:00', sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
            .await?;
    }
    for (alter, of_the_log) in [
        (WIDER, None),
        ("ALTER TABLE t ADD KEY (a), MODIFY pad VARCHAR(300)", None),
        // What the triggers write is being altered itself.
        (
            "ALTER TABLE t DROP COLUMN b, MODIFY a INT",
            Some("ALTER TABLE log MODIFY old BIGINT, ADD COLUMN late INT DEFAULT 8"),
        ),
    ] {
        let of_the_log = of_the_log.filter(|_| flavor == Flavor::MySql);
        let mut other = rig.client().await?;
        let both = tokio::join!(client.query_drop(alter), async {
            match of_the_log {
                Some(alter) => other.query_drop(alter).await,
                None => Ok(()),
            }
        });
        both.0.and(both.1).map_err(|error| rig.explain(error.into()))?;
        through.each_goes_on().await?;
        past.each_goes_on().await?;
        for alter in [Some(alter), of_the_log].into_iter().flatten() {
            direct.query_drop(alter).await?;
        }
    }
    through.finish().await.map_err(|error| rig.explain(error))?;
    past.finish().await.map_err(|error| rig.explain(error))?;
    rig.tables_are_equal("t").await?;
    let (ours, native) = (
        triggers(&mut root, "app").await?,
        triggers(&mut root, "nat").await?,
    );
    ensure!(ours == native, "{ours:#?}\nnatively: {native:#?}");
    logs_are_equal(&mut root).await?;
    for (table, expected) in [("t", 3), ("log", 1)] {
        let online = rig.migrations_of(table).await?;
        let online = online.iter().filter(|migration| migration.succeeded()).count();
        ensure!(
            online == if flavor == Flavor::MySql { expected } else { 0 },
            "{online} of {table} online"
        );
    }
    nothing_left(&mut root).await
}

/// A trigger that somebody drops past the proxy while the table is altered does not come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dropped_on_the_way_stays_dropped_on_mysql() -> Result<()> {
    let rig = Rig::start(Flavor::MySql, &["--strategy", "ghost"]).await?;
    let mut root = rig.direct("").await?;
    definers(&mut root).await?;
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
        root.query_drop(format!("DROP TRIGGER {schema}.two")).await?;
    }
    ensure!(!alter.is_finished(), "the swap has not waited");
    reader.query_drop("COMMIT").await?;
    ensure!(alter.await??.code().is_none());
    rig.direct("nat").await?.query_drop(WIDER).await?;
    the_same_is_there(&rig, &mut root).await?;
    nothing_left(&mut root).await
}

/// A trigger that a client creates while the table is altered waits for its turn, as behind the server's own ALTER.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_created_on_the_way_comes_afterwards_on_mysql() -> Result<()> {
    const LATE: &str =
        "CREATE TRIGGER late BEFORE UPDATE ON t FOR EACH ROW PRECEDES one SET NEW.a = NEW.b + 7";
    let folder = tempfile::tempdir()?;
    let wait = folder.path().join("wait");
    std::fs::write(&wait, "")?;
    let slow = format!("cut_over:{}", wait.display());
    let env = [("ALTEREGO_SLOWPOINT", slow.as_str())];
    let rig = Rig::with(Flavor::MySql, &Options::relaxed(), &["--strategy", "ghost"], &env).await?;
    let mut root = rig.direct("").await?;
    definers(&mut root).await?;
    prepare(&mut root, LIVELY).await?;
    let (mut client, mut other) = (rig.client().await?, rig.client().await?);
    let alter = tokio::spawn(async move { run(&mut client, WIDER).await });
    eventually("the rows are copied", async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations
            .iter()
            .any(|migration| migration.rows_copied == 40)
            .then_some(()))
    })
    .await?;
    // It names a column that comes with the change: before that it would be refused.
    let late = tokio::spawn(async move { run(&mut other, LATE).await });
    eventually("the other one waits", async || {
        let waiting = rig.proxy.log().contains("the statement waits for it");
        Ok((waiting || late.is_finished()).then_some(()))
    })
    .await?;
    std::fs::remove_file(&wait)?;
    ensure!(alter.await??.code().is_none(), "{}", rig.proxy.log());
    ensure!(late.await??.code().is_none(), "{}", rig.proxy.log());
    let mut direct = rig.direct("nat").await?;
    direct.query_drop(WIDER).await?;
    direct.query_drop(LATE).await?;
    modest_grants(&mut root).await?;
    let (ours, native) = (writes(&mut root, "app").await?, writes(&mut root, "nat").await?);
    ensure!(ours == native, "afterwards: {ours:?}\nnatively: {native:?}");
    the_same_is_there(&rig, &mut root).await?;
    nothing_left(&mut root).await
}

/// Who holds up every change of a definition holds up the swap, and not the application.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_lock_is_waited_for_with_the_table_free_on_mysql() -> Result<()> {
    // The lock comes where nobody looks for it any more: the tables are locked then, and the first step waits.
    let env = [("ALTEREGO_FAILPOINT", "gate_closed")];
    let mut rig = Rig::with(Flavor::MySql, &Options::relaxed(), &["--strategy", "ghost"], &env).await?;
    let mut root = rig.direct("").await?;
    definers(&mut root).await?;
    prepare(&mut root, LIVELY).await?;
    modest_grants(&mut root).await?;
    let writers = Writers::start(read_committed(rig.client_opts("app")), 2, Arc::new(transaction)).await?;
    let mut client = rig.client().await?;
    let alter = tokio::spawn(async move { run(&mut client, WIDER).await });
    eventually("it stands with the gate closed", async || {
        rig.proxy.stopped_at().await
    })
    .await?;
    let mut backup = rig.direct("").await?;
    backup.query_drop("LOCK INSTANCE FOR BACKUP").await?;
    rig.proxy.signal("CONT")?;
    rig.proxy.logged("cut-over put off", DEADLINE).await?;
    writers.each_goes_on().await?;
    ensure!(!alter.is_finished(), "it has not waited");
    backup.query_drop("UNLOCK INSTANCE").await?;
    ensure!(alter.await??.code().is_none());
    writers.finish().await?;
    rig.direct("nat").await?.query_drop(WIDER).await?;
    rig.tables_are_equal("t").await?;
    logs_are_equal(&mut root).await?;
    let (ours, native) = (
        triggers(&mut root, "app").await?,
        triggers(&mut root, "nat").await?,
    );
    ensure!(ours == native, "{ours:#?}\nnatively: {native:#?}");
    nothing_left(&mut root).await
}

/// Each swap locks the other table, too: one of them is tried again, and nobody hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tables_that_use_each_other_are_altered_at_once_on_mysql() -> Result<()> {
    let rig = Rig::start(Flavor::MySql, &["--strategy", "ghost"]).await?;
    let mut root = rig.direct("").await?;
    let both = "CREATE TABLE u (id INT PRIMARY KEY, a INT);
         CREATE TRIGGER t_reads BEFORE INSERT ON t FOR EACH ROW SET NEW.a = (SELECT COUNT(*) FROM u);
         CREATE TRIGGER t_notes AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what, id) VALUES ('t', NEW.id);
         CREATE TRIGGER u_reads BEFORE INSERT ON u FOR EACH ROW SET NEW.a = (SELECT COUNT(*) FROM t);
         CREATE TRIGGER u_notes AFTER INSERT ON u FOR EACH ROW INSERT INTO log (what, id) VALUES ('u', NEW.id);";
    prepare(&mut root, both).await?;
    let (mut one, mut other) = (rig.client().await?, rig.client().await?);
    let mut direct = rig.direct("nat").await?;
    for (of_t, of_u) in [
        ("ALTER TABLE t MODIFY a BIGINT", "ALTER TABLE u MODIFY a BIGINT"),
        ("ALTER TABLE t MODIFY a INT", "ALTER TABLE u MODIFY a INT"),
        ("ALTER TABLE t MODIFY a BIGINT", "ALTER TABLE u MODIFY a BIGINT"),
    ] {
        let (first, second) = tokio::join!(one.query_drop(of_t), other.query_drop(of_u));
        first.and(second).map_err(|error| rig.explain(error.into()))?;
        direct.query_drop(of_t).await?;
        direct.query_drop(of_u).await?;
    }
    for schema in ["app", "nat"] {
        for table in ["u", "t", "u"] {
            let sql =
                format!("INSERT INTO {schema}.{table} (id) SELECT COUNT(*) + 100 FROM {schema}.{table}");
            root.query_drop(sql).await?;
        }
    }
    rig.tables_are_equal("u").await?;
    the_same_is_there(&rig, &mut root).await?;
    for table in ["t", "u"] {
        let online = rig.migrations_of(table).await?;
        ensure!(online.iter().filter(|migration| migration.succeeded()).count() == 3);
    }
    nothing_left(&mut root).await
}
