//! Which server is on the other side, and which version of it.

/// The two families of servers the engine works with. They share a protocol, not a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// Oracle's MySQL and its close relatives (Percona Server).
    MySql,
    /// MariaDB Server.
    MariaDb,
}

/// A server's version as `SELECT VERSION()` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// Which family the server belongs to.
    pub flavor: Flavor,
    /// Major, minor and patch number.
    pub number: (u16, u16, u16),
}

impl ServerVersion {
    /// Reads `SELECT VERSION()`'s text (`9.7.4`, `11.8.6-MariaDB-0+deb13u1`). `None` when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let flavor = if text.to_ascii_lowercase().contains("mariadb") {
            Flavor::MariaDb
        } else {
            Flavor::MySql
        };
        // Some MariaDB builds put a fake `5.5.5-` in front for old replication clients.
        let text = text.strip_prefix("5.5.5-").unwrap_or(text);
        let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u16>);
        let mut next = || parts.next()?.ok();
        Some(Self {
            flavor,
            number: (next()?, next()?, next()?),
        })
    }

    /// Whether this is at least version `major.minor.patch` of its own family.
    pub fn at_least(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.number >= (major, minor, patch)
    }
}

impl std::fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let family = match self.flavor {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb => "MariaDB",
        };
        let (major, minor, patch) = self.number;
        write!(f, "{family} {major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let check = |text: &str, expected: &str| {
            assert_eq!(
                ServerVersion::parse(text).map(|v| v.to_string()).as_deref(),
                Some(expected)
            );
        };
        check("9.7.4", "MySQL 9.7.4");
        check("8.0.39-30", "MySQL 8.0.39");
        check("11.8.6-MariaDB-0+deb13u1", "MariaDB 11.8.6");
        check("5.5.5-10.6.4-MariaDB", "MariaDB 10.6.4");
        assert_eq!(ServerVersion::parse("none"), None);
    }
}
