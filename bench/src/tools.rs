//! The programs of `scripts/provide-tools`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// Where the program is; quick when it has been provided before.
pub(crate) async fn provide(tool: &str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/provide-tools");
    let output = Command::new(&script)
        .arg(tool)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(output.status.success(), "{tool} is not to be had");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
