//! The cases of one test that failed: the others run all the same.

use anyhow::{Result, bail};

use super::Rig;

/// How much of the proxy's log is shown with a failure.
const LOG_LINES: usize = 25;

/// What failed so far, of how many.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    cases: usize,
    texts: Vec<String>,
}

impl Failures {
    /// Counts one case in.
    pub(crate) fn note(&mut self, rig: &Rig, name: &str, result: Result<()>) {
        self.cases += 1;
        if let Err(error) = result {
            self.texts
                .push(format!("## {name}\n{error:#}\n{}", last_words(rig)));
        }
    }

    /// Fails if a case failed.
    pub(crate) fn none(self) -> Result<()> {
        if self.texts.is_empty() {
            return Ok(());
        }
        bail!(
            "{} of {} cases failed\n\n{}",
            self.texts.len(),
            self.cases,
            self.texts.join("\n")
        )
    }
}

/// The end of the proxy's log.
pub(crate) fn last_words(rig: &Rig) -> String {
    let log = rig.proxy.log();
    let lines: Vec<String> = log.lines().map(|line| format!("    | {line}\n")).collect();
    lines
        .get(lines.len().saturating_sub(LOG_LINES)..)
        .unwrap_or_default()
        .concat()
}
