//! An ALTER whose text is carried by another statement: `PREPARE … FROM`, `EXECUTE IMMEDIATE`.

use alterego_testkit::Flavor;

use crate::alters::Case;
use crate::command::Command;
use crate::dialect::{DEPRECATE_EOF, Dialect, MULTI, SESSION_TRACK};
use crate::login::ROOT;
use crate::script::Step;

/// What a migration script does that may be run again: a text made up by the server, prepared and executed.
const SCRIPT: &[&str] = &[
    "SET @found = (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
     AND table_name = 't' AND column_name = 'b' AND data_type = 'int')",
    "SET @sql = IF(@found > 0, 'ALTER TABLE t MODIFY b BIGINT', 'SELECT 1')",
    "PREPARE stmt FROM @sql",
    "EXECUTE stmt",
    "DEALLOCATE PREPARE stmt",
];

/// The ALTER of these tests, prepared as `s`.
const PREPARE: &str = "PREPARE s FROM 'ALTER TABLE t MODIFY b BIGINT'";
const SET: &str = "SET @v = 'ALTER TABLE t MODIFY b BIGINT'";

/// Texts sent one by one, and how many migrations they begin.
type Texts = (usize, &'static [&'static str]);

const ON_BOTH: &[Texts] = &[
    (1, &[PREPARE, "EXECUTE s"]),
    (1, SCRIPT),
    // The same a second time.
    (
        1,
        &[
            SCRIPT[0], SCRIPT[1], SCRIPT[2], SCRIPT[3], SCRIPT[0], SCRIPT[1], SCRIPT[2], SCRIPT[3],
        ],
    ),
    (0, &[SET, "PREPARE s FROM @v", "DEALLOCATE PREPARE s"]),
    // What was prepared is executed, not what the variable holds by then.
    (1, &[SET, "PREPARE s FROM @v", "SET @v = 'SELECT 1'", "EXECUTE s"]),
    (0, &["SET @v = 'SELECT 1'", "PREPARE s FROM @v", SET, "EXECUTE s"]),
    // Literals, in each mode.
    (
        1,
        &[
            "prepare S from /* x */ \"ALTER TABLE t MODIFY b BIGINT\" ;",
            "execute s ; ",
        ],
    ),
    (
        0,
        &[
            "SET sql_mode = 'ANSI_QUOTES'",
            "PREPARE s FROM \"ALTER TABLE t MODIFY b BIGINT\"",
            "EXECUTE s",
        ],
    ),
    (
        1,
        &[
            r"PREPARE s FROM 'ALTER TABLE t\nMODIFY b BIGINT COMMENT \'it\\\'s\''",
            "EXECUTE s",
        ],
    ),
    (
        1,
        &[
            "PREPARE s FROM 'ALTER TABLE t MODIFY b BIGINT COMMENT ''it''''s \"so\"'''",
            "EXECUTE s",
        ],
    ),
    (
        1,
        &[
            r"PREPARE s FROM 'ALTER TABLE t MODIFY b BIGINT COMMENT ''a\\tb'''",
            "EXECUTE s",
        ],
    ),
    (
        1,
        &[
            "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
            r"PREPARE s FROM 'ALTER TABLE t MODIFY b BIGINT COMMENT ''a\tb\'''",
            "EXECUTE s",
        ],
    ),
    (
        1,
        &[
            "SET sql_mode = 'ANSI_QUOTES'",
            "PREPARE s FROM 'ALTER TABLE \"t\" MODIFY \"b\" BIGINT'",
            "EXECUTE s",
        ],
    ),
    // The mode is part of what was prepared.
    (
        0,
        &[
            "SET sql_mode = 'ANSI_QUOTES'",
            "PREPARE s FROM 'ALTER TABLE \"t\" MODIFY \"b\" BIGINT'",
            "SET sql_mode = ''",
            "EXECUTE s",
        ],
    ),
    (
        0,
        &["PREPARE s FROM 'ALTER TABLE t ' 'MODIFY b BIGINT'", "EXECUTE s"],
    ),
    (
        0,
        &[
            "PREPARE s FROM _utf8mb4'ALTER TABLE t MODIFY b BIGINT'",
            "EXECUTE s",
        ],
    ),
    (
        0,
        &[
            "PREPARE s FROM CONCAT('ALTER TABLE t', ' MODIFY b BIGINT')",
            "EXECUTE s",
        ],
    ),
    (
        0,
        &[
            "/*!50000 PREPARE s FROM 'ALTER TABLE t MODIFY b BIGINT' */",
            "EXECUTE s",
        ],
    ),
    // Character sets.
    (1, &["SET NAMES latin1", PREPARE, "EXECUTE s"]),
    (
        1,
        &[
            "SET NAMES utf8mb4",
            "PREPARE s FROM 'ALTER TABLE t MODIFY b BIGINT COMMENT ''é€'''",
            "EXECUTE s",
        ],
    ),
    (
        1,
        &[
            "SET NAMES utf8mb4",
            "SET @v = 'ALTER TABLE t MODIFY b BIGINT COMMENT ''é€'''",
            "PREPARE s FROM @v",
            "EXECUTE s",
        ],
    ),
    (
        0,
        &[
            "SET NAMES latin1",
            "PREPARE s FROM 'ALTER TABLE t MODIFY b BIGINT COMMENT ''é'''",
            "EXECUTE s",
        ],
    ),
    (
        0,
        &[
            "SET @v = CONVERT('ALTER TABLE t MODIFY b BIGINT' USING utf16)",
            "PREPARE s FROM @v",
            "EXECUTE s",
        ],
    ),
    // The variable is understood, but not what the server shows of the table.
    (
        0,
        &[
            "SET character_set_results = utf16",
            SET,
            "PREPARE s FROM @v",
            "EXECUTE s",
            "SET NAMES utf8mb4",
        ],
    ),
    // Variables of all kinds.
    (0, &["PREPARE s FROM @nothing", "EXECUTE s"]),
    (0, &["SET @v = 5", "PREPARE s FROM @v", "EXECUTE s"]),
    (
        0,
        &[
            "SET @v = REPEAT('ALTER ', 100000)",
            "PREPARE s FROM @v",
            "EXECUTE s",
        ],
    ),
    (
        1,
        &[
            "SET @`a b` = 'ALTER TABLE t MODIFY b BIGINT', sql_select_limit = 0",
            "PREPARE s FROM @`a b`",
            "EXECUTE s",
            "SET sql_select_limit = DEFAULT",
        ],
    ),
    (0, &["PREPARE s FROM @@version", "EXECUTE s"]),
    // What a name means.
    (
        1,
        &[
            "PREPARE Stmt FROM 'ALTER TABLE t MODIFY b BIGINT'",
            "EXECUTE `sTMT`",
        ],
    ),
    (
        1,
        &[
            "PREPARE `select` FROM 'ALTER TABLE t MODIFY b BIGINT'",
            "EXECUTE `select`",
        ],
    ),
    (
        0,
        &[
            "PREPARE `select` FROM 'ALTER TABLE t MODIFY b BIGINT'",
            "EXECUTE select",
        ],
    ),
    (0, &[PREPARE, "PREPARE s FROM 'SELECT 1'", "EXECUTE s"]),
    (0, &[PREPARE, "PREPARE `S` FROM 'SYNTAX ERROR'", "EXECUTE s"]),
    (1, &["PREPARE s FROM 'SELECT 1'", PREPARE, "EXECUTE s"]),
    (
        0,
        &[PREPARE, "PREPARE s FROM 'ALTER TABLE t NONSENSE'", "EXECUTE s"],
    ),
    (0, &[PREPARE, "DEALLOCATE PREPARE s", "EXECUTE s"]),
    (0, &[PREPARE, "DROP PREPARE S", "EXECUTE s"]),
    (0, &[PREPARE, "CALL prepares()", "EXECUTE s"]),
    (
        0,
        &[PREPARE, "DO 1; PREPARE s FROM 'SELECT 1'; DO 2", "EXECUTE s"],
    ),
    (
        0,
        &[
            PREPARE,
            "PREPARE other FROM 'CALL prepares()'",
            "EXECUTE other",
            "EXECUTE s",
        ],
    ),
    (0, &["EXECUTE s"]),
    (0, &[PREPARE, "EXECUTE other", "EXECUTE"]),
    (0, &[PREPARE, "EXECUTE s USING @a"]),
    // What a statement left to its session.
    (
        0,
        &[
            "PREPARE s FROM 'ALTER TABLE t ADD COLUMN c INT'",
            "EXECUTE s",
            "SELECT ROW_COUNT()",
        ],
    ),
    (
        0,
        &[
            "SET session_track_state_change = 1",
            PREPARE,
            SET,
            "PREPARE s FROM @v",
        ],
    ),
    (
        0,
        &[
            "PREPARE s FROM 'ALTER TABLE nowhere MODIFY b BIGINT'",
            "EXECUTE s",
            "SHOW WARNINGS",
        ],
    ),
    (
        0,
        &[
            "PREPARE s FROM 'ALTER TABLE t MODIFY nothing BIGINT'",
            "EXECUTE s",
            "SELECT ROW_COUNT()",
        ],
    ),
    (
        0,
        &[
            "SELECT 1/0, CAST('x' AS SIGNED)",
            SET,
            "PREPARE s FROM @v",
            "SHOW WARNINGS",
            "SELECT ROW_COUNT()",
        ],
    ),
    (
        0,
        &[
            "SELECT 1/0, CAST('x' AS SIGNED)",
            PREPARE,
            "SHOW WARNINGS",
            "SELECT ROW_COUNT()",
        ],
    ),
    (
        0,
        &[
            "SET @v = 'SELECT 1'",
            "UPDATE t SET b = 1",
            "PREPARE s FROM @v",
            "SELECT ROW_COUNT()",
            "EXECUTE s",
        ],
    ),
    (
        0,
        &[
            "SET @v = 'SYNTAX ERROR'",
            "PREPARE s FROM @v",
            "SHOW WARNINGS",
            "SELECT ROW_COUNT()",
        ],
    ),
    // Transactions, locks, schemas.
    (
        1,
        &[
            "BEGIN",
            "INSERT INTO t VALUES (9, 9)",
            SET,
            "PREPARE s FROM @v",
            "EXECUTE s",
            "ROLLBACK",
        ],
    ),
    (
        0,
        &[
            "SET autocommit = 0",
            SET,
            "PREPARE s FROM @v",
            "COMMIT",
            "SET autocommit = 1",
        ],
    ),
    (0, &["LOCK TABLES t WRITE", PREPARE, "EXECUTE s", "UNLOCK TABLES"]),
    (0, &[PREPARE, "LOCK TABLES t WRITE", "EXECUTE s", "UNLOCK TABLES"]),
    (0, &[PREPARE, "USE other", "EXECUTE s", "USE app"]),
    (
        1,
        &[
            "USE other",
            "PREPARE s FROM 'ALTER TABLE app.t MODIFY b BIGINT'",
            "EXECUTE s",
            "USE app",
        ],
    ),
    (
        0,
        &["EXECUTE IMMEDIATE CONCAT('ALTER TABLE t', ' MODIFY b BIGINT')"],
    ),
    (0, &["EXECUTE IMMEDIATE 'ALTER TABLE t MODIFY b BIGINT' USING @v"]),
    (0, &["SET @v = 'SELECT b FROM t'", "EXECUTE IMMEDIATE @v"]),
];

/// MySQL does not know the statement.
const ON_MARIADB: &[Texts] = &[
    (1, &["EXECUTE IMMEDIATE 'ALTER TABLE t MODIFY b BIGINT'"]),
    (1, &[SET, "execute immediate @v;"]),
    (
        1,
        &[
            "BEGIN",
            "INSERT INTO t VALUES (9, 9)",
            SET,
            "EXECUTE IMMEDIATE @v",
            "ROLLBACK",
        ],
    ),
    (
        0,
        &[
            "EXECUTE IMMEDIATE 'ALTER TABLE t MODIFY nothing BIGINT'",
            "SHOW WARNINGS",
        ],
    ),
    (0, &["EXECUTE IMMEDIATE 'ALTER TABLE t NONSENSE'"]),
    (0, &[PREPARE, "EXECUTE IMMEDIATE 'CALL prepares()'", "EXECUTE s"]),
    (
        0,
        &[
            PREPARE,
            "BEGIN NOT ATOMIC PREPARE s FROM 'SELECT 1'; END",
            "EXECUTE s",
        ],
    ),
];

/// Every case is played one text after the answer to the other, and every sixth one also all at once.
pub(crate) fn carried(flavor: Flavor) -> Vec<Case> {
    let own = if flavor == Flavor::MariaDb {
        ON_MARIADB
    } else {
        &[]
    };
    let newest = Dialect::with(flavor, MULTI | DEPRECATE_EOF | SESSION_TRACK, 0);
    let oldest = Dialect::with(flavor, MULTI, 0);
    let mut cases = Vec::new();
    for (index, (migrations, texts)) in ON_BOTH.iter().chain(own).enumerate() {
        let name = texts.join(" | ");
        let steps = texts.iter().map(|sql| Step::query(&newest, sql)).collect();
        cases.push((name.clone(), *migrations, steps, newest));
        if index % 6 != 0 {
            continue;
        }
        let commands = texts.iter().map(|sql| Command::query(&oldest, sql)).collect();
        let steps = vec![Step::Commands(commands)];
        cases.push((format!("in a pipeline: {name}"), *migrations, steps, oldest));
    }
    let dialect = oldest;
    let query = |sql| Command::query(&dialect, sql);
    let mut case = |name: &str, migrations, steps| cases.push((name.to_owned(), migrations, steps, dialect));
    case(
        "prepared by name, and the session reset",
        0,
        vec![Step::Commands(vec![
            query(PREPARE),
            Command::new("reset connection", *b"\x1f"),
            query("EXECUTE s"),
        ])],
    );
    case(
        "prepared by name, and the user changed",
        0,
        vec![
            Step::query(&dialect, PREPARE),
            Step::ChangeUser(&ROOT),
            Step::query(&dialect, "EXECUTE s"),
        ],
    );
    case(
        "prepared anew by a procedure that was prepared by id",
        0,
        vec![Step::Commands(vec![
            query(PREPARE),
            Command::prepare("CALL prepares()"),
            Command::execute(&dialect, 2, false, &[]),
            query("EXECUTE s"),
        ])],
    );
    cases
}
