//! Rows are copied and followed by keys of every type, while writers change the keys themselves.

use std::sync::Arc;

use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::OptsBuilder;
use mysql_async::prelude::Queryable;

use crate::support::{Failures, Rig, Writers, fill, nothing_left};

crate::both!(number_keys, string_keys, time_keys, composite_and_secondary_keys);

/// One kind of key. The table has the key's columns, `n` with the row's number and `v`.
struct Kind {
    name: &'static str,
    /// Column definitions of the key, each with a comma behind it.
    columns: &'static str,
    /// The key's definition.
    key: &'static str,
    /// The key of row `n`, in the columns' order.
    of: &'static str,
    /// The same row under another key: an assignment list over `n`.
    moved: &'static str,
}

const fn kind(
    name: &'static str,
    columns: &'static str,
    key: &'static str,
    of: &'static str,
    moved: &'static str,
) -> Kind {
    Kind {
        name,
        columns,
        key,
        of,
        moved,
    }
}

const ROWS: u32 = 2500;

async fn number_keys(flavor: Flavor) -> Result<()> {
    all(
        flavor,
        &[
            kind(
                "tinyint unsigned, part",
                "k TINYINT UNSIGNED, k2 MEDIUMINT,",
                "PRIMARY KEY (k, k2)",
                "n % 256, -n",
                "k2=n",
            ),
            kind(
                "int around zero",
                "k INT,",
                "PRIMARY KEY (k)",
                "n - 1250",
                "k=n+100000",
            ),
            kind(
                "mediumint negative",
                "k MEDIUMINT,",
                "PRIMARY KEY (k)",
                "-n",
                "k=n",
            ),
            kind(
                "bigint unsigned at the limit",
                "k BIGINT UNSIGNED,",
                "PRIMARY KEY (k)",
                "18446744073709551615 - n * 2",
                "k=18446744073709551614 - n * 2",
            ),
            kind(
                "bigint at both limits",
                "k BIGINT,",
                "PRIMARY KEY (k)",
                "IF(n % 2, -9223372036854775807 + n, 9223372036854775807 - n)",
                "k=n",
            ),
            kind(
                "decimal",
                "k DECIMAL(30,10),",
                "PRIMARY KEY (k)",
                "(n - 1000) / 7",
                "k=n+100000.5",
            ),
            kind(
                "decimal, wide",
                "k DECIMAL(65,0),",
                "PRIMARY KEY (k)",
                "(n - 1000) * 1000000000000000000000000000000",
                "k=n",
            ),
            kind("bit", "k BIT(20),", "PRIMARY KEY (k)", "n", "k=n+100000"),
        ],
    )
    .await
}

async fn string_keys(flavor: Flavor) -> Result<()> {
    all(
        flavor,
        &[
            kind(
                "utf8mb4, case-insensitive",
                "k VARCHAR(60) COLLATE utf8mb4_general_ci,",
                "PRIMARY KEY (k)",
                "CONCAT(ELT(n % 4 + 1, 'a', 'Ä', 'ß', '中'), n, ELT(n % 3 + 1, '', ' x', '_'))",
                "k=CONCAT('moved ', n)",
            ),
            kind(
                "only case and accents change",
                "k VARCHAR(60) COLLATE utf8mb4_unicode_ci,",
                "PRIMARY KEY (k)",
                "CONCAT('key e', n)",
                "k=CONCAT('KEY É', n)",
            ),
            kind(
                "utf8mb4_bin",
                "k VARCHAR(60) COLLATE utf8mb4_bin,",
                "PRIMARY KEY (k)",
                "CONCAT(IF(n % 2, 'a', 'A'), n)",
                "k=CONCAT('é😀', n)",
            ),
            kind(
                "latin1",
                "k VARCHAR(40) CHARACTER SET latin1,",
                "PRIMARY KEY (k)",
                "CONCAT('Ö', n, 'ÿ')",
                "k=CONCAT('ä', n)",
            ),
            kind(
                "latin1 german, char",
                "k CHAR(40) CHARACTER SET latin1 COLLATE latin1_german1_ci,",
                "PRIMARY KEY (k)",
                "CONCAT('ü', n)",
                "k=CONCAT('é', n)",
            ),
            kind(
                "ascii uuid",
                "k CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,",
                "PRIMARY KEY (k)",
                "CONCAT(SUBSTR(SHA2(n, 256), 1, 8), '-', n)",
                "k=CONCAT('zz', n)",
            ),
            kind(
                "quotes and backslashes",
                "k VARCHAR(60) COLLATE utf8mb4_bin,",
                "PRIMARY KEY (k)",
                "CONCAT(ELT(n % 5 + 1, CHAR(39), CHAR(92), CHAR(34), CHAR(0), '%_'), n, CHAR(92))",
                "k=CONCAT(CHAR(39), CHAR(92), 'm', n)",
            ),
            kind(
                "ucs2",
                "k VARCHAR(30) CHARACTER SET utf16,",
                "PRIMARY KEY (k)",
                "CONCAT('ш', n)",
                "k=CONCAT('щ', n)",
            ),
            kind(
                "binary",
                "k BINARY(16),",
                "PRIMARY KEY (k)",
                "UNHEX(SUBSTR(SHA2(n, 256), 1, 32))",
                "k=UNHEX(CONCAT(LPAD(HEX(n), 8, '0'), '00'))",
            ),
            kind(
                "binary, trailing zeros",
                "k BINARY(6),",
                "PRIMARY KEY (k)",
                "UNHEX(CONCAT(LPAD(HEX(n), 4, '0'), '2000'))",
                "k=UNHEX(CONCAT(LPAD(HEX(n), 4, '0'), '21'))",
            ),
            kind(
                "varbinary",
                "k VARBINARY(40),",
                "PRIMARY KEY (k)",
                "CONCAT(CHAR(n % 256), n, CHAR(0), CHAR(255))",
                "k=CONCAT(n, ' ')",
            ),
        ],
    )
    .await
}

async fn time_keys(flavor: Flavor) -> Result<()> {
    all(
        flavor,
        &[
            kind(
                "date",
                "k DATE,",
                "PRIMARY KEY (k)",
                "'1000-01-01' + INTERVAL n DAY",
                "k='2024-01-01' + INTERVAL n DAY",
            ),
            kind(
                "datetime(6)",
                "k DATETIME(6),",
                "PRIMARY KEY (k)",
                "'2024-01-01' + INTERVAL n * 1001 MICROSECOND",
                "k='1970-01-01' + INTERVAL n SECOND",
            ),
            kind(
                "timestamp(3)",
                "k TIMESTAMP(3) NOT NULL DEFAULT '2000-01-01',",
                "PRIMARY KEY (k)",
                "'2024-03-31 00:00:00' + INTERVAL n * 1001000 MICROSECOND",
                "k='1970-01-02' + INTERVAL n SECOND",
            ),
            kind(
                "time(2)",
                "k TIME(2),",
                "PRIMARY KEY (k)",
                "SEC_TO_TIME((n - 1250) * 2000 / 7)",
                "k=SEC_TO_TIME(2000000 + n)",
            ),
            kind(
                "year",
                "k YEAR, k2 INT,",
                "PRIMARY KEY (k, k2)",
                "1901 + n % 250, n",
                "k2=-n",
            ),
        ],
    )
    .await
}

async fn composite_and_secondary_keys(flavor: Flavor) -> Result<()> {
    all(
        flavor,
        &[
            kind(
                "composite of three",
                "k INT, k2 VARCHAR(20) COLLATE utf8mb4_general_ci, k3 DATETIME,",
                "PRIMARY KEY (k2, k, k3)",
                "n % 7, CONCAT('g', n % 13), '2024-01-01' + INTERVAL n MINUTE",
                "k3='2030-01-01' + INTERVAL n MINUTE",
            ),
            kind(
                "many rows a prefix",
                "k INT, k2 INT,",
                "PRIMARY KEY (k, k2)",
                "1, n",
                "k=2",
            ),
            kind(
                "unique key, not null",
                "k VARCHAR(20) NOT NULL,",
                "UNIQUE KEY u (k)",
                "CONCAT('u', n)",
                "k=CONCAT('v', n)",
            ),
            kind(
                "unique key, composite, behind a nullable one",
                "k INT NOT NULL, k2 BIGINT NOT NULL, k3 INT,",
                "UNIQUE KEY c (k3), UNIQUE KEY u (k, k2)",
                "n % 10, n, NULL",
                "k2=-n",
            ),
        ],
    )
    .await
}

async fn all(flavor: Flavor, kinds: &[Kind]) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut failures = Failures::default();
    for kind in kinds {
        failures.note(&rig, kind.name, one(&rig, kind).await);
    }
    failures.note(
        &rig,
        "nothing is left behind",
        nothing_left(&mut rig.direct("").await?).await,
    );
    failures.none()
}

async fn one(rig: &Rig, kind: &Kind) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("DROP TABLE IF EXISTS t").await?;
        let (columns, key) = (kind.columns, kind.key);
        root.query_drop(format!(
            "CREATE TABLE t ({columns} n INT NOT NULL, v INT, {key}, KEY by_n (n)) DEFAULT CHARSET=utf8mb4"
        ))
        .await?;
        fill(&mut root, "t", ROWS, &format!("{}, n, 0", kind.of)).await?;
    }
    let before = rig.migrations_of("t").await?.len();
    let opts = OptsBuilder::from_opts(rig.client_opts("app"))
        .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]);
    let names = ["k", "k2", "k3"]
        .into_iter()
        .filter(|name| kind.columns.contains(&format!("{name} ")));
    let (names, of, moved) = (names.collect::<Vec<_>>().join(", "), kind.of, kind.moved);
    let transaction = move |writer, i| transaction((&names, of, moved), writer, i);
    let writers = Writers::start(opts.into(), 2, Arc::new(transaction)).await?;
    let mut client = rig.client().await?;
    let alter = "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w INT DEFAULT 3";
    client.query_drop(alter).await?;
    ensure!(
        client.affected_rows() == u64::from(ROWS),
        "{} rows",
        client.affected_rows()
    );
    writers.each_goes_on().await?;
    writers.finish().await?;
    rig.direct("nat").await?.query_drop(alter).await?;
    ensure!(
        rig.migrations_of("t").await?.len() == before + 1,
        "it was no migration"
    );
    rig.tables_are_equal("t").await
}

/// A row is changed, moved to another key, or deleted and inserted again; the same on both tables.
fn transaction(kind: (&str, &str, &str), writer: u64, i: u64) -> Vec<String> {
    let (columns, of, moved) = kind;
    let n = 1 + writer * 1300 + (i * 7) % 1100;
    let mut statements = vec!["BEGIN".to_owned()];
    for table in ["app.t", "nat.t"] {
        match i % 3 {
            0 => statements.push(format!("UPDATE {table} SET v=v+1 WHERE n={n}")),
            1 => statements.push(format!("UPDATE {table} SET {moved} WHERE n={n}")),
            _ => statements.extend([
                format!("DELETE FROM {table} WHERE n={n}"),
                format!(
                    "INSERT INTO {table} ({columns}, n, v) SELECT {of}, n, {} FROM (SELECT {n} AS n) one",
                    i % 100
                ),
            ]),
        }
    }
    statements.push("COMMIT".to_owned());
    statements
}
