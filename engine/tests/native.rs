//! Data errors and warnings, and the converted values, against the server's own ALTER of the same table.

use std::sync::Arc;

use alterego_engine::alter::{ReadMode, understand};
use alterego_engine::checkpoint::{Frontier, Ledger};
use alterego_engine::chunk::SizeLimits;
use alterego_engine::counters::Counters;
use alterego_engine::plan::Plan;
use alterego_engine::position::Position;
use alterego_engine::row_copy::{self, RowCopy};
use alterego_engine::session::{SessionSettings, Upstream};
use alterego_engine::table::Table;
use alterego_engine::throttle::Share;
use alterego_engine::{Error, TableName, ghost};
use alterego_testkit::{Flavor, Options, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::sync::watch;

const STRICT: &str = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION";
const ROWS: usize = 400;

/// The column's type, the clause, a good value, and the bad ones. In strict mode each is tried by itself.
struct Case(&'static str, &'static str, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    Case("INT", "MODIFY v INT NOT NULL", "1", &["NULL"]),
    Case("INT", "MODIFY v BIGINT NOT NULL", "1", &["NULL", "NULL"]),
    Case("INT", "CHANGE v w INT NOT NULL", "1", &["NULL"]),
    Case(
        "VARCHAR(20)",
        "MODIFY v INT NOT NULL",
        "'1'",
        &["NULL", "'x'", "NULL"],
    ),
    Case(
        "INT NULL, w INT",
        "MODIFY v BIGINT NOT NULL, MODIFY w BIGINT NOT NULL",
        "1, 1",
        &["NULL, 1", "NULL, NULL", "1, NULL"],
    ),
    Case("INT", "MODIFY v TINYINT", "1", &["1000", "-1000"]),
    Case("DECIMAL(12,4)", "MODIFY v DECIMAL(8,4)", "1.5", &["12345.5"]),
    Case("DECIMAL(12,4)", "MODIFY v DECIMAL(12,1)", "1.5", &["1.2345"]),
    Case(
        "VARCHAR(50)",
        "MODIFY v VARCHAR(5)",
        "'a'",
        &["'abcdefgh'", "'abc      '"],
    ),
    Case("CHAR(50)", "MODIFY v CHAR(5)", "'a'", &["'abcdefgh'"]),
    Case("BINARY(9)", "MODIFY v BINARY(5)", "'abcde'", &["'abcdefgh'"]),
    Case(
        "VARCHAR(50)",
        "MODIFY v CHAR(5)",
        "'a'",
        &["'abcdefgh'", "'abc      '"],
    ),
    Case(
        "TEXT",
        "MODIFY v VARCHAR(5)",
        "'a'",
        &["'abcdefgh'", "'abc      '"],
    ),
    Case("TEXT", "MODIFY v TINYTEXT", "'a'", &["REPEAT('x', 300)"]),
    Case("BLOB", "MODIFY v TINYBLOB", "'a'", &["REPEAT('x', 300)"]),
    Case(
        "VARCHAR(99)",
        "MODIFY v INT",
        "'1'",
        &[
            "'one'",
            "'1one'",
            "''",
            "'99999999999'",
            "'1.5'",
            "' 7 '",
            "'1e3'",
            "'2é'",
            "CONCAT('3', REPEAT('é', 80))",
        ],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v INT UNSIGNED",
        "'1'",
        &["'-1'", "'1x'", "'9.9'"],
    ),
    Case("TEXT", "MODIFY v TINYINT", "'1'", &["'one'", "'300'"]),
    Case(
        "VARCHAR(30)",
        "MODIFY v DECIMAL(5,2)",
        "'1'",
        &["'one'", "'1one'", "'99999'", "'1.555'", "''"],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v DOUBLE",
        "'1'",
        &["'one'", "'1one'", "'1e999'"],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v FLOAT",
        "'1'",
        &["'one'", "'1one'", "'1e99'"],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v DATETIME",
        "'2024-01-01'",
        &[
            "'x'",
            "'2024-02-30'",
            "'2024-01-01 25:00:00'",
            "''",
            "'2024-01-01x'",
        ],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v DATE",
        "'2024-01-01'",
        &[
            "'x'",
            "'2024-02-30'",
            "''",
            "'2024-01-01x'",
            "'2024-01-01 10:00:00'",
            "'é'",
        ],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v TIME",
        "'10:00:00'",
        &["'x'", "'900:00:00'", "'10:00:00x'"],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v TIMESTAMP NULL",
        "'2024-01-01'",
        &["'x'", "'2024-02-30'", "'1900-01-01'"],
    ),
    Case(
        "VARCHAR(30)",
        "MODIFY v YEAR",
        "'2001'",
        &["'x'", "'5000'", "'2001x'"],
    ),
    Case("VARCHAR(30)", "MODIFY v BIT(8)", "'1'", &["'12'"]),
    Case("VARCHAR(30)", "MODIFY v ENUM('a','b')", "'a'", &["'x'", "''"]),
    Case("VARCHAR(30)", "MODIFY v SET('a','b')", "'a'", &["'x'", "'a,x'"]),
    Case("INT", "MODIFY v VARCHAR(2)", "1", &["1000"]),
    Case("INT", "MODIFY v JSON", "1", &["-2"]),
    Case("DOUBLE", "MODIFY v VARCHAR(3)", "1", &["1.2345"]),
    Case("FLOAT", "MODIFY v VARCHAR(30)", "1", &["1.2345"]),
    Case("JSON", "MODIFY v INT", "'1'", &["'{\"a\":1}'", "'true'"]),
    Case(
        "VARCHAR(30)",
        "MODIFY v VARCHAR(30) CHARACTER SET latin1",
        "'a'",
        &["'ж'", "'aжbж'"],
    ),
    Case("ENUM('a','b','c')", "MODIFY v ENUM('a','b')", "'a'", &["'c'"]),
    Case(
        "SET('a','b','c')",
        "MODIFY v SET('a','b')",
        "'a'",
        &["'c'", "'a,c'"],
    ),
    Case(
        "DATETIME",
        "MODIFY v TIMESTAMP NULL",
        "'2024-01-01'",
        &["'1900-01-01'", "'2500-01-01'"],
    ),
    Case(
        "DATETIME",
        "MODIFY v DATE",
        "'2024-01-01'",
        &["'2024-01-01 10:00:00'"],
    ),
    Case("INT", "ADD CONSTRAINT positive CHECK (v > 0)", "1", &["-1"]),
    Case("INT", "MODIFY v BIGINT, ADD CHECK (v > 0)", "1", &["-1"]),
];

/// What a change came to: the error, or the warnings and every value.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused(u16, String, String),
    Done(Vec<(String, u16, String)>, Vec<Option<String>>),
}

#[tokio::test]
async fn on_mysql() -> Result<()> {
    all(Flavor::MySql).await
}

#[tokio::test]
async fn on_mariadb() -> Result<()> {
    all(Flavor::MariaDb).await
}

async fn all(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let upstream = Upstream::reach(server.root_opts()).await?;
    let mut wrong = Vec::new();
    for case in CASES {
        let alone: Vec<&[&str]> = case.3.chunks(1).collect();
        for (sql_mode, trials) in [(STRICT, alone), ("", vec![case.3])] {
            for bad in trials {
                if let Err(error) = compare(&upstream, case, bad, sql_mode).await {
                    wrong.push(format!("{} {} {bad:?} '{sql_mode}': {error:#}", case.0, case.1));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

async fn compare(upstream: &Upstream, case: &Case, bad: &[&str], sql_mode: &str) -> Result<()> {
    let mut conn = Conn::new(upstream.opts().clone()).await?;
    conn.query_drop("SET NAMES utf8mb4, max_error_count=1024, time_zone='+00:00', sql_mode=''")
        .await?;
    for schema in ["app", "app__ghost", "native"] {
        conn.query_drop(format!("DROP SCHEMA IF EXISTS {schema}")).await?;
    }
    for schema in ["app", "native"] {
        conn.query_drop(format!(
            "CREATE SCHEMA {schema} CHARACTER SET utf8mb4; USE {schema}"
        ))
        .await?;
        conn.query_drop(format!("CREATE TABLE t (id INT PRIMARY KEY, v {})", case.0))
            .await?;
        conn.query_drop(rows(case.2, bad)).await?;
    }
    conn.query_drop(format!("SET sql_mode='{sql_mode}'")).await?;
    let alter = format!("ALTER TABLE t {}", case.1);
    let native = natively(&mut conn, &alter).await?;
    let ours = by_the_engine(upstream, &mut conn, &alter, sql_mode).await?;
    ensure!(ours == native, "{}", difference(&ours, &native));
    Ok(())
}

/// The bad rows are in different chunks, with good ones around.
fn rows(good: &str, bad: &[&str]) -> String {
    let value = |n: usize| match (n >= 200)
        .then(|| (n - 200) / 7)
        .filter(|_| (n - 200).is_multiple_of(7))
    {
        Some(place) => bad.get(place).copied().unwrap_or(good),
        None => good,
    };
    let rows: Vec<String> = (1..=ROWS).map(|n| format!("({},{})", n * 3, value(n))).collect();
    format!("INSERT INTO t VALUES {}", rows.join(","))
}

fn difference(ours: &Outcome, native: &Outcome) -> String {
    match (ours, native) {
        (Outcome::Done(said, values), Outcome::Done(native_said, native_values)) => {
            let differ = values.iter().zip(native_values).filter(|(a, b)| a != b);
            format!(
                "\n  ours {said:?}\n  native {native_said:?}\n  values {:?}",
                differ.take(9).collect::<Vec<_>>()
            )
        }
        (Outcome::Done(said, _), native) => format!("\n  ours {said:?}\n  native {native:?}"),
        (ours, Outcome::Done(said, _)) => format!("\n  ours {ours:?}\n  native {said:?}"),
        (ours, native) => format!("\n  ours {ours:?}\n  native {native:?}"),
    }
}

async fn natively(conn: &mut Conn, alter: &str) -> Result<Outcome> {
    conn.query_drop("USE native").await?;
    match conn.query_drop(alter).await {
        Ok(()) => {}
        Err(mysql_async::Error::Server(error)) => {
            let message = error.message.replace("`native`", "`app`");
            return Ok(Outcome::Refused(error.code, error.state, message));
        }
        Err(error) => return Err(error.into()),
    }
    let said: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await?;
    let said = said
        .into_iter()
        .map(|(level, code, message)| (level, code, message.replace("`native`", "`app`")));
    let said = said.collect();
    Ok(Outcome::Done(said, values(conn, "native.t").await?))
}

async fn by_the_engine(upstream: &Upstream, conn: &mut Conn, alter: &str, sql_mode: &str) -> Result<Outcome> {
    let mut control = upstream.control().await?;
    let source = Table::load(&mut control, &TableName::new("app", "t")).await?;
    let statement = understand(alter, ReadMode::default(), upstream.flavor())
        .map_err(|reason| anyhow::anyhow!("not understood: {reason:?}"))?;
    let plan = Arc::new(
        ghost::build(
            upstream,
            alterego_engine::preflight::check(&statement, &source)
                .map_err(alterego_engine::Error::Refused)?,
            &settings(sql_mode),
        )
        .await?,
    );
    match copy(upstream, &plan).await {
        Ok(said) => Ok(Outcome::Done(
            said,
            values(conn, &plan.ghost_name().to_string()).await?,
        )),
        Err(Error::Answer(error)) => Ok(Outcome::Refused(error.code, error.state, error.message)),
        Err(error) => Err(error).context("the copy"),
    }
}

fn settings(sql_mode: &str) -> SessionSettings {
    SessionSettings {
        sql_mode: sql_mode.to_owned(),
        time_zone: "+00:00".to_owned(),
        character_set_client: "utf8mb4".to_owned(),
        collation_connection: "utf8mb4_general_ci".to_owned(),
        foreign_key_checks: true,
    }
}

async fn copy(upstream: &Upstream, plan: &Arc<Plan>) -> Result<Vec<(String, u16, String)>, Error> {
    let (_throttle, throttle) = watch::channel(None);
    let (_cancel, cancel) = watch::channel(false);
    let start = Position {
        server: "test".to_owned(),
        file: "log.000001".to_owned(),
        offset: 0,
        gtids: None,
    };
    let report = row_copy::run(RowCopy {
        plan: plan.clone(),
        upstream: upstream.clone(),
        ledger: Ledger::start(plan, Frontier::Nothing, Some(start)),
        counters: Arc::new(Counters::default()),
        share: Arc::new(Share::of(2)),
        limits: SizeLimits {
            rows_first: 37,
            rows_min: 37,
            rows_max: 37,
            ..SizeLimits::default()
        },
        throttle,
        cancel,
        warnings_max: 1024,
    })
    .await?;
    let definition = plan.definition_warnings.iter().cloned();
    let said: Vec<_> = definition.chain(report.warnings).collect();
    assert_eq!(
        (plan.definition_warnings.len() as u64) + report.warning_count,
        said.len() as u64
    );
    Ok(said
        .into_iter()
        .map(|warning| (warning.level, warning.code, warning.message))
        .collect())
}

/// The second column of every row, to the last byte.
async fn values(conn: &mut Conn, table: &str) -> Result<Vec<Option<String>>> {
    let columns: Vec<Row> = conn.query(format!("SHOW COLUMNS FROM {table}")).await?;
    let name: String = columns.get(1).and_then(|row| row.get(0)).context("a column")?;
    let sql = format!("SELECT HEX(CAST({name} AS CHAR)) FROM {table} ORDER BY id");
    Ok(conn.query(sql).await?)
}
