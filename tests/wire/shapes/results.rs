//! What a text comes to: results, warnings, notes on the session.

use super::{commands, texts};
use crate::command::{Command, Value};
use crate::dialect::Dialect;
use crate::script::Step;

pub(super) fn results(dialect: &Dialect) -> Vec<Step> {
    let wide = format!("SELECT {}", vec!["1"; 300].join(", "));
    texts(
        dialect,
        &[
            "SELECT * FROM t",
            "SELECT * FROM t WHERE id < 0",
            &wide,
            "SELECT n.id, (SELECT t.b FROM t WHERE t.id >= 4 - n.id) FROM n ORDER BY n.id",
            "SELECT 1; INSERT INTO w (v) VALUES ('a'); SELECT 2",
            "SELECT 1; SELECT * FROM nowhere; SELECT 2",
            "CALL two()",
            "CALL fails()",
            "CALL nothing(); SELECT 1",
        ],
    )
}

pub(super) fn warnings(dialect: &Dialect) -> Vec<Step> {
    texts(
        dialect,
        &[
            "CREATE TABLE x (id INT PRIMARY KEY, v VARCHAR(20))",
            "INSERT INTO x VALUES (1, '5'), (2, 'a'), (3, 'a')",
            "SET sql_mode = ''",
            "ALTER TABLE x MODIFY v INT",
            "SHOW WARNINGS",
            "SHOW WARNINGS LIMIT 1, 5",
            "SHOW COUNT(*) WARNINGS",
            "SHOW ERRORS",
            "SHOW COUNT(*) ERRORS",
            "SET NAMES latin1",
            "ALTER TABLE x MODIFY v VARCHAR(20), ADD UNIQUE (v)",
            "SHOW WARNINGS",
            "SHOW COUNT(*) ERRORS",
            "DROP TABLE x",
        ],
    )
}

pub(super) fn session_tracking(dialect: &Dialect) -> Vec<Step> {
    texts(
        dialect,
        &[
            "USE other",
            "SET autocommit = 0",
            "SET session_track_state_change = 1",
            "SET @a = 1",
            "SELECT 1; SET NAMES latin1; SELECT 2",
            "BEGIN",
            "INSERT INTO t VALUES (1, 1)",
            "ALTER TABLE app.t COMMENT = 'in a transaction'",
            "BEGIN",
            "ALTER TABLE nowhere ADD c INT",
            "DO 1",
            "BEGIN",
            "ALTER TABLE NONSENSE",
            "COMMIT",
            "SET session_track_transaction_info = 'CHARACTERISTICS'",
            "START TRANSACTION READ ONLY",
            "SELECT * FROM t",
            "ALTER TABLE app.t COMMENT = 'tracked'",
            "COMMIT",
        ],
    )
}

pub(super) fn optional_metadata(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::query(dialect, "SET resultset_metadata = NONE"),
        Command::query(dialect, "SELECT * FROM t"),
        Command::query(dialect, "SELECT * FROM t WHERE id < 0"),
        Command::prepare("SELECT id, b FROM t WHERE id > ?"),
        Command::execute(dialect, 1, false, &[Value::Number(1)]),
        Command::execute(dialect, 1, true, &[Value::Number(1)]),
        Command::fetch(1, 10),
        Command::close(1),
        Command::query(dialect, "CALL two()"),
        Command::query(dialect, "SET resultset_metadata = FULL"),
        Command::query(dialect, "SELECT * FROM t"),
    ])
}

pub(super) fn query_attributes(dialect: &Dialect) -> Vec<Step> {
    let with = |sql: &str| Command::new(sql, dialect.query_with_attributes(sql));
    commands(vec![
        with("SELECT 1"),
        with("ALTER TABLE nowhere ADD c INT"),
        with("ALTER TABLE t COMMENT = 'with attributes'"),
        with("SELECT 1; SELECT 2"),
        // What is no honest client's in this dialect, and another's whole text.
        Command::new("bare", *b"\x03SELECT 1"),
        Command::new("bare", *b"\x03ALTER TABLE t COMMENT = 'bare'"),
        Command::query(dialect, "SHOW CREATE TABLE t"),
    ])
}

/// Schema changes that the server does itself, and reports on at each of their stages: the reports are no end of the reply.
pub(super) fn progress(dialect: &Dialect) -> Vec<Step> {
    texts(
        dialect,
        &[
            "ALTER TABLE t FORCE, ALGORITHM=COPY",
            "SELECT 1",
            "SELECT 1; ALTER TABLE t FORCE, ALGORITHM=COPY; SELECT 2",
            "ALTER TABLE nowhere ADD c INT",
        ],
    )
}
