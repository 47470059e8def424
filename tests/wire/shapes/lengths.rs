//! Commands and rows of every telling length.

use crate::command::{Command, Value};
use crate::dialect::{DEPRECATE_EOF, Dialect};
use crate::packet::FRAME_MAX_BYTES;
use crate::script::Step;

/// Commands and rows whose payloads end at, before and behind the end of a frame, and far behind it.
pub(super) fn long_packets(dialect: &Dialect) -> Vec<Step> {
    let mut lengths = vec![FRAME_MAX_BYTES - 1, FRAME_MAX_BYTES, FRAME_MAX_BYTES + 1];
    if dialect.has(DEPRECATE_EOF) {
        lengths.push(40 << 20);
    }
    let mut steps = Vec::new();
    for length in lengths {
        let (before, after) = ("SELECT LENGTH('", "') AS l");
        let filling = length - 1 - before.len() - after.len();
        let long_query = format!("{before}{}{after}", "x".repeat(filling));
        // The length's own encoding takes 4 bytes, or 9.
        let value = length - if length < FRAME_MAX_BYTES + 5 { 4 } else { 9 };
        steps.push(Step::Commands(vec![
            Command::query(dialect, &long_query),
            Command::query(dialect, &format!("SELECT REPEAT('y', {value}) AS r")),
            Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
        ]));
        steps.push(Step::Probe);
    }
    // A schema change that is too long to be looked into is the server's, in one frame and in two.
    for filling in [2 << 20, 17 << 20] {
        let sql = format!("ALTER TABLE t COMMENT = 'long' /* {} */", "x".repeat(filling));
        steps.push(Step::Commands(vec![
            Command::query(dialect, &sql),
            Command::query(dialect, "SHOW CREATE TABLE t"),
        ]));
    }
    steps.push(Step::Commands(vec![
        Command::prepare("SELECT LENGTH(?), LEFT(?, 10)"),
        Command::long_data(1, 0, &vec![b'z'; FRAME_MAX_BYTES + 100]),
        Command::execute(
            dialect,
            1,
            false,
            &[Value::Sent, Value::Text("w".repeat(FRAME_MAX_BYTES))],
        ),
        Command::close(1),
        Command::query(dialect, "SELECT 1"),
    ]));
    steps.push(Step::Probe);
    // More than the server takes.
    steps.push(Step::query(
        dialect,
        &format!("SELECT '{}'", "x".repeat(65 << 20)),
    ));
    steps
}
