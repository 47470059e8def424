//! Files that the server asks the client for.

use super::commands;
use crate::command::Command;
use crate::dialect::Dialect;
use crate::packet::FRAME_MAX_BYTES;
use crate::script::Step;

pub(super) fn long_file(dialect: &Dialect) -> Vec<Step> {
    let packets = (0..700)
        .map(|line| format!("{line}\tALTER TABLE t\n").into_bytes())
        .collect();
    vec![
        Step::File {
            sql: "LOAD DATA LOCAL INFILE 'x' INTO TABLE f",
            packets,
            then: vec![
                Command::query(dialect, "SELECT COUNT(*), MIN(b) FROM f"),
                Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
            ],
        },
        Step::Probe,
    ]
}

pub(super) fn files(dialect: &Dialect) -> Vec<Step> {
    let file = |sql, packets| Step::File {
        sql,
        packets,
        then: vec![Command::query(dialect, "SHOW WARNINGS")],
    };
    let long = [&[b'x'; FRAME_MAX_BYTES][..], b"\tlong\n"].concat();
    vec![
        file("LOAD DATA LOCAL INFILE 'x' INTO TABLE f", vec![]),
        Step::Probe,
        file("LOAD DATA LOCAL INFILE 'x' INTO TABLE nowhere", vec![]),
        file(
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t FIELDS TERMINATED BY ','",
            vec![b"1,1\n9,x\n".to_vec()],
        ),
        file(
            "SELECT 1; LOAD DATA LOCAL INFILE 'x' INTO TABLE f; SELECT 2",
            vec![b"a\tb\n".to_vec()],
        ),
        file("LOAD DATA LOCAL INFILE 'x' IGNORE INTO TABLE f", vec![long]),
        Step::Probe,
    ]
}

pub(super) fn prepared_file(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("LOAD DATA LOCAL INFILE 'x' INTO TABLE f"),
        Command::query(dialect, "SELECT 1"),
    ])
}
