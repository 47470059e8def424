//! May alterego's account do everything a migration takes?
//!
//! `SHOW GRANTS` is the server's own answer and includes the grants of active roles on both families. Only grants
//! `ON *.*` count: any table a client may alter can be the next one, and its ghost lives in a schema of its own.

use std::collections::BTreeSet;

use alterego_engine::Flavor;

use super::Finding;
use super::facts::Facts;

/// A privilege, and what it is for as the end of "needed to …".
struct Need {
    privilege: &'static str,
    purpose: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        privilege: "SELECT",
        purpose: "read the table",
    },
    Need {
        privilege: "INSERT",
        purpose: "fill the ghost table",
    },
    Need {
        privilege: "UPDATE",
        purpose: "keep the state of migrations",
    },
    Need {
        privilege: "DELETE",
        purpose: "remove deleted rows from the ghost table",
    },
    Need {
        privilege: "CREATE",
        purpose: "create the ghost table",
    },
    Need {
        privilege: "DROP",
        purpose: "swap the tables and drop the old one",
    },
    Need {
        privilege: "CREATE TEMPORARY TABLES",
        purpose: "convert values the way the server does, for the comparison",
    },
    Need {
        privilege: "ALTER",
        purpose: "alter the ghost table and swap the tables",
    },
    Need {
        privilege: "INDEX",
        purpose: "create and drop indexes",
    },
    Need {
        privilege: "TRIGGER",
        purpose: "see whether a table has triggers",
    },
    Need {
        privilege: "LOCK TABLES",
        purpose: "hold writes for the moment of the swap",
    },
    Need {
        privilege: "PROCESS",
        purpose: "see long transactions before the swap",
    },
    Need {
        privilege: "REPLICATION SLAVE",
        purpose: "read the binary log",
    },
    Need {
        privilege: "REPLICATION CLIENT",
        purpose: "read the binary log's position",
    },
];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let held = held_globally(&facts.grants);
    let mariadb = facts
        .version
        .is_some_and(|version| version.flavor == Flavor::MariaDb);
    let account = quoted_account(&facts.account);
    NEEDS
        .iter()
        .filter(|need| !held.contains("ALL PRIVILEGES") && !held.contains(need.privilege))
        .map(|need| {
            let privilege = local_name(need.privilege, mariadb);
            Finding::fatal(
                format!(
                    "the account {account} lacks {privilege} on *.*, needed to {}",
                    need.purpose
                ),
                format!("GRANT {privilege} ON *.* TO {account};"),
            )
        })
        .collect()
}

/// MariaDB renamed some privileges; it takes the old names but shows the new.
fn local_name(privilege: &'static str, mariadb: bool) -> &'static str {
    match privilege {
        "REPLICATION CLIENT" if mariadb => "BINLOG MONITOR",
        other => other,
    }
}

/// The privileges held on `*.*`, under MySQL's names.
fn held_globally(grants: &[String]) -> BTreeSet<String> {
    grants
        .iter()
        .filter_map(|line| global_privileges(line))
        .flat_map(|list| list.split(','))
        .map(|privilege| match privilege.trim() {
            "ALL" => "ALL PRIVILEGES".to_owned(),
            "BINLOG MONITOR" => "REPLICATION CLIENT".to_owned(),
            "REPLICATION REPLICA" => "REPLICATION SLAVE".to_owned(),
            other => other.to_owned(),
        })
        .collect()
}

/// The list in `GRANT list ON *.* TO …`. A line that grants a role, a proxy or a lesser scope has none: the quotes of
/// a name come before any ` ON *.* TO ` such a name could hold.
fn global_privileges(line: &str) -> Option<&str> {
    let (list, _) = line.strip_prefix("GRANT ")?.split_once(" ON *.* TO ")?;
    (!list.contains(['`', '\'', '"', '('])).then_some(list)
}

/// `name@host` as a statement names it. Host names hold no `@`, user names may.
pub(crate) fn quoted_account(account: &str) -> String {
    let (name, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    format!("{}@{}", quoted(name), quoted(host))
}

#[cfg(test)]
mod tests {
    use alterego_engine::ServerVersion;

    use super::*;

    const WITHOUT_TRIGGER: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, PROCESS, INDEX, ALTER, LOCK TABLES, CREATE TEMPORARY TABLES, \
                                   REPLICATION SLAVE";

    fn missing(version: &str, grants: &[&str]) -> Vec<String> {
        let facts = Facts {
            version: ServerVersion::parse(version),
            account: "m@%".to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            ..Facts::default()
        };
        check(&facts).into_iter().map(|finding| finding.remedy).collect()
    }

    #[test]
    fn missing_privileges_are_named_with_their_grant() {
        let check = |version: &str, grants: &[&str], expected: &[&str]| {
            assert_eq!(missing(version, grants), expected, "{grants:?}");
        };
        let (mysql, mariadb) = ("9.7.4", "11.8.6-MariaDB");
        let most = format!("GRANT {WITHOUT_TRIGGER} ON *.* TO `m`@`%`");
        let trigger = "GRANT TRIGGER ON *.* TO 'm'@'%';";
        check(
            mysql,
            &["GRANT ALL PRIVILEGES ON *.* TO `m`@`%` WITH GRANT OPTION"],
            &[],
        );
        check(
            mysql,
            &[&most, "GRANT TRIGGER, REPLICATION CLIENT ON *.* TO `m`@`%`"],
            &[],
        );
        check(
            mysql,
            &[&most, "GRANT REPLICATION CLIENT ON *.* TO `m`@`%`"],
            &[trigger],
        );
        check(
            mysql,
            &[&most, "GRANT TRIGGER ON *.* TO `m`@`%`"],
            &["GRANT REPLICATION CLIENT ON *.* TO 'm'@'%';"],
        );
        check(
            mariadb,
            &[
                &most,
                "GRANT TRIGGER, BINLOG MONITOR ON *.* TO `m`@`%` IDENTIFIED BY PASSWORD '*1'",
            ],
            &[],
        );
        check(
            mariadb,
            &[&most, "GRANT TRIGGER ON *.* TO `m`@`%`"],
            &["GRANT BINLOG MONITOR ON *.* TO 'm'@'%';"],
        );
        // A role's own line counts, as the server lists it while the role is active.
        check(
            mariadb,
            &[
                &most,
                "GRANT `r` TO `m`@`%`",
                "GRANT TRIGGER, BINLOG MONITOR ON *.* TO `r`",
            ],
            &[],
        );
        // A lesser scope does not, nor does a role whose name reads like a grant.
        check(
            mysql,
            &[
                &most,
                "GRANT REPLICATION CLIENT ON *.* TO `m`@`%`",
                "GRANT TRIGGER ON `app`.* TO `m`@`%`",
            ],
            &[trigger],
        );
        check(
            mysql,
            &[
                &most,
                "GRANT REPLICATION CLIENT ON *.* TO `m`@`%`",
                "GRANT `TRIGGER ON *.* TO `@`%` TO `m`@`%`",
            ],
            &[trigger],
        );
        assert_eq!(
            missing(mysql, &["GRANT USAGE ON *.* TO `m`@`%`"]).len(),
            NEEDS.len()
        );
    }

    #[test]
    fn accounts_are_quoted() {
        let check = |account: &str, expected: &str| assert_eq!(quoted_account(account), expected);
        check("m@%", "'m'@'%'");
        check("a@b@10.0.0.%", "'a@b'@'10.0.0.%'");
        check("o'x@h", r"'o\'x'@'h'");
    }
}
