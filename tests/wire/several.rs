//! An ALTER among several statements of one text.

use alterego_testkit::Flavor;
use anyhow::Result;

use crate::alters::{Case, check_all};
use crate::command::Command;
use crate::dialect::{DEPRECATE_EOF, Dialect, MULTI, QUERY_ATTRIBUTES, SESSION_TRACK};
use crate::login::ROOT;
use crate::script::Step;

/// How many migrations a text begins. In it, `ALTER` alone stands for a change that no server does at once.
type Text = (usize, &'static str);

const CHANGE: &str = "ALTER TABLE t MODIFY b BIGINT";

const ON_BOTH: &[Text] = &[
    // In every place.
    (1, "SELECT 1; ALTER"),
    (1, "ALTER; SELECT 1"),
    (
        1,
        "SELECT 1; ALTER; SELECT id FROM n; INSERT INTO t VALUES (9, 9)",
    ),
    (1, "ALTER; ALTER"),
    (
        2,
        "SET @x = 1; ALTER; INSERT INTO t VALUES (9, 9); CREATE INDEX i ON t (b)",
    ),
    (
        2,
        "CREATE TABLE fresh (id INT PRIMARY KEY, a INT); INSERT INTO fresh VALUES (1, 1), (2, 2);\n\
         ALTER TABLE fresh MODIFY a BIGINT; ALTER;\nDROP TABLE fresh",
    ),
    (
        1,
        "TRUNCATE t; ALTER; ANALYZE TABLE t; CHECK TABLE t; FLUSH TABLES",
    ),
    (
        1,
        "ALTER TABLE t ADD COLUMN c INT; ALTER; DROP INDEX nothing ON t",
    ),
    // Results of every kind.
    (1, "CALL two(); ALTER; CALL two()"),
    (1, "CALL nothing(); ALTER; CALL fails(); SELECT 'never'"),
    (
        1,
        "SELECT id FROM n; ALTER; SELECT id FROM n; SHOW CREATE TABLE t",
    ),
    (
        1,
        "(SELECT 1); WITH a AS (SELECT 2) SELECT * FROM a; ALTER; DESC t",
    ),
    (1, "SELECT 1 INTO @a; ALTER; DO @a"),
    (
        1,
        "INSERT INTO w (v) VALUES ('a'), ('b'); ALTER; SELECT LAST_INSERT_ID()",
    ),
    // Errors, in each place.
    (0, "SELECT * FROM nowhere; ALTER; SELECT 1"),
    (1, "ALTER; SELECT * FROM nowhere; INSERT INTO t VALUES (9, 9)"),
    (
        0,
        "INSERT INTO t VALUES (8, 8); ALTER TABLE t MODIFY nothing BIGINT; INSERT INTO t VALUES (9, 9)",
    ),
    (
        0,
        "INSERT INTO t VALUES (8, 8); ALTER TABLE nowhere MODIFY b BIGINT; INSERT INTO t VALUES (9, 9)",
    ),
    (
        1,
        "INSERT INTO t VALUES (8, 20); ALTER TABLE t ADD UNIQUE (b); INSERT INTO t VALUES (9, 9)",
    ),
    (0, "INSERT INTO t VALUES (1, 1); ALTER"),
    // The text of a syntax error goes on with what follows.
    (0, "SELECT FROM; ALTER; SELECT 2"),
    (0, "SELECT 1;\n\nSELECT\n(; ALTER; SELECT 2"),
    (
        1,
        "ALTER;\nSELECT 1, ; SELECT 'and so on', 'and so on', 'and so on', 'and so on', 'and so on', 'and so on'",
    ),
    (0, "SELECT 1; ALTER TABLE t MODIFY b; ALTER"),
    (0, "SELECT 1; ALTER TABLE t NONSENSE; ALTER; SELECT 1"),
    (1, "ALTER; NONSENSE; SELECT 1"),
    // Empty ones and comments.
    (1, "ALTER; ;"),
    (1, "SELECT 1; ALTER; ;\n"),
    (1, "ALTER;;SELECT 1"),
    (0, ";SELECT 1; ALTER"),
    (1, "ALTER; -- done"),
    (1, "ALTER; /* done */"),
    (1, "ALTER; # done\n;"),
    (1, "ALTER -- done; or not\n; SELECT 1"),
    (0, "/* nothing */; ALTER"),
    (0, "-- nothing\n; ALTER"),
    (
        1,
        "-- what comes next\nSELECT 1; /* is; this */ ALTER; # and\nSELECT 2",
    ),
    (
        1,
        "/*!40101 SET NAMES utf8mb4 */; ALTER; /*!40101 SET @a = 1 */; SELECT @a",
    ),
    (1, "ALTER; /*!99999 SELECT 1 */; SELECT 2"),
    (0, "/*!99999 SELECT 1 */; ALTER"),
    (0, "SELECT 1; /*!50000 ALTER */; SELECT 2"),
    // What only looks like one.
    (0, "SELECT '; ALTER; '; SELECT 2"),
    (0, "SELECT 1 /* ; ALTER; */; SELECT 2"),
    (0, "SELECT 1 -- ; ALTER\n; SELECT 2"),
    (0, "SELECT 1 # ; ALTER;"),
    (0, "SELECT `; ALTER; ` FROM t; SELECT 2"),
    // Transactions.
    (
        1,
        "BEGIN; INSERT INTO t VALUES (9, 9); ALTER; ROLLBACK; SELECT * FROM t",
    ),
    (
        1,
        "START TRANSACTION; UPDATE t SET b = 1; SAVEPOINT a; ROLLBACK TO a; COMMIT; ALTER; BEGIN; SELECT 1; COMMIT",
    ),
    (
        1,
        "SET autocommit = 0; INSERT INTO t VALUES (9, 9); ALTER; INSERT INTO t VALUES (10, 10); ROLLBACK; SET autocommit = 1",
    ),
    // Modes and character sets that change on the way.
    (
        1,
        "SET sql_mode = 'ANSI_QUOTES'; ALTER TABLE \"t\" MODIFY \"b\" BIGINT; SELECT \"id\" FROM \"t\"",
    ),
    (1, "SELECT \"id\" FROM t; SET sql_mode = ''; ALTER; SELECT \"id\""),
    (
        1,
        r"INSERT INTO f VALUES ('it\'s', '; DO 1; '); ALTER; SELECT * FROM f",
    ),
    (
        0,
        r"SET sql_mode = 'NO_BACKSLASH_ESCAPES'; INSERT INTO f VALUES ('a\', 'b'); ALTER; SELECT * FROM f # '",
    ),
    (
        0,
        r"SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT 'a\' # '; ALTER",
    ),
    (1, "SET NAMES latin1; ALTER; SELECT 'é'"),
    (
        1,
        "SET NAMES gbk; ALTER TABLE t MODIFY b BIGINT COMMENT 'x'; SELECT 'é'",
    ),
    (0, r"SET NAMES gbk; SELECT 'é\'; ALTER; -- '"),
    (
        1,
        "SET NAMES utf8mb4; ALTER TABLE t MODIFY b BIGINT COMMENT 'é€'; \
         SELECT column_comment FROM information_schema.columns WHERE table_schema = 'app' AND column_name = 'b'",
    ),
    (
        1,
        "USE other; ALTER TABLE app.t MODIFY b BIGINT; SELECT * FROM t; USE app",
    ),
    // Statements that carry others.
    (
        1,
        "PREPARE s FROM 'ALTER'; EXECUTE s; DEALLOCATE PREPARE s; SELECT 1",
    ),
    (
        1,
        "SET @found = (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
         AND table_name = 't' AND column_name = 'b' AND data_type = 'int');\n\
         SET @sql = IF(@found > 0, 'ALTER', 'SELECT 1');\nPREPARE stmt FROM @sql;\nEXECUTE stmt;\nDEALLOCATE PREPARE stmt;\n",
    ),
    (1, "PREPARE s FROM 'SELECT 1'; ALTER; EXECUTE s; EXECUTE nothing"),
    // What stands behind a routine is read by the server alone.
    (
        0,
        "DROP PROCEDURE IF EXISTS made; CREATE PROCEDURE made() BEGIN DO 1; DO 2; END; ALTER; DROP PROCEDURE made",
    ),
    (
        1,
        "ALTER; DROP PROCEDURE IF EXISTS made; CREATE PROCEDURE made() BEGIN DO 1; DO 2; END; CALL made(); DROP PROCEDURE made",
    ),
    // What no ALTER is done online in.
    (0, "LOCK TABLES t WRITE; ALTER; UNLOCK TABLES"),
    (
        0,
        "CREATE TEMPORARY TABLE t (b INT); ALTER; SHOW CREATE TABLE t; DROP TEMPORARY TABLE t",
    ),
    (0, "SELECT 1; ALTER, ALGORITHM=COPY; SELECT 2"),
    (0, "CALL widens(); SELECT 1"),
    // Warnings.
    (
        1,
        "SELECT 1/0; ALTER; DROP TABLE IF EXISTS nowhere; SHOW WARNINGS",
    ),
    (
        1,
        "SET sql_mode = ''; INSERT INTO f VALUES (REPEAT('x', 30), ''); SHOW WARNINGS; ALTER",
    ),
];

/// MySQL does not know the statements.
const ON_MARIADB: &[Text] = &[
    (1, "PREPARE s FROM CONCAT('DO', ' 1'); ALTER; EXECUTE s"),
    (1, "EXECUTE IMMEDIATE 'ALTER'; DO 1"),
    (0, "BEGIN NOT ATOMIC DO 1; DO 2; END; ALTER"),
    (1, "ALTER; BEGIN NOT ATOMIC DO 1; DO 2; END; SELECT 1"),
    (0, "SET STATEMENT max_statement_time = 100 FOR SELECT 1; ALTER"),
    (0, "SET sql_mode = ORACLE; BEGIN; ALTER; END; SELECT 1"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() -> Result<()> {
    several(Flavor::MySql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() -> Result<()> {
    several(Flavor::MariaDb).await
}

async fn several(flavor: Flavor) -> Result<()> {
    check_all(flavor, cases(flavor)).await
}

/// Every text is sent alone, to a session that is told of its state, and every sixth one also in a pipeline.
fn cases(flavor: Flavor) -> Vec<Case> {
    let own = if flavor == Flavor::MariaDb {
        ON_MARIADB
    } else {
        &[]
    };
    let newest = Dialect::with(flavor, MULTI | DEPRECATE_EOF | SESSION_TRACK, 0);
    let oldest = Dialect::with(flavor, MULTI, 0);
    let mut cases = Vec::new();
    for (index, (migrations, text)) in ON_BOTH.iter().chain(own).enumerate() {
        let text = whole(text);
        cases.push((
            text.clone(),
            *migrations,
            vec![Step::query(&newest, &text)],
            newest,
        ));
        if index % 6 == 0 {
            let query = |sql: &str| Command::query(&oldest, sql);
            let commands = vec![
                query("SELECT id FROM n"),
                query(&text),
                query("SELECT 1; SELECT 2"),
            ];
            cases.push((
                format!("in a pipeline: {text}"),
                *migrations,
                vec![Step::Commands(commands)],
                oldest,
            ));
        }
    }
    cases.extend(switched(flavor));
    cases.extend(long(&newest));
    cases
}

/// The text with the change in its place.
fn whole(text: &str) -> String {
    const MARK: &str = "\u{1}";
    let marked = text.replace("ALTER TABLE", MARK);
    marked.replace("ALTER", CHANGE).replace(MARK, "ALTER TABLE")
}

/// Sessions that may send several statements in a text, or may not, and texts that come with something.
fn switched(flavor: Flavor) -> Vec<Case> {
    let off = Dialect::with(flavor, 0, 0);
    let on = Dialect::with(flavor, MULTI, 0);
    let text = whole("SELECT 1; ALTER; SELECT 2");
    let set = |value: u8| Command::new(format!("set option {value}"), vec![0x1b, value, 0]);
    let query = |dialect: &Dialect| Command::query(dialect, &text);
    let reset = || Command::new("reset connection", *b"\x1f");
    let commands = |commands| vec![Step::Commands(commands)];
    let mut cases = vec![
        ("not allowed".to_owned(), 0, commands(vec![query(&off)]), off),
        (
            "allowed later".to_owned(),
            1,
            commands(vec![set(0), query(&off)]),
            off,
        ),
        (
            "allowed no more".to_owned(),
            0,
            commands(vec![set(1), query(&on)]),
            on,
        ),
        (
            "allowed as from the beginning".to_owned(),
            1,
            commands(vec![reset(), query(&on)]),
            on,
        ),
        (
            "a file among them".to_owned(),
            0,
            vec![Step::File {
                sql: "SELECT 1; LOAD DATA LOCAL INFILE 'x' INTO TABLE f; ALTER TABLE t MODIFY b BIGINT",
                packets: vec![b"a\tb\n".to_vec()],
                then: vec![query(&on)],
            }],
            on,
        ),
        (
            "by another user".to_owned(),
            1,
            vec![Step::ChangeUser(&ROOT), Step::query(&on, &text)],
            on,
        ),
    ];
    if flavor == Flavor::MySql {
        let with = Dialect::with(flavor, MULTI | QUERY_ATTRIBUTES, 0);
        cases.push(("no attributes".to_owned(), 1, commands(vec![query(&with)]), with));
        let attributes = Command::new(text.clone(), with.query_with_attributes(&text));
        cases.push(("attributes".to_owned(), 0, commands(vec![attributes]), with));
    }
    cases
}

/// Texts with more packets than numbers, and with long rows.
fn long(dialect: &Dialect) -> Vec<Case> {
    let many = format!("{}{CHANGE};{}", "DO 1;".repeat(300), "SELECT 1;".repeat(50));
    let large = format!(
        "SELECT REPEAT('x', 100000), '{}'; {CHANGE}; SELECT REPEAT('\u{fe}', 17000000), 1",
        "y".repeat(100_000)
    );
    [("many", many), ("large", large)]
        .map(|(name, text)| (name.to_owned(), 1, vec![Step::query(dialect, &text)], *dialect))
        .into()
}
