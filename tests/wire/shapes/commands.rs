//! Commands that are no statement, broken ones, and ends of connections.

use super::commands;
use crate::command::Command;
use crate::dialect::Dialect;
use crate::script::Step;

pub(super) fn plain_commands(dialect: &Dialect) -> Vec<Step> {
    let payloads: &[&[u8]] = &[
        b"\x0e",
        b"\x09",
        b"\x02other",
        b"\x02nowhere",
        b"\x02app",
        b"\x04t\0",
        b"\x04t\0b%",
        b"\x04nowhere\0",
        b"\x0d",
        b"\x0c\xff\xff\xff\x7f",
        b"\x07\x10",
        b"\x1f",
        b"\x02app",
        b"",
        b"\x3f",
        b"\0",
        b"\x05new",
        b"\x06old",
        b"\x0f",
        b"\xfe",
        b"\xff",
    ];
    let mut all: Vec<Command> = payloads
        .iter()
        .map(|payload| Command::new(format!("{payload:x?}"), *payload))
        .collect();
    all.push(Command::query(dialect, "SELECT 1"));
    commands(all)
}

pub(super) fn wrong_number(dialect: &Dialect) -> Vec<Step> {
    let mut command = Command::query(dialect, "ALTER TABLE t ADD c INT");
    command.sequence = 5;
    vec![
        Step::query(dialect, "SELECT 1"),
        Step::Commands(vec![command, Command::query(dialect, "SHOW CREATE TABLE t")]),
        Step::query(dialect, "SHOW CREATE TABLE t"),
    ]
}

pub(super) fn options(dialect: &Dialect) -> Vec<Step> {
    let two = "SELECT 1; ALTER TABLE t ADD c INT";
    commands(vec![
        Command::query(dialect, "SELECT 1"),
        Command::new("off", *b"\x1b\x01\0"),
        Command::query(dialect, two),
        Command::new("on", *b"\x1b\0\0"),
        Command::query(dialect, two),
        Command::new("nonsense", *b"\x1b\x07\0"),
        Command::new("short", *b"\x1b"),
        Command::query(dialect, "SELECT 1"),
    ])
}

pub(super) fn kills_itself(dialect: &Dialect) -> Vec<Step> {
    vec![
        Step::query(dialect, "KILL QUERY CONNECTION_ID()"),
        Step::query(dialect, "KILL CONNECTION_ID()"),
        Step::query(dialect, "SELECT 1"),
    ]
}

pub(super) fn half_closed(dialect: &Dialect) -> Vec<Step> {
    vec![Step::Last(vec![
        Command::query(dialect, "SELECT id FROM n ORDER BY id"),
        Command::query(dialect, "SELECT REPEAT('x', 3000000)"),
        Command::query(dialect, "SELECT 2"),
    ])]
}
