//! The file of `--config`: groups of servers, listeners, and rules that say which connection goes where.
//!
//! It is read strictly. A mistake is one line that says where it is and by which key; nothing is guessed, and no key is
//! passed over in silence. Passwords are not in the file but in files of their own, so no message can repeat one.

mod check;
mod mistake;
mod raw;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use alterego_proxy::routing::Rule;

use crate::cli::{ListenerSettings, Secret, ServerAddress, UpstreamSettings};

/// What the file says.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    /// Where clients connect; may be empty.
    pub(crate) listeners: Vec<ListenerSettings>,
    /// Which servers there are, and who goes where.
    pub(crate) routing: Routing,
}

/// Groups of servers, and rules that name them by their places here.
#[derive(Clone, Debug)]
pub(crate) struct Routing {
    /// At least one.
    pub(crate) groups: Vec<GroupSettings>,
    /// In the order of the file.
    pub(crate) rules: Vec<Rule>,
}

/// Servers that hold the same data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupSettings {
    /// The group's name.
    pub(crate) name: String,
    /// How connections to its servers are protected.
    pub(crate) tls: UpstreamSettings,
    /// How far behind a replica may be that is read from.
    pub(crate) lag_limit: Option<Duration>,
    /// At least one.
    pub(crate) servers: Vec<MemberSettings>,
}

/// One server of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberSettings {
    /// Its name; its address if it is given none.
    pub(crate) name: String,
    /// Its share of reading connections.
    pub(crate) weight: u32,
    /// How it is reached with alterego's own account.
    pub(crate) address: ServerAddress,
}

/// alterego's own account as the command line and the environment have it; the file's goes first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) user: Option<String>,
    /// Its password.
    pub(crate) password: Option<Secret>,
}

/// Reads the file.
///
/// # Errors
/// One line that says what is wrong in it, and where.
pub(crate) fn read(path: &Path, account: &Account, tls: &UpstreamSettings) -> Result<ConfigFile, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read --config {}: {error}", path.display()))?;
    parse(&text, account, tls).map_err(|mistake| format!("{}:{mistake}", path.display()))
}

/// Reads its text; a mistake begins with the number of its line.
fn parse(text: &str, account: &Account, tls: &UpstreamSettings) -> Result<ConfigFile, String> {
    let raw: raw::File = toml::from_str(text).map_err(|error| mistake::of_syntax(text, &error))?;
    check::File { text, account, tls }.check(raw)
}
