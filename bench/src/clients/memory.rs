//! The memory of a process, as the system counts it.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// A process whose memory is read.
#[derive(Clone, Debug)]
pub(super) struct Memory(PathBuf);

impl Memory {
    pub(super) fn of(id: u32) -> Memory {
        Memory(PathBuf::from(format!("/proc/{id}/status")))
    }

    /// Its resident set, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        let status =
            std::fs::read_to_string(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        resident(&status).with_context(|| format!("{} is not as Linux writes it", self.0.display()))
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_found() {
        let check = |status: &str, expected: Option<u64>| assert_eq!(resident(status), expected, "{status}");
        check(
            "Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    5120 kB\nThreads: 3\n",
            Some(5 << 20),
        );
        check("VmRSS:\t5120\n", None);
        check("Name:\tx\n", None);
    }
}
