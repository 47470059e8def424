//! The server programs, as `scripts/provide-servers` provides them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::Flavor;

/// A folder with the programs `bin/server`, `bin/client` and `bin/initialise`.
#[derive(Clone, Debug)]
pub(crate) struct Provided {
    folder: PathBuf,
    /// What the server says of itself; a data folder made by one version is not given to another.
    pub(crate) version: String,
}

impl Provided {
    /// Asks the script, which is quick when the server has been provided before. Blocks.
    pub(crate) fn find(flavor: Flavor) -> Result<Provided> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/provide-servers");
        let output = Command::new(&script)
            .arg(flavor.name())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", script.display()))?;
        ensure!(
            output.status.success(),
            "{} {} failed",
            script.display(),
            flavor.name()
        );
        let folder = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        let version = std::fs::read_to_string(folder.join("version"))
            .with_context(|| format!("no version in {}", folder.display()))?;
        Ok(Provided { folder, version })
    }

    /// The cache folder that the provided servers are in.
    pub(crate) fn cache(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    pub(crate) fn server(&self) -> Command {
        Command::new(self.folder.join("bin/server"))
    }

    pub(crate) fn client(&self) -> Command {
        Command::new(self.folder.join("bin/client"))
    }

    pub(crate) fn initialise(&self) -> Command {
        Command::new(self.folder.join("bin/initialise"))
    }
}
