//! Fresh data folders: initialised once for each server version, then copied.
//!
//! Initialising takes seconds and copying takes a fraction of one, and every test wants a server of its own.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::Flavor;
use crate::provided::Provided;

/// Makes `target` a data folder in which root has no password. Blocks.
pub(crate) fn copy_to(flavor: Flavor, provided: &Provided, target: &Path) -> Result<()> {
    copy(&template(flavor, provided)?, target)
}

/// Copies a data folder. Blocks.
pub(crate) fn copy(folder: &Path, target: &Path) -> Result<()> {
    let copied = Command::new("cp")
        .args(["-a", "--reflink=auto", "--sparse=auto"])
        .arg(folder)
        .arg(target)
        .status()
        .context("cannot run cp")?;
    ensure!(
        copied.success(),
        "cannot copy {} to {}",
        folder.display(),
        target.display()
    );
    Ok(())
}

/// The template of this server version, made now if it is not there yet.
fn template(flavor: Flavor, provided: &Provided) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (&provided.version, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    let name = format!("{}-data-{:016x}", flavor.name(), hasher.finish());
    let template = provided.cache().join(&name);
    if template.exists() {
        return Ok(template);
    }
    // Test processes run side by side: one makes it, the others wait here and find it.
    let lock = File::create(provided.cache().join(format!("{name}.lock")))?;
    lock.lock()?;
    if !template.exists() {
        let partial = provided.cache().join(format!("{name}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        initialise(provided, &partial)?;
        fs::rename(&partial, &template)?;
    }
    Ok(template)
}

fn initialise(provided: &Provided, folder: &Path) -> Result<()> {
    let output = provided.initialise().arg(folder).stdin(Stdio::null()).output()?;
    ensure!(
        output.status.success(),
        "cannot initialise {}: {}{}",
        folder.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // Each copy must find its own identity, or two servers would claim the same GTIDs.
    let identity = folder.join("auto.cnf");
    if identity.exists() {
        fs::remove_file(identity)?;
    }
    Ok(())
}
