//! Prepared statements: cursors, parameters either way, bulk, and what servers remember of them.

use super::commands;
use crate::command::{Command, LAST_STATEMENT, Value};
use crate::dialect::{BULK_UNIT_RESULTS, Dialect};
use crate::script::Step;

pub(super) fn cursors(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("SELECT id FROM n ORDER BY id"),
        Command::execute(dialect, 1, true, &[]),
        Command::fetch(1, 100),
        Command::fetch(1, 1000),
        // Past the end.
        Command::fetch(1, 1),
        Command::fetch(1, 1),
        Command::execute(dialect, 1, true, &[]),
        Command::reset(1),
        Command::fetch(1, 1),
        Command::fetch(7, 1),
        Command::prepare("CALL two()"),
        Command::execute(dialect, 2, true, &[]),
        Command::prepare("INSERT INTO w (v) VALUES ('x')"),
        Command::execute(dialect, 3, true, &[]),
        // MySQL never sends the rows of a statement again whose first execution opened a cursor.
        Command::execute(dialect, 1, false, &[]),
        Command::prepare("SELECT id, id FROM n ORDER BY id"),
        Command::execute(dialect, 4, false, &[]),
        Command::execute(dialect, 4, true, &[]),
        Command::execute(dialect, 4, false, &[]),
    ])
}

pub(super) fn out_parameters(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("CALL outs(?)"),
        Command::execute(dialect, 1, false, &[Value::Number(1)]),
        Command::query(dialect, "SELECT 1"),
        Command::execute(dialect, 1, false, &[Value::Null]),
        Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
    ])
}

pub(super) fn long_data(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("SELECT ?, LENGTH(?)"),
        Command::long_data(1, 0, b"first "),
        Command::long_data(1, 0, b"second"),
        Command::long_data(1, 1, &[b'x'; 100_000]),
        Command::execute(dialect, 1, false, &[Value::Sent, Value::Sent]),
        Command::long_data(99, 0, b"nobody's"),
        Command::reset(1),
        Command::close(1),
        Command::close(99),
        Command::query(dialect, "SELECT 1"),
    ])
}

pub(super) fn bulk(dialect: &Dialect) -> Vec<Step> {
    let dialect = Dialect {
        extended: dialect.extended | BULK_UNIT_RESULTS,
        ..*dialect
    };
    let rows = [Some("a"), None, Some("ccc")];
    const UNIT_RESULTS: u16 = 0x40;
    commands(vec![
        Command::prepare("INSERT INTO f (a) VALUES (?)"),
        Command::execute_bulk(1, 0, &rows),
        Command::execute_bulk(1, UNIT_RESULTS, &rows),
        Command::prepare("INSERT INTO f (a) VALUES (?) RETURNING a, 1"),
        Command::execute_bulk(2, 0, &rows),
        Command::execute_bulk(2, UNIT_RESULTS, &rows),
        Command::prepare("INSERT INTO w (v) VALUES (?)"),
        Command::execute_bulk(LAST_STATEMENT, 0, &[Some("far too long a text")]),
        Command::prepare("SELECT ?"),
        Command::execute_bulk(4, 0, &rows),
        Command::prepare("ALTER TABLE t ADD c INT"),
        Command::execute_bulk(5, 0, &[]),
        Command::query(&dialect, "SHOW CREATE TABLE t"),
    ])
}

pub(super) fn last_statement(dialect: &Dialect) -> Vec<Step> {
    let run = |values: &[Value]| Command::execute(dialect, LAST_STATEMENT, false, values);
    commands(vec![
        run(&[]),
        Command::prepare("SELECT ?"),
        run(&[Value::Number(1)]),
        Command::prepare("SELECT * FROM nowhere"),
        run(&[]),
        Command::prepare("ALTER TABLE t COMMENT = 'prepared last'"),
        run(&[]),
        Command::prepare("ALTER TABLE nowhere ADD c INT"),
        run(&[]),
        Command::prepare("SELECT 1"),
        Command::close(1),
        run(&[]),
        Command::reset(LAST_STATEMENT),
        Command::close(LAST_STATEMENT),
        run(&[]),
        Command::new("reset connection", *b"\x1f"),
        run(&[]),
    ])
}

pub(super) fn cached_metadata(dialect: &Dialect) -> Vec<Step> {
    let run = |id| Command::execute(dialect, id, false, &[]);
    commands(vec![
        Command::prepare("SELECT * FROM t"),
        run(1),
        run(1),
        Command::query(dialect, "ALTER TABLE t ADD c INT"),
        run(1),
        run(1),
        Command::query(dialect, "SELECT * FROM t"),
        Command::execute(dialect, 1, true, &[]),
        Command::fetch(1, 2),
        Command::execute(dialect, 1, true, &[]),
        Command::fetch(1, 10),
    ])
}
