//! The upstream's address: `mysql://user[:password]@host[:port]`.
//!
//! # Invariant
//! No error of this file repeats the text it was given, because the text may hold a password.

use url::{Host, Url};

use super::Secret;

/// What a URL says; the parts it leaves out may come from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// The account's name.
    pub(crate) user: Option<String>,
    /// Its password.
    pub(crate) password: Option<Secret>,
    /// Host name or address, an IPv6 address without brackets.
    pub(crate) host: Option<String>,
    /// The port.
    pub(crate) port: Option<u16>,
}

/// Reads a URL.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<ServerUrl, String> {
    let wanted = "it should read mysql://user[:password]@host[:port]";
    let url = Url::parse(text.trim())
        .map_err(|error| format!("the server's URL is malformed ({error}); {wanted}"))?;
    if !matches!(url.scheme(), "mysql" | "mariadb") {
        return Err(format!(
            "the server's URL has another scheme than mysql; {wanted}"
        ));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "the server's URL names more than a server (a schema or options after the host); {wanted}"
        ));
    }
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => Some(decode(name)?),
        Some(Host::Ipv4(address)) => Some(address.to_string()),
        Some(Host::Ipv6(address)) => Some(address.to_string()),
        _ => None,
    };
    Ok(ServerUrl {
        user: Some(decode(url.username())?).filter(|user| !user.is_empty()),
        password: url.password().map(decode).transpose()?.map(Secret::new),
        host,
        port: url.port(),
    })
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        // A bare `%` stays what it is: people paste passwords.
        let Some((hex, tail)) = rest.split_at_checked(2) else {
            bytes.push(first);
            continue;
        };
        match std::str::from_utf8(hex)
            .ok()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                rest = tail;
            }
            None => bytes.push(first),
        }
    }
    String::from_utf8(bytes).map_err(|_| "the server's URL does not decode to UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let check = |text: &str,
                     user: Option<&str>,
                     password: Option<&str>,
                     host: Option<&str>,
                     port: Option<u16>| {
            let url = parse(text).unwrap();
            assert_eq!(url.user.as_deref(), user, "{text}");
            assert_eq!(url.password.as_ref().map(Secret::expose), password, "{text}");
            assert_eq!(url.host.as_deref(), host, "{text}");
            assert_eq!(url.port, port, "{text}");
        };
        check("mysql://root@db", Some("root"), None, Some("db"), None);
        check(
            "mysql://a:b@10.0.0.1:3306",
            Some("a"),
            Some("b"),
            Some("10.0.0.1"),
            Some(3306),
        );
        check(
            "mysql://a:p%40ss%2F%25@h/",
            Some("a"),
            Some("p@ss/%"),
            Some("h"),
            None,
        );
        check("mysql://a:50%@h", Some("a"), Some("50%"), Some("h"), None);
        check("mysql://a:@h", Some("a"), None, Some("h"), None);
        check("mysql://u@[::1]:3310", Some("u"), None, Some("::1"), Some(3310));
        check("mysql://db", None, None, Some("db"), None);
        check("mariadb://u@db", Some("u"), None, Some("db"), None);
    }

    #[test]
    fn errors_do_not_repeat_the_password() {
        for wrong in [
            "db:3306",
            "root:hunter2@db",
            "http://root:hunter2@db",
            "mysql://root:hunter2@db/app",
            "mysql://root:hunter2@db?x=1",
            "mysql://root:hunter2@db:99999",
            "mysql://root:hunter2%ff@db",
            "",
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
