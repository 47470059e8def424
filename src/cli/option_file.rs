//! MySQL option files, as far as logging in needs them.
//!
//! Only the sections `[client]` and `[alterego]` are read, and in them `user`, `password`, `host` and `port`; a later
//! line wins, as with MySQL's own programs. Anything else is for other programs and passes in silence.

use std::path::Path;

use super::Secret;
use super::server_url::ServerUrl;

/// Reads the file at `path`.
///
/// # Errors
/// A sentence that names the file and what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<ServerUrl, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the option file {}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("in the option file {}: {error}", path.display()))
}

fn parse(text: &str) -> Result<ServerUrl, String> {
    let mut found = ServerUrl::default();
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            ours = matches!(section.trim(), "client" | "alterego");
            continue;
        }
        if !ours || line.starts_with(['#', ';', '!']) {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let value = unquote(value.trim());
        match name.trim().replace('_', "-").as_str() {
            "user" => found.user = Some(value),
            "password" => found.password = Some(Secret::new(value)),
            "host" => found.host = Some(value),
            "port" => {
                found.port = Some(
                    value
                        .parse()
                        .map_err(|_| format!("`port = {value}` is not a port number"))?,
                );
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The value behind quotes and escapes, or before a comment, as MySQL reads it.
fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote)
            && let Some(end) = inner.rfind(quote)
        {
            return unescape(&inner[..end]);
        }
    }
    // Without quotes a `#` begins a comment only after a space; MySQL reads it the same way.
    let bare = value.split(" #").next().unwrap_or(value);
    unescape(bare.trim_end())
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('s') => out.push(' '),
            Some(escaped @ ('\\' | '"' | '\'')) => out.push(escaped),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_sections_are_read() {
        let text = "password=before\n[mysqld]\nuser=mysql\nport=1\n[client]\n# user=no\nuser = app\npassword=\"a#b \\\"c\\\"\"\n\
                    [alterego]\nhost=db.example ; kept\nport = 3310 # why\nssl\n[mysqldump]\npassword=later\n";
        let found = parse(text).unwrap();
        assert_eq!(found.user.as_deref(), Some("app"));
        assert_eq!(found.password.unwrap().expose(), "a#b \"c\"");
        assert_eq!(found.port, Some(3310));
        assert!(parse("[client]\nport=x").is_err());
    }

    #[test]
    fn values_are_unquoted() {
        let check = |value: &str, expected: &str| assert_eq!(unquote(value), expected, "{value}");
        check("plain", "plain");
        check("a#b", "a#b");
        check("a #b", "a");
        check("'a #b'", "a #b");
        check("'a' # comment", "a");
        check(r"C:\x", r"C:\x");
        check(r"a\sb\\", r"a b\");
        check("\"", "\"");
        check("", "");
    }
}
