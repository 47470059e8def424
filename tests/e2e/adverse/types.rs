//! Types and names that the other tests do not have: as data, and as keys where they can be.

use std::sync::Arc;

use alterego_testkit::{Flavor, Options};
use anyhow::{Result, ensure};
use mysql_async::OptsBuilder;
use mysql_async::prelude::Queryable;

use super::{fresh_schemas, in_both};
use crate::support::{Failures, Rig, Writers, nothing_left, run};

crate::both!(rare_types, odd_names);

/// A table, values for its column `c` made of a number `#`, and the ALTER.
struct Case {
    name: &'static str,
    on: &'static [Flavor],
    column: &'static str,
    value: &'static str,
    alter: &'static str,
}

const BOTH: &[Flavor] = &Flavor::ALL;
const MYSQL: &[Flavor] = &[Flavor::MySql];
const MARIADB: &[Flavor] = &[Flavor::MariaDb];
const REBUILD: &str = "ALTER TABLE t MODIFY v BIGINT, ADD KEY by_v (v)";

const fn case(name: &'static str, on: &'static [Flavor], column: &'static str, value: &'static str) -> Case {
    Case {
        name,
        on,
        column,
        value,
        alter: REBUILD,
    }
}

impl Case {
    const fn with(mut self, alter: &'static str) -> Case {
        self.alter = alter;
        self
    }
}

const CASES: &[Case] = &[
    case(
        "point",
        BOTH,
        "c POINT NOT NULL",
        "ST_GeomFromText(CONCAT('POINT(', #, ' ', # * 2, ')'))",
    ),
    case(
        "geometry, null",
        BOTH,
        "c GEOMETRY",
        "IF(# % 2, NULL, ST_GeomFromText(CONCAT('LINESTRING(0 0, ', #, ' 1)')))",
    ),
    case(
        "vector",
        MYSQL,
        "c VECTOR(3)",
        "STRING_TO_VECTOR(CONCAT('[', #, ',0.5,-1]'))",
    ),
    case(
        "vector",
        MARIADB,
        "c VECTOR(3) NOT NULL",
        "VEC_FromText(CONCAT('[', #, ',0.5,-1]'))",
    ),
    case(
        "uuid",
        MARIADB,
        "c UUID",
        "CONCAT('12345678-1234-1234-1234-', LPAD(#, 12, '0'))",
    ),
    case(
        "uuid to text",
        MARIADB,
        "c UUID",
        "CONCAT('12345678-1234-1234-1234-', LPAD(#, 12, '0'))",
    )
    .with("ALTER TABLE t MODIFY c VARCHAR(40)"),
    case("inet6", MARIADB, "c INET6", "CONCAT('2001:db8::', HEX(#))"),
    case("inet4", MARIADB, "c INET4", "CONCAT('10.0.', # % 250, '.1')"),
    case(
        "compressed",
        MARIADB,
        "c VARCHAR(2000) COMPRESSED",
        "REPEAT(CONCAT('z', #), 200)",
    ),
    case(
        "compressed blob",
        MARIADB,
        "c BLOB COMPRESSED",
        "REPEAT(CONCAT('z', #), 200)",
    ),
    case(
        "compressed no more",
        MARIADB,
        "c VARCHAR(2000) COMPRESSED",
        "REPEAT(CONCAT('z', #), 200)",
    )
    .with("ALTER TABLE t MODIFY c VARCHAR(2000)"),
    case(
        "json",
        BOTH,
        "c JSON",
        "CONCAT('{\"n\": ', #, ', \"d\": 1.50, \"t\": [null, true, \"é\"]}')",
    ),
    case(
        "json to text",
        BOTH,
        "c JSON",
        "CONCAT('{\"n\": ', #, ', \"d\": 1.50}')",
    )
    .with("ALTER TABLE t MODIFY c LONGTEXT"),
    case(
        "gbk",
        BOTH,
        "c VARCHAR(50) CHARACTER SET gbk",
        "CONCAT('中文', #)",
    ),
    case(
        "big5 to utf8mb4",
        BOTH,
        "c VARCHAR(50) CHARACTER SET big5",
        "CONCAT('中文', #)",
    )
    .with("ALTER TABLE t MODIFY c VARCHAR(50) CHARACTER SET utf8mb4"),
    case(
        "utf8mb4 to gbk",
        BOTH,
        "c VARCHAR(50) CHARACTER SET utf8mb4",
        "CONCAT('中文', #)",
    )
    .with("ALTER TABLE t MODIFY c VARCHAR(50) CHARACTER SET gbk"),
    case(
        "ucs2",
        BOTH,
        "c VARCHAR(50) CHARACTER SET ucs2",
        "CONCAT('é✓', #)",
    ),
    case(
        "utf16 to utf32",
        BOTH,
        "c VARCHAR(50) CHARACTER SET utf16",
        "CONCAT('😀', #)",
    )
    .with("ALTER TABLE t MODIFY c VARCHAR(50) CHARACTER SET utf32"),
    case(
        "timestamp over a change of clocks",
        BOTH,
        "c TIMESTAMP(2) NULL",
        "FROM_UNIXTIME(1729987200 + # * 60)",
    ),
    case(
        "timestamp to datetime over a change of clocks",
        BOTH,
        "c TIMESTAMP(2) NULL",
        "FROM_UNIXTIME(1729987200 + # * 60)",
    )
    .with("ALTER TABLE t MODIFY c DATETIME(2) NULL"),
    case(
        "datetime to timestamp over a change of clocks",
        BOTH,
        "c DATETIME NULL",
        "'2024-10-27 00:00:00' + INTERVAL # MINUTE",
    )
    .with("ALTER TABLE t MODIFY c TIMESTAMP NULL"),
    case("bit", BOTH, "c BIT(64)", "# * 1000000007"),
    case("an invisible column", MYSQL, "c INT INVISIBLE", "#"),
    case("an invisible column", MARIADB, "c INT INVISIBLE", "#"),
];

/// A zone whose clocks go back on 27 October 2024 at 01:00 UTC; servers here have no tables of zones.
const ZONE: &[&str] = &[
    "INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (90, 'N')",
    "INSERT INTO mysql.time_zone_name VALUES ('Test/Berlin', 90)",
    "INSERT INTO mysql.time_zone_transition_type VALUES (90, 0, 3600, 0, 'CET'), (90, 1, 7200, 1, 'CEST')",
    "INSERT INTO mysql.time_zone_transition VALUES (90, 1711846800, 1), (90, 1729990800, 0)",
];

const ROWS: u64 = 240;

async fn rare_types(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("").await?;
    for statement in ZONE {
        root.query_drop(*statement).await?;
    }
    let mut failures = Failures::default();
    for case in CASES.iter().filter(|case| case.on.contains(&flavor)) {
        for zone in ["+00:00", "Test/Berlin"] {
            if zone == "+00:00" || case.name.contains("clocks") {
                let result = one(&rig, case, zone).await;
                failures.note(&rig, &format!("{} in {zone}", case.name), result);
            }
        }
    }
    failures.none()
}

async fn one(rig: &Rig, case: &Case, zone: &str) -> Result<()> {
    let mut root = rig.direct("").await?;
    root.query_drop("SET NAMES utf8mb4").await?;
    fresh_schemas(&mut root).await?;
    let table = format!(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT, {}) DEFAULT CHARSET=utf8mb4",
        case.column
    );
    in_both(&mut root, &[&table]).await?;
    for schema in ["app", "nat"] {
        for n in 0..ROWS / 40 {
            let rows: Vec<String> = (n * 40 + 1..n * 40 + 41)
                .map(|n| format!("({n}, {n}, {})", with_number(case.value, n)))
                .collect();
            root.query_drop(format!(
                "INSERT INTO {schema}.t (id, v, c) VALUES {}",
                rows.join(",")
            ))
            .await?;
        }
    }
    let opts = OptsBuilder::from_opts(rig.client_opts("app")).init(vec!["SET NAMES utf8mb4"]);
    let writers = Writers::start(opts.into(), 1, Arc::new(changes)).await?;
    let session = format!("SET NAMES utf8mb4, time_zone='{zone}'");
    let mut client = rig.client().await?;
    client.query_drop(&session).await?;
    let ours = run(&mut client, case.alter).await?;
    if ours.code().is_none() {
        writers.each_goes_on().await?;
    }
    writers.finish().await?;
    let mut direct = rig.direct("nat").await?;
    direct.query_drop(&session).await?;
    if case.alter == REBUILD {
        // MySQL's own rebuild writes a TIMESTAMP of the hour that comes twice as the earlier one; the engine keeps it.
        direct.query_drop("SET time_zone='+00:00'").await?;
    }
    let native = run(&mut direct, case.alter).await?.told_of_app();
    ensure!(
        ours.clone().without_warning_texts() == native.clone().without_warning_texts(),
        "{ours:?}\nnatively: {native:?}"
    );
    nothing_left(&mut root).await?;
    rig.tables_are_equal("t").await
}

/// The expression with a number in its place.
fn with_number(expression: &str, n: u64) -> String {
    expression.replace('#', &n.to_string())
}

/// Values move between rows and rows between keys; the number of rows stays the same, so that the count in the answer is
/// known. No value is written anew: the column of one table has its new type earlier than the other's.
fn changes(_: u64, i: u64) -> Vec<String> {
    let key = 1 + i * 7 % ROWS;
    let other = 1 + i * 11 % ROWS;
    let mut statements = vec!["BEGIN".to_owned()];
    for table in ["app.t", "nat.t"] {
        match i % 3 {
            0 => statements.push(format!(
                "UPDATE {table} AS one JOIN {table} AS other ON other.id={other} SET one.c=other.c WHERE one.id={key}"
            )),
            1 => statements.extend([
                format!("UPDATE {table} SET id=-{key} WHERE id={key}"),
                format!("UPDATE {table} SET id={key} WHERE id=-{key}"),
            ]),
            _ => statements.push(format!("UPDATE {table} SET v=v+1 WHERE id={key}")),
        }
    }
    statements.push("COMMIT".to_owned());
    statements
}

/// Names with everything that could be read as something else, of the schema, the table, its columns and keys.
async fn odd_names(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut failures = Failures::default();
    let long = "n".repeat(64);
    for name in [
        "a`b``c",
        "50% _\\_",
        "it's \"so\"",
        "select",
        "t.t",
        "a b;--",
        "täble ✓",
        &long,
    ] {
        failures.note(&rig, name, odd_name(&rig, name).await);
    }
    failures.none()
}

async fn odd_name(rig: &Rig, name: &str) -> Result<()> {
    let quoted = format!("`{}`", name.replace('`', "``"));
    let mut root = rig.direct("").await?;
    root.query_drop("SET NAMES utf8mb4").await?;
    fresh_schemas(&mut root).await?;
    // A schema's name must leave room for the ghost's.
    let schema: String = name.chars().take(50).collect();
    let schema_quoted = format!("`{}`", schema.replace('`', "``"));
    root.query_drop(format!("DROP DATABASE IF EXISTS {schema_quoted}"))
        .await?;
    root.query_drop(format!("CREATE DATABASE {schema_quoted}"))
        .await?;
    let create = format!(
        "CREATE TABLE {{}}.{quoted} (id INT PRIMARY KEY, {quoted} INT, UNIQUE KEY {quoted} ({quoted}))"
    );
    let fill = format!("INSERT INTO {{}}.{quoted} VALUES (1, 1), (2, 2), (3, 3)");
    for schema in [schema_quoted.as_str(), "nat"] {
        root.query_drop(create.replace("{}", schema)).await?;
        root.query_drop(fill.replace("{}", schema)).await?;
    }
    let alter = |schema: &str| {
        format!(
            "ALTER TABLE {schema}.{quoted} MODIFY {quoted} BIGINT COMMENT '{}'",
            "100% `x`"
        )
    };
    let before = rig.migrations().await?.len();
    let mut client = rig.client().await?;
    client.query_drop("SET NAMES utf8mb4").await?;
    let ours = run(&mut client, &alter(&schema_quoted)).await?;
    ensure!(ours.code().is_none(), "{ours:?}");
    ensure!(rig.migrations().await?.len() == before + 1, "the server did it");
    root.query_drop(alter("nat")).await?;
    nothing_left(&mut root).await?;
    let difference = alterego_testkit::compare_tables(&mut root, (&schema, name), ("nat", name)).await?;
    ensure!(difference.is_none(), "{difference}");
    root.query_drop(format!("DROP DATABASE {schema_quoted}")).await?;
    Ok(())
}

/// With `lower_case_table_names=1` a table has one name, however it is written. MySQL takes the setting only for a data
/// folder that was made with it, so this is MariaDB's alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_any_case() -> Result<()> {
    let options = Options::relaxed().arg("--lower-case-table-names=1");
    let slow = [("ALTEREGO_SLOWPOINT", "chunk_dispatched:500")];
    let rig = Rig::with(Flavor::MariaDb, &options, &[], &slow).await?;
    let mut root = rig.direct("").await?;
    in_both(
        &mut root,
        &[
            "CREATE TABLE Orders (id INT PRIMARY KEY, v INT)",
            "INSERT INTO orders VALUES (1, 1), (2, 2)",
        ],
    )
    .await?;
    // Two clients at once, each with a spelling of its own.
    let texts = [
        "ALTER TABLE ORDERS MODIFY v BIGINT",
        "ALTER TABLE App.oRders ADD COLUMN w INT FIRST, ADD KEY by_v (v)",
    ];
    let mut waiting = Vec::new();
    for text in texts {
        waiting.push(super::send(&rig, text).await?);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    root.query_drop("UPDATE APP.ORDERS SET v=v+1 WHERE id=2").await?;
    root.query_drop("UPDATE nat.Orders SET v=v+1 WHERE id=2").await?;
    for waiter in waiting {
        let outcome = waiter.await??;
        ensure!(outcome.code().is_none(), "{outcome:?}\n{}", rig.proxy.log());
    }
    let mut native = rig.direct("nat").await?;
    for text in texts {
        native.query_drop(text.replace("App.", "nat.")).await?;
    }
    nothing_left(&mut root).await?;
    rig.tables_are_equal("orders").await
}
