//! Is this a server the engine knows?
//!
//! MySQL 8.0 brought atomic DDL and `NOWAIT`, which the copy and the cut-over stand on; MariaDB 10.6 brought atomic
//! DDL there.

use alterego_engine::Flavor;

use super::Finding;
use super::facts::Facts;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let remedy = "alterego works with MySQL 8.0 or later and MariaDB 10.6 or later";
    let Some(version) = facts.version else {
        let what = format!(
            "the server calls itself `{}`, which is no version of MySQL or MariaDB",
            facts.version_text
        );
        return vec![Finding::fatal(what, remedy)];
    };
    let supported = match version.flavor {
        Flavor::MySql => version.at_least(8, 0, 0),
        Flavor::MariaDb => version.at_least(10, 6, 0),
    };
    if supported {
        Vec::new()
    } else {
        vec![Finding::fatal(
            format!("the server is {version}, which is not supported"),
            remedy,
        )]
    }
}

#[cfg(test)]
mod tests {
    use alterego_engine::ServerVersion;

    use super::*;

    #[test]
    fn old_servers_are_refused() {
        let check = |text: &str, supported: bool| {
            let facts = Facts {
                version_text: text.to_owned(),
                version: ServerVersion::parse(text),
                ..Facts::default()
            };
            assert_eq!(super::check(&facts).is_empty(), supported, "{text}");
        };
        check("9.7.4", true);
        check("8.0.11", true);
        check("8.0.39-30", true);
        check("5.7.44-log", false);
        check("10.6.0-MariaDB", true);
        check("5.5.5-10.5.28-MariaDB", false);
        check("11.8.6-MariaDB-0+deb13u1", true);
        check("something", false);
    }
}
