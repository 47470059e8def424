//! What the data or the definition refuses is refused as the server refuses it, and leaves nothing behind.

use std::sync::Arc;

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use crate::support::{
    DEADLINE, Failures, Outcome, Rig, Writers, changes, eventually, fill, nothing_left, run,
};

crate::both!(
    data_errors,
    definition_errors,
    warnings_of_lax_modes,
    a_duplicate_inserted_during_the_copy
);

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(50), c VARCHAR(20) CHARACTER SET utf8mb4, d DECIMAL(12,4), \
     at DATETIME, s VARCHAR(30), u INT, e ENUM('x','y','z'), KEY by_a (a)) DEFAULT CHARSET=utf8mb4";
const ROW: &str = "n * 2, n, CONCAT('row ', n), 'plain', n / 16, '2024-01-01', '2024-01-01', n, 'x'";
const ROWS: u32 = 3000;

/// A case: its name, what makes the data bad, the ALTER, and the error on MySQL and on MariaDB (0: not a case there).
type Case = (&'static str, &'static str, &'static str, (u16, u16));

const DATA: &[Case] = &[
    (
        "1062 by data",
        "UPDATE t SET u=17 WHERE id=4000",
        "ALTER TABLE t ADD UNIQUE KEY once (u)",
        (1062, 1062),
    ),
    (
        // Both rows spell it alike: which of two spellings is named depends on the order in which chunks are copied.
        "1062, composite, text",
        "UPDATE t SET b='row 7', a=7 WHERE id=4000",
        "ALTER TABLE t ADD UNIQUE KEY once (a, b)",
        (1062, 1062),
    ),
    (
        "1062 by a stricter collation",
        "UPDATE t SET b='Row 7' WHERE id=4000",
        "ALTER TABLE t MODIFY b VARCHAR(50) COLLATE utf8mb4_bin, ADD UNIQUE KEY once (b(5))",
        (1062, 0),
    ),
    (
        "1062 by create unique index",
        "UPDATE t SET u=17 WHERE id=4000",
        "CREATE UNIQUE INDEX once ON t (u)",
        (1062, 1062),
    ),
    (
        "1062 by a narrower primary key",
        "UPDATE t SET u=17 WHERE id=4000",
        "ALTER TABLE t MODIFY u INT NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (u)",
        (1062, 1062),
    ),
    (
        "1264 int",
        "UPDATE t SET a=40000 WHERE id=4000",
        "ALTER TABLE t MODIFY a SMALLINT",
        (1264, 1264),
    ),
    (
        "1264 unsigned",
        "UPDATE t SET a=-1 WHERE id IN (5000, 4000)",
        "ALTER TABLE t MODIFY a INT UNSIGNED",
        (1264, 1264),
    ),
    (
        "1264 decimal",
        "UPDATE t SET d=12345 WHERE id=4000",
        "ALTER TABLE t MODIFY d DECIMAL(8,4)",
        (1264, 1264),
    ),
    (
        "1265 varchar too long",
        "UPDATE t SET b=REPEAT('x', 45) WHERE id=4000",
        "ALTER TABLE t MODIFY b VARCHAR(40)",
        (1265, 1265),
    ),
    (
        "1265 enum",
        "UPDATE t SET e='z' WHERE id=4000",
        "ALTER TABLE t MODIFY e ENUM('x','y')",
        (1265, 1265),
    ),
    (
        "1366 characters",
        "UPDATE t SET c='ж' WHERE id=4000",
        "ALTER TABLE t MODIFY c VARCHAR(20) CHARACTER SET latin1",
        (1366, 1366),
    ),
    (
        "1366 text to int",
        "UPDATE t SET s='1'; UPDATE t SET s='one' WHERE id=4000",
        "ALTER TABLE t MODIFY s INT",
        (1366, 1292),
    ),
    (
        "1292 text to date",
        "UPDATE t SET s='2024-02-30' WHERE id=4000",
        "ALTER TABLE t MODIFY s DATE",
        (1292, 1292),
    ),
    (
        "NULL to NOT NULL",
        "UPDATE t SET a=NULL WHERE id IN (4000, 2000)",
        "ALTER TABLE t MODIFY a INT NOT NULL",
        (1138, 1265),
    ),
    (
        "NULL to NOT NULL, type changes",
        "UPDATE t SET a=NULL WHERE id=4000",
        "ALTER TABLE t MODIFY a BIGINT NOT NULL",
        (1265, 1265),
    ),
    (
        "check",
        "UPDATE t SET a=-1 WHERE id=4000",
        "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0)",
        (3819, 4025),
    ),
    (
        "unnamed check",
        "UPDATE t SET a=-1 WHERE id=4000",
        "ALTER TABLE t ADD CHECK (a > 0), MODIFY u BIGINT",
        (3819, 4025),
    ),
    (
        "first and last row",
        "UPDATE t SET a=40000 WHERE id IN (2, 6000)",
        "ALTER TABLE t MODIFY a SMALLINT",
        (1264, 1264),
    ),
];

const DEFINITION: &[Case] = &[
    ("1054 drop", "", "ALTER TABLE t DROP COLUMN nope", (1091, 1091)),
    ("1054 modify", "", "ALTER TABLE t MODIFY nope INT", (1054, 1054)),
    (
        "1054 after",
        "",
        "ALTER TABLE t ADD x INT AFTER nope",
        (1054, 1054),
    ),
    (
        "1054 in a check",
        "",
        "ALTER TABLE t ADD CHECK (nope > 0)",
        (1054, 1054),
    ),
    ("1060", "", "ALTER TABLE t ADD COLUMN A INT", (1060, 1060)),
    ("1061", "", "ALTER TABLE t ADD INDEX by_a (d)", (1061, 1061)),
    (
        "1061 create index",
        "",
        "CREATE INDEX by_a ON t (d)",
        (1061, 1061),
    ),
    ("1064", "", "ALTER TABLE t ADD COLUMN", (1064, 1064)),
    (
        "1064 in the middle",
        "",
        "ALTER TABLE t MODIFY a BIGINT NOT NUL, FORCE",
        (1064, 1064),
    ),
    (
        "1067",
        "",
        "ALTER TABLE t MODIFY a BIGINT DEFAULT 'x'",
        (1067, 1067),
    ),
    ("1068", "", "ALTER TABLE t ADD PRIMARY KEY (a)", (1068, 1068)),
    ("1072", "", "ALTER TABLE t ADD INDEX i (nope)", (1072, 1072)),
    ("1075", "", "ALTER TABLE t ADD n INT AUTO_INCREMENT", (1075, 1075)),
    (
        "1090",
        "",
        "ALTER TABLE t DROP id, DROP a, DROP b, DROP c, DROP d, DROP at, DROP s, DROP u, DROP e",
        (1090, 1090),
    ),
    ("1091 index", "", "ALTER TABLE t DROP INDEX nope", (1091, 1091)),
    ("1091 drop index", "", "DROP INDEX nope ON t", (1091, 1091)),
    ("1146", "", "ALTER TABLE nope MODIFY a BIGINT", (1146, 1146)),
    (
        "1146 qualified",
        "",
        "ALTER TABLE app.nope MODIFY a BIGINT",
        (1146, 1146),
    ),
    (
        "1170",
        "",
        "ALTER TABLE t MODIFY b TEXT, ADD INDEX i (b)",
        (1170, 0),
    ),
];

async fn data_errors(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    each(&rig, DATA, true).await
}

async fn definition_errors(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    each(&rig, DEFINITION, false).await?;
    let forced = alterego_testkit::Alterego::start(&rig.server, &["--strategy", "ghost"], &[]).await?;
    each(&Rig { proxy: forced, ..rig }, DEFINITION, false).await
}

async fn each(rig: &Rig, cases: &[Case], a_migration: bool) -> Result<()> {
    prepare(rig).await?;
    let mut failures = Failures::default();
    for case in cases {
        failures.note(rig, case.0, one(rig, case, a_migration).await);
    }
    failures.none()
}

/// The same good rows in `nat.seed`, for every case.
async fn prepare(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("nat").await?;
    root.query_drop("DROP TABLE IF EXISTS seed").await?;
    root.query_drop(TABLE.replace("TABLE t", "TABLE seed")).await?;
    fill(&mut root, "seed", ROWS, ROW).await
}

async fn fresh_tables(rig: &Rig, bad: &str) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("DROP TABLE IF EXISTS t").await?;
        root.query_drop(TABLE).await?;
        root.query_drop("INSERT INTO t SELECT * FROM nat.seed").await?;
        for statement in bad.split("; ").filter(|statement| !statement.is_empty()) {
            root.query_drop(statement)
                .await
                .with_context(|| statement.to_owned())?;
        }
    }
    Ok(())
}

async fn one(rig: &Rig, (name, bad, alter, codes): &Case, a_migration: bool) -> Result<()> {
    let expected = if rig.flavor() == Flavor::MySql {
        codes.0
    } else {
        codes.1
    };
    if expected == 0 {
        return Ok(());
    }
    fresh_tables(rig, bad).await?;
    // Those among them that were begun, and then left to the server.
    let before = changes(&mut rig.client().await?).await?.len();
    let (ours, native) = rig.both_ways("", alter).await?;
    let (ours, native) = (ours.error_alone(), native.error_alone());
    ensure!(
        native.code() == Some(expected),
        "the case itself is wrong: natively {native:?}"
    );
    let other_words = rig.flavor() == Flavor::MariaDb && OTHER_WORDS_ON_MARIADB.contains(name);
    ensure!(
        ours == native || (other_words && ours.code().is_some()),
        "through the proxy: {ours:?}\nnatively: {native:?}"
    );
    rig.tables_are_equal("t").await.context("the table was touched")?;
    nothing_left(&mut rig.direct("").await?).await?;
    let migrations = changes(&mut rig.client().await?).await?;
    if a_migration {
        let ended = migrations.first().context("no migration")?;
        ensure!(
            migrations.len() == before + 1 && ended.phase == "failed",
            "{migrations:?}"
        );
        let why = ended.message.clone().unwrap_or_default();
        let told = other_words || why.contains(&expected.to_string());
        ensure!(told || why.contains("left to the server"), "{ended:?}");
    } else {
        // What the empty ghost already refuses has begun, and was then left to the server.
        ensure!(
            migrations.iter().all(|migration| migration.phase == "failed"),
            "{migrations:?}"
        );
    }
    Ok(())
}

/// MariaDB's ALTER converts values by other functions than its INSERT … SELECT, and some say the same in other words.
/// The ALTER fails as it must; the text is the INSERT's.
const OTHER_WORDS_ON_MARIADB: &[&str] = &[
    "1062, composite, text",
    "1265 varchar too long",
    "1366 text to int",
    "1292 text to date",
];

/// As [`OTHER_WORDS_ON_MARIADB`], for warnings; their number is the same.
const OTHER_WARNINGS_ON_MARIADB: &[&str] = &["1366 text to int", "1292"];

/// As [`OTHER_WARNINGS_ON_MARIADB`], on both servers: a NULL that becomes a zero is 1048 in an INSERT, 1265 in an ALTER.
const OTHER_WARNINGS: &[&str] = &["NULLs"];

/// With a lax `sql_mode` the same values, the same warnings.
async fn warnings_of_lax_modes(flavor: Flavor) -> Result<()> {
    const CASES: &[(&str, &str, &str)] = &[
        (
            "1264",
            "UPDATE t SET a=40000 WHERE id IN (2, 4000, 6000)",
            "ALTER TABLE t MODIFY a SMALLINT",
        ),
        (
            "1265 cut off",
            "UPDATE t SET b=CONCAT(b, REPEAT('x', 40)) WHERE id > 5950",
            "ALTER TABLE t MODIFY b VARCHAR(20)",
        ),
        (
            "more than max_error_count",
            "UPDATE t SET b=CONCAT(b, REPEAT('x', 40))",
            "ALTER TABLE t MODIFY b VARCHAR(20)",
        ),
        (
            "1366 characters",
            "UPDATE t SET c='ж?' WHERE id=4000",
            "ALTER TABLE t MODIFY c VARCHAR(20) CHARACTER SET latin1",
        ),
        (
            "1366 text to int",
            "UPDATE t SET s='12'; UPDATE t SET s='1one' WHERE id IN (10, 4000)",
            "ALTER TABLE t MODIFY s INT",
        ),
        (
            "1292",
            "UPDATE t SET s='2024-02-30' WHERE id=4000",
            "ALTER TABLE t MODIFY s DATE",
        ),
        (
            "NULLs",
            "UPDATE t SET a=NULL WHERE id IN (4000, 2000)",
            "ALTER TABLE t MODIFY a BIGINT NOT NULL",
        ),
        ("decimals", "", "ALTER TABLE t MODIFY d DECIMAL(12,1)"),
    ];
    let rig = Rig::start(flavor, &[]).await?;
    prepare(&rig).await?;
    let mut failures = Failures::default();
    for (name, bad, alter) in CASES {
        let checked = async {
            fresh_tables(&rig, bad).await?;
            let (mut ours, mut native) = rig.both_ways("SET sql_mode=''", alter).await?;
            let on_mariadb = flavor == Flavor::MariaDb && OTHER_WARNINGS_ON_MARIADB.contains(name);
            if on_mariadb || OTHER_WARNINGS.contains(name) {
                (ours, native) = (ours.without_warning_texts(), native.without_warning_texts());
            }
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

/// The data was fine when the ALTER came, and is not when it is done: still the server's own error. Once the bad row
/// is there the writers go on with rows that are fine.
async fn a_duplicate_inserted_during_the_copy(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("app").await?;
    root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, u INT NOT NULL, pad VARCHAR(200))")
        .await?;
    fill(&mut root, "t", 100_000, "n, n, REPEAT('x', 150)").await?;
    let writers = Writers::start(
        rig.client_opts("app"),
        1,
        Arc::new(|_, i| vec![format!("INSERT INTO t VALUES ({0}, {0}, 'new')", 200_000 + i)]),
    )
    .await?;
    let mut client = rig.client().await?;
    let alter = tokio::spawn(async move { run(&mut client, "ALTER TABLE t ADD UNIQUE KEY once (u)").await });
    eventually("the copy has begun", async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations
            .first()
            .is_some_and(|migration| migration.rows_copied > 0)
            .then_some(()))
    })
    .await?;
    rig.client()
        .await?
        .query_drop("INSERT INTO t VALUES (-1, 77, 'a duplicate')")
        .await?;
    let outcome = tokio::time::timeout(DEADLINE, alter)
        .await
        .context("the ALTER has no end")???;
    writers.finish().await?;
    let native = run(&mut root, "ALTER TABLE t ADD UNIQUE KEY once (u)").await?;
    ensure!(
        outcome == native && matches!(native, Outcome::Err { code: 1062, .. }),
        "{outcome:?}\n{native:?}"
    );
    ensure!(
        rig.migrations_of("t")
            .await?
            .first()
            .is_some_and(|migration| migration.phase == "failed")
    );
    nothing_left(&mut root).await
}
