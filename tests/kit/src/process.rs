//! A child process that never outlives its owner.
//!
//! Dropping kills it, and a watchdog kills it when the owner dies without dropping: the watchdog waits for
//! the end of a pipe whose other end only the owner holds.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// A running child and its watchdog.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    watchdog: Child,
}

impl Process {
    /// Starts `command`. If the owner dies, `folder` is removed too.
    pub(crate) fn spawn(mut command: Command, folder: Option<&Path>) -> Result<Process> {
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {:?}", command.get_program()))?;
        let watchdog = Command::new("sh")
            .args([
                "-c",
                "trap '' INT TERM HUP; cat >/dev/null; kill -9 \"$1\"; rm -rf \"${2:-}\"",
                "watchdog",
            ])
            .arg(child.id().to_string())
            .args(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match watchdog {
            Ok(watchdog) => Ok(Process { child, watchdog }),
            Err(error) => {
                let _ = child.kill();
                Err(error).context("cannot run sh")
            }
        }
    }

    /// The child's own handle.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Whether the child has been stopped by a signal since this was last asked.
    pub(crate) fn was_stopped(&mut self) -> bool {
        let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else {
            return false;
        };
        // Only stops are asked for: the end of the child is left for others to hear of.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::Pid(id), options), Ok(Some(_)))
    }

    /// Sends the child a signal.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        Command::new("kill")
            .args(["-s", name])
            .arg(self.child.id().to_string())
            .status()
            .context("cannot run kill")?;
        Ok(())
    }

    /// Whether the child has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the child with signal 9 and waits for its end.
    pub(crate) fn kill(&mut self) {
        // The watchdog goes first: it must not kill a process id that is someone else's by then.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
