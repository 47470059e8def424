//! The system calls of a proxy for each query, counted by strace if it is there.
//!
//! strace slows a proxy down, so more is ready whenever it looks: the counts of waits are lower bounds.

use std::process::Stdio;

use anyhow::Result;
use tokio::process::Command;
use tokio::time::{Duration, sleep};

use super::front::Front;
use super::{Args, TESTS};
use crate::sysbench;

const THREADS: u32 = 8;
const SECONDS: u64 = 2;
/// Calls made less often than this for a query are not worth a line.
const LEAST: f64 = 0.005;

/// Prints one line a proxy.
pub(super) async fn print(fronts: &[Front], args: &Args) -> Result<()> {
    println!("System calls for each query ({}, {THREADS} clients):", TESTS[0]);
    for front in fronts {
        let Some(id) = front.id else { continue };
        match count(front, id, args).await? {
            Some(line) => println!("  {}: {line}", front.name),
            None => {
                println!("  not counted: strace is not to be had, or may not look");
                break;
            }
        }
    }
    Ok(())
}

async fn count(front: &Front, id: u32, args: &Args) -> Result<Option<String>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("calls");
    let started = Command::new("strace")
        .args(["-f", "-c", "-p", &id.to_string(), "-o"])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut strace) = started else { return Ok(None) };
    // It attaches in a moment; what it misses of the first moment hardly counts.
    sleep(Duration::from_millis(300)).await;
    let found = sysbench::run(front.port, TESTS[0], args.rows, THREADS, SECONDS).await?;
    if let Some(strace) = strace.id() {
        // Interrupted, it writes its table.
        Command::new("kill")
            .args(["-INT", &strace.to_string()])
            .status()
            .await?;
    }
    strace.wait().await?;
    let table = std::fs::read_to_string(&file).unwrap_or_default();
    let calls = parse(&table);
    let each = calls
        .into_iter()
        .map(|(name, count)| (name, count as f64 / found.queries.max(1) as f64));
    let parts: Vec<String> = each
        .filter(|(_, each)| *each >= LEAST)
        .map(|(name, each)| format!("{name} {each:.2}"))
        .collect();
    Ok((!parts.is_empty()).then(|| parts.join(", ")))
}

/// The calls and their counts, in strace's order; the last line is their sum.
fn parse(table: &str) -> Vec<(&str, u64)> {
    table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let count = words.get(3)?.parse().ok()?;
            Some((*words.last()?, count))
        })
        .filter(|(name, _)| *name != "total")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- \
                     --------- ----------------\n 53.55    0.517877           9     52530           sendto\n 22.25    \
                     0.215212           4     52550        12 recvfrom\n100.00    0.9    9    105080        12 total\n";
        assert_eq!(parse(table), [("sendto", 52530), ("recvfrom", 52550)]);
    }
}
