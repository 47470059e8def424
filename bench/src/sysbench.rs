//! Runs sysbench and reads its figures.

use std::process::Stdio;

use alterego_testkit::Server;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use tokio::process::{Child, Command};

use crate::tools;

/// The schema of its tables.
pub(crate) const SCHEMA: &str = "sbtest";
/// The account it uses.
pub(crate) const ACCOUNT: (&str, &str) = ("sysbench", "sysbench");

/// What one run of sysbench found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) queries: u64,
    pub(crate) queries_per_second: f64,
    pub(crate) p95_milliseconds: f64,
    pub(crate) p99_milliseconds: f64,
}

/// Makes the account and the table that all runs use.
pub(crate) async fn prepare(server: &Server, rows: u64) -> Result<()> {
    let (user, password) = ACCOUNT;
    let mut root = server.root().await?;
    root.query_drop(format!("CREATE DATABASE {SCHEMA}")).await?;
    server.create_user(user, password, None, &["ALL ON *.*"]).await?;
    sysbench(
        server.port(),
        "oltp_point_select",
        &[format!("--table-size={rows}")],
        "prepare",
    )
    .await?;
    Ok(())
}

/// Runs `test` for some seconds.
pub(crate) async fn run(port: u16, test: &str, rows: u64, threads: u32, seconds: u64) -> Result<Found> {
    let arguments = [
        format!("--table-size={rows}"),
        format!("--threads={threads}"),
        format!("--time={seconds}"),
        "--histogram=on".to_owned(),
    ];
    let said = sysbench(port, test, &arguments, "run").await?;
    parse(&said).with_context(|| format!("sysbench said something else than figures:\n{said}"))
}

/// Begins to run `test`, until the child is dropped. It ends by itself at the first error that is no deadlock.
pub(crate) async fn begin(port: u16, test: &str, rows: u64, threads: u32) -> Result<Child> {
    let arguments = [
        format!("--table-size={rows}"),
        format!("--threads={threads}"),
        "--time=0".to_owned(),
    ];
    let mut command = command(port, test, &arguments, "run").await?;
    Ok(command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?)
}

async fn sysbench(port: u16, test: &str, arguments: &[String], action: &str) -> Result<String> {
    let output = command(port, test, arguments, action).await?.output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "sysbench {test} {action} failed: {said}{errors}"
    );
    Ok(said)
}

async fn command(port: u16, test: &str, arguments: &[String], action: &str) -> Result<Command> {
    let (user, password) = ACCOUNT;
    let mut command = Command::new(tools::provide("sysbench").await?);
    command
        .args([
            test,
            "--db-driver=mysql",
            "--mysql-host=127.0.0.1",
            "--mysql-ssl=off",
            "--tables=1",
        ])
        .arg(format!("--mysql-port={port}"))
        .arg(format!("--mysql-user={user}"))
        .arg(format!("--mysql-password={password}"))
        .arg(format!("--mysql-db={SCHEMA}"))
        .args(arguments)
        .arg(action)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

fn parse(said: &str) -> Option<Found> {
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("queries:"))?;
    let (queries, rest) = line.trim().split_once(char::is_whitespace)?;
    let per_second = rest.trim().strip_prefix('(')?.split_whitespace().next()?;
    let histogram: Vec<(f64, u64)> = said.lines().filter_map(bucket).collect();
    Some(Found {
        queries: queries.parse().ok()?,
        queries_per_second: per_second.parse().ok()?,
        p95_milliseconds: percentile(&histogram, 0.95)?,
        p99_milliseconds: percentile(&histogram, 0.99)?,
    })
}

/// A line of the histogram: milliseconds, a bar, and how many took as long.
fn bucket(line: &str) -> Option<(f64, u64)> {
    let (milliseconds, rest) = line.split_once('|')?;
    let count = rest.split_whitespace().last()?;
    Some((milliseconds.trim().parse().ok()?, count.parse().ok()?))
}

fn percentile(histogram: &[(f64, u64)], share: f64) -> Option<f64> {
    let all: u64 = histogram.iter().map(|(_, count)| count).sum();
    let mut seen = 0;
    let reached = histogram.iter().find(|(_, count)| {
        seen += count;
        seen as f64 >= share * all as f64
    });
    reached.map(|(milliseconds, _)| *milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let said = "Latency histogram (values are in milliseconds)\n       value  ------------- distribution\n       \
                    0.150 |****                 90\n       0.300 |**     6\n       2.500 |*  4\n\nSQL statistics:\n    \
                    queries:                             1234 (617.00 per sec.)\n";
        let found = Found {
            queries: 1234,
            queries_per_second: 617.0,
            p95_milliseconds: 0.3,
            p99_milliseconds: 2.5,
        };
        assert_eq!(parse(said), Some(found));
        assert_eq!(parse("FATAL: no"), None);
    }
}
