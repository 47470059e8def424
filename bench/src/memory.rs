//! The memory of a process, as the system counts it.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// A process whose memory is read.
#[derive(Clone, Debug)]
pub(crate) struct Memory(PathBuf);

impl Memory {
    pub(crate) fn of(id: u32) -> Memory {
        Memory(PathBuf::from(format!("/proc/{id}/status")))
    }

    /// Its resident set, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        self.read("VmRSS:")
    }

    /// The most its resident set has been, in bytes.
    pub(crate) fn peak(&self) -> Result<u64> {
        self.read("VmHWM:")
    }

    fn read(&self, field: &str) -> Result<u64> {
        let status =
            std::fs::read_to_string(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        bytes(&status, field).with_context(|| format!("{} is not as Linux writes it", self.0.display()))
    }
}

fn bytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_found() {
        let check =
            |status: &str, expected: Option<u64>| assert_eq!(bytes(status, "VmRSS:"), expected, "{status}");
        check(
            "Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    5120 kB\nThreads: 3\n",
            Some(5 << 20),
        );
        check("VmRSS:\t5120\n", None);
        check("Name:\tx\n", None);
    }
}
