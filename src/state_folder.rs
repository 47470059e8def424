//! The folder for what must survive the process and cannot be kept in the server.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where state is kept, as systemd or the desktop's rules say; `None` if there is no home either.
pub(crate) fn find() -> Option<PathBuf> {
    folder(|name| std::env::var_os(name))
}

fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = || {
        absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .map(|state| state.join("alterego"))
    };
    // systemd names all of a unit's folders, with colons between them.
    let first = |all: OsString| std::env::split_paths(&all).next();
    variable("STATE_DIRECTORY").and_then(first).or_else(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_is_kept() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            let found = folder(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            });
            assert_eq!(found, expected.map(PathBuf::from), "{variables:?}");
        };
        check(&[("HOME", "/h")], Some("/h/.local/state/alterego"));
        check(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], Some("/s/alterego"));
        check(&[("HOME", "/h"), ("STATE_DIRECTORY", "/v")], Some("/v"));
        check(&[("HOME", "/h"), ("STATE_DIRECTORY", "/v:/w")], Some("/v"));
        check(&[("HOME", "h")], None);
        check(&[], None);
    }
}
