//! Cases that failed once, written out: what was mended stays mended.

use anyhow::{Context, Result, ensure};

use crate::case::Script;
use crate::many::Rig;
use crate::play::{Verdict, play};

/// How often a case with a writer is played: its failure was a matter of time.
const PLAYS: u32 = 2;

/// Plays every case kept for this server. The text's first line names it: `# mysql`, `# mariadb` or `# both`.
pub(crate) async fn all(rig: &Rig) -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/kept");
    let mut failures = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let head = text.lines().next().unwrap_or_default();
        if !head.contains(rig.flavor().name()) && !head.contains("both") {
            continue;
        }
        let script = Script::parse(&text).with_context(|| path.display().to_string())?;
        let plays = if script.transactions.is_empty() { 1 } else { PLAYS };
        for _ in 0..plays {
            let verdict = play(rig.lane(0)?, &script)
                .await
                .with_context(|| path.display().to_string())?;
            if !matches!(verdict, Verdict::Same { .. }) {
                failures.push(format!("{}: {verdict:?}", path.display()));
            }
        }
    }
    ensure!(
        failures.is_empty(),
        "{} kept cases fail\n{}",
        failures.len(),
        failures.join("\n")
    );
    Ok(())
}
