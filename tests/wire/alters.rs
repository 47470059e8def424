//! Where an ALTER may hide, and what only looks like one.
//!
//! Each case is compared like any script, and the migrations are counted: a caught ALTER that the server cannot do at once is
//! one, and whatever was left to the server is none.

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::Row;
use mysql_async::prelude::Queryable;

use crate::carried::carried;
use crate::command::{Command, LAST_STATEMENT};
use crate::dialect::{DEPRECATE_EOF, Dialect, MULTI, QUERY_ATTRIBUTES};
use crate::login::ROOT;
use crate::pair::Pair;
use crate::script::{Script, Step};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() -> Result<()> {
    alters(Flavor::MySql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() -> Result<()> {
    alters(Flavor::MariaDb).await
}

/// No server does this at once.
const ALTER: &str = "ALTER TABLE t MODIFY b BIGINT";

/// Texts that are caught.
const CAUGHT: &[&str] = &[
    ALTER,
    " \t\r\n alter\ntable\tt modify b BIGINT",
    "/* a comment */ ALTER TABLE t MODIFY b BIGINT",
    "-- a line\n# another\nALTER /* here, too */ TABLE t MODIFY b BIGINT -- and here",
    "ALTER TABLE t MODIFY b BIGINT;",
    "ALTER TABLE t MODIFY b BIGINT\0",
    "ALTER TABLE `app`.`t` MODIFY b BIGINT",
    "CREATE INDEX i ON t (b)",
];

/// Texts in which the server does it, and which the documentation names.
const LEFT_TO_THE_SERVER: &[&str] = &[
    "/*!50000 ALTER TABLE t MODIFY b BIGINT */",
    "ALTER TABLE t MODIFY b BIGINT, ALGORITHM=COPY",
];

/// Texts that only look like one.
const NONE: &[&str] = &[
    "SELECT 'ALTER TABLE t MODIFY b BIGINT'",
    "SELECT 1 /* ALTER TABLE t MODIFY b BIGINT */",
    "-- ALTER TABLE t MODIFY b BIGINT",
    "INSERT INTO f VALUES ('ALTER TABLE t', 'MODIFY b BIGINT')",
    "EXPLAIN ALTER TABLE t MODIFY b BIGINT",
    "(ALTER TABLE t MODIFY b BIGINT)",
    ";ALTER TABLE t MODIFY b BIGINT",
    "ALTERTABLE t MODIFY b BIGINT",
    "ALTER_TABLE t MODIFY b BIGINT",
    "`ALTER` TABLE t MODIFY b BIGINT",
    "SET @a = 'ALTER TABLE t MODIFY b BIGINT'",
];

async fn alters(flavor: Flavor) -> Result<()> {
    check_all(flavor, cases(flavor)).await
}

/// Plays all cases, on servers of their own.
pub(crate) async fn check_all(flavor: Flavor, cases: Vec<Case>) -> Result<()> {
    let pair = Pair::start(flavor).await?;
    let mut failures = Vec::new();
    for (name, migrations, steps, dialect) in cases {
        if let Err(error) = check(&pair, migrations, steps, dialect).await {
            failures.push(format!("## {name}\n{error:#}"));
        }
    }
    pair.none(&failures)
}

/// A case: its name, the migrations it is to begin, what it does, and in which dialect.
pub(crate) type Case = (String, usize, Vec<Step>, Dialect);

fn cases(flavor: Flavor) -> Vec<Case> {
    let dialect = Dialect::with(flavor, MULTI | DEPRECATE_EOF, 0);
    let mut cases = Vec::new();
    for (texts, migrations) in [(CAUGHT, 1), (LEFT_TO_THE_SERVER, 0), (NONE, 0)] {
        for sql in texts {
            cases.push((
                (*sql).to_owned(),
                migrations,
                vec![Step::query(&dialect, sql)],
                dialect,
            ));
        }
    }
    let alter = || Command::query(&dialect, ALTER);
    let run = |id| Command::execute(&dialect, id, false, &[]);
    let mut case = |name: &str, migrations, commands| {
        cases.push((
            name.to_owned(),
            migrations,
            vec![Step::Commands(commands)],
            dialect,
        ));
    };
    case(
        "prepared, executed when its answer is there or before",
        1,
        vec![Command::prepare(ALTER), run(1)],
    );
    case(
        "prepared and closed",
        0,
        vec![Command::prepare(ALTER), Command::close(1), run(1)],
    );
    case(
        "prepared, and the session reset",
        0,
        vec![
            Command::prepare(ALTER),
            Command::new("reset connection", *b"\x1f"),
            run(1),
        ],
    );
    case(
        "in a pipeline",
        1,
        vec![
            Command::query(&dialect, "SELECT id FROM n"),
            Command::query(&dialect, "CALL two()"),
            alter(),
            Command::query(&dialect, "SHOW CREATE TABLE t"),
        ],
    );
    case(
        "in a procedure",
        0,
        vec![Command::query(&dialect, "CALL widens()")],
    );
    case(
        "in a command that is none",
        0,
        vec![Command::new("unknown", [b"\x3f", ALTER.as_bytes()].concat())],
    );
    match flavor {
        Flavor::MySql => {
            let dialect = Dialect::with(flavor, MULTI | QUERY_ATTRIBUTES, 0);
            let with_attributes = Command::new(ALTER, dialect.query_with_attributes(ALTER));
            cases.push((
                "behind attributes".to_owned(),
                1,
                vec![Step::Commands(vec![with_attributes])],
                dialect,
            ));
            let in_attribute = Command::new("SELECT 1", dialect.query_with_attributes("SELECT 1"));
            cases.push((
                "in an attribute".to_owned(),
                0,
                vec![Step::Commands(vec![in_attribute])],
                dialect,
            ));
        }
        Flavor::MariaDb => {
            case(
                "the statement prepared last",
                1,
                vec![Command::prepare(ALTER), run(LAST_STATEMENT)],
            );
            case(
                "bulk",
                0,
                vec![Command::prepare(ALTER), Command::execute_bulk(1, 0, &[])],
            );
        }
    }
    cases.extend(carried(flavor));
    cases
}

async fn check(pair: &Pair, migrations: usize, mut steps: Vec<Step>, dialect: Dialect) -> Result<()> {
    pair.reset().await?;
    let before = count(pair).await?;
    steps.push(Step::query(&dialect, "SHOW CREATE TABLE t"));
    steps.push(Step::Probe);
    let script = Script {
        dialect,
        account: &ROOT,
        steps,
        cuts: 3,
    };
    pair.same(&script).await?;
    let begun = count(pair).await? - before;
    ensure!(begun == migrations, "{begun} migrations began, not {migrations}");
    Ok(())
}

async fn count(pair: &Pair) -> Result<usize> {
    let mut root = pair.proxy.root().await?;
    let rows: Vec<Row> = root.query("SHOW MIGRATIONS").await.context("SHOW MIGRATIONS")?;
    root.disconnect().await?;
    let is_online = |row: &&Row| row.get::<String, _>("way").as_deref() == Some("ghost");
    Ok(rows.iter().filter(is_online).count())
}
