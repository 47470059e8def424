//! `alterego diff A B`: where the tables of two servers differ.
//!
//! # How
//! Tables on both sides are compared by definition, then by their rows: chunk by chunk along the key, count and
//! checksum of both sides at the same time. Of a chunk whose checksums differ every row's checksum is compared, and what
//! differs is settled.
//!
//! # What the answer means
//! * **Nothing differs** is said of rows at the moments they were read: every row was equal at some moment of the run. A row
//!   whose change came later was not looked at again.
//! * **A row differs** is said only if it differed at several looks in a row while A's row stood still, and each look at B
//!   came after B had everything that A had had before (`settle`). Writes that run meanwhile, and the lag of a replica, are
//!   no difference. Where B does not follow A by GTIDs that wait is only a pause.
//! * A checksum is 128 bits of SHA-256 over the row, each value with its length: values do not run into each other.

mod chunks;
mod definition;
mod digest;
mod report;
mod scope;
mod server;
mod settle;

use std::process::ExitCode;

use alterego_engine::{TableName, key};
use indicatif::{ProgressBar, ProgressStyle};

use self::definition::Common;
use self::report::{Line, State};
use self::server::Server;
use crate::cli::Diff;

/// The exit status when something differs.
const DIFFERENT: u8 = 1;
/// The exit status when nobody can tell.
pub(crate) const UNKNOWN: u8 = 2;

/// What was found, table by table.
pub(crate) struct Found(Vec<Line>);

impl Found {
    /// Prints it, and says it as an exit status.
    pub(crate) fn report(&self) -> ExitCode {
        report::print(&self.0);
        if self.0.iter().any(Line::differs) {
            ExitCode::from(DIFFERENT)
        } else if self.0.iter().any(Line::is_open) {
            ExitCode::from(UNKNOWN)
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Compares the servers.
///
/// # Errors
/// One of them is out of reach, or refuses a statement.
pub(crate) async fn run(wanted: &Diff) -> anyhow::Result<Found> {
    let mut a = Server::reach(&wanted.a).await?;
    let mut b = Server::reach(&wanted.b).await?;
    let mut pair = settle::Follower::new(wanted.patience);
    let tables = scope::tables(&mut a, &mut b, wanted).await?;
    let bar = bar(tables.rows());
    let mut lines = Vec::new();
    for name in tables.only_in_a {
        lines.push(Line::new(&name, State::OnlyInA));
    }
    for name in tables.only_in_b {
        lines.push(Line::new(&name, State::OnlyInB));
    }
    for (name, _) in tables.both {
        bar.set_message(format!("{}.{}", name.schema.as_str(), name.table.as_str()));
        lines.push(compare(&mut a, &mut b, &mut pair, &name, &bar).await?);
    }
    bar.finish_and_clear();
    lines.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Found(lines))
}

async fn compare(
    a: &mut Server,
    b: &mut Server,
    follower: &mut settle::Follower,
    name: &TableName,
    bar: &ProgressBar,
) -> anyhow::Result<Line> {
    let loaded = (a.load(name).await?, b.load(name).await?);
    let (table_a, table_b) = match loaded {
        (Ok(table_a), Ok(table_b)) => (table_a, table_b),
        (Err(reason), _) | (_, Err(reason)) => return Ok(Line::new(name, State::NotCompared(reason))),
    };
    let versions = (a.version, b.version);
    let mut line = Line::new(name, State::Compared);
    line.definition = definition::differences(&table_a, &table_b, versions);
    let common = match Common::of(&table_a, &table_b, (versions.0.flavor, versions.1.flavor)) {
        Ok(common) => common,
        Err(reason) => {
            line.state = State::NotCompared(reason);
            return Ok(line);
        }
    };
    line.notes.clone_from(&common.left_out);
    let mut suspects = Vec::new();
    let mut after = None;
    loop {
        let chunk = chunks::next(a, b, &common, after.take()).await?;
        line.rows_a += chunk.rows_a;
        line.rows_b += chunk.rows_b;
        bar.inc(chunk.rows_a);
        suspects.extend(chunk.suspects);
        if suspects.len() > chunks::SUSPECTS_AT_ONCE || chunk.through.is_none() {
            let settled = settle::settle(a, b, follower, &common, std::mem::take(&mut suspects)).await?;
            line.add(&common, settled);
        }
        match chunk.through {
            Some(through) => after = Some(through),
            None => return Ok(line),
        }
    }
}

/// Drawn only where somebody can see it.
fn bar(rows: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:30} {percent:>3} %  {human_pos} rows  {per_sec}  ETA {eta}  {msg}",
    );
    let bar = ProgressBar::new(rows);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A key for people: its values as literals.
fn shown(common: &Common, key: &key::Key) -> String {
    let values = common.key.columns.iter().zip(&key.0);
    values
        .map(|(column, value)| match value {
            key::KeyValue::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if !text.chars().any(char::is_control) => format!("'{text}'"),
                _ => column.literal(value),
            },
            other => column.literal(other),
        })
        .collect::<Vec<_>>()
        .join(", ")
}
