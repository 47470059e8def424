//! CPU time of a process: what a rebuild costs, however busy the machine is beside it.

use std::path::PathBuf;
use std::time::Duration;

use alterego_testkit::Server;
use anyhow::{Context, Result};

/// Linux tells CPU times in hundredths of a second, whatever its own clock is.
const TICKS_PER_SECOND: u64 = 100;

/// The place of `utime` among the fields behind the program's name; `stime` is the next.
const UTIME: usize = 11;

/// A process whose CPU time is read.
#[derive(Clone, Debug)]
pub(crate) struct Process(PathBuf);

impl Process {
    pub(crate) fn of(id: u32) -> Process {
        Process(PathBuf::from(format!("/proc/{id}/stat")))
    }

    pub(crate) fn of_server(server: &Server) -> Result<Process> {
        let file = server.data_folder().with_file_name("pid");
        let id = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .trim()
            .parse()
            .with_context(|| format!("{} holds no process id", file.display()))?;
        Ok(Process::of(id))
    }

    /// What it has used so far, in all its threads.
    pub(crate) fn used(&self) -> Result<Duration> {
        let stat =
            std::fs::read_to_string(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        used(&stat).with_context(|| format!("{} is not as Linux writes it", self.0.display()))
    }
}

fn used(stat: &str) -> Option<Duration> {
    // The program's name stands in parentheses and may hold anything, spaces and parentheses included.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(UTIME);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_are_added() {
        let check = |stat: &str, expected: Option<Duration>| assert_eq!(used(stat), expected, "{stat}");
        let fields = "S 1 1 1 0 -1 4194560 9 8 7 6 150 25 3 2 20 0";
        check(&format!("17 mysqld {fields}"), None);
        check(
            &format!("17 (my) sqld) {fields}"),
            Some(Duration::from_millis(1750)),
        );
        check("17 (mysqld) S 1", None);
    }
}
