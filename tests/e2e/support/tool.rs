//! The program's tools, run as people run them.

use std::process::Output;

use alterego_testkit::Alterego;
use anyhow::{Result, ensure};

/// Runs `alterego` with these arguments to its end.
pub(crate) async fn tool(arguments: &[&str]) -> Result<Output> {
    let mut command = Alterego::command()?;
    command.args(arguments).env_remove("ALTEREGO_URL");
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

/// The tool could not say: the status is 2, and one line with `part` in it says why.
pub(crate) fn cannot_say(output: &Output, part: &str) -> Result<()> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2) && stderr.contains(part),
        "{output:?}"
    );
    ensure!(
        output.stdout.is_empty() && stderr.lines().count() == 1,
        "{output:?}"
    );
    Ok(())
}
