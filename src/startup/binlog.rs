//! Does the binary log show every changed row?
//!
//! Changes are followed in the binary log, so a log that is off, that holds statements in place of rows, or that
//! leaves schemas out would hide changes. Every `binlog_row_image` will do: only keys are taken from the log.

use super::Finding;
use super::facts::Facts;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if !facts.log_bin {
        return vec![Finding::fatal(
            "the binary log is off, and changes are followed in it",
            "set log_bin in the server's option file and restart it",
        )];
    }
    let mut found = Vec::new();
    if !facts.binlog_format.eq_ignore_ascii_case("ROW") {
        found.push(Finding::fatal(
            format!(
                "the binary log holds statements (binlog_format={}), and rows are needed",
                facts.binlog_format
            ),
            "SET GLOBAL binlog_format='ROW'; and let clients connect anew",
        ));
    }
    if facts.server_id == 0 {
        found.push(Finding::fatal(
            "server_id is 0, and such a server sends its binary log to nobody",
            "SET GLOBAL server_id=1;",
        ));
    }
    if !facts.binlog_filter.is_empty() {
        found.push(Finding::fatal(
            format!(
                "the binary log is filtered by schema ({}), which hides changes",
                facts.binlog_filter
            ),
            "remove binlog-do-db and binlog-ignore-db from the server's options and restart it",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Facts {
        Facts {
            log_bin: true,
            binlog_format: "ROW".to_owned(),
            server_id: 1,
            ..Facts::default()
        }
    }

    #[test]
    fn what_hides_changes_is_found() {
        let check = |facts: Facts, expected: &[&str]| {
            let remedies: Vec<String> = super::check(&facts).into_iter().map(|f| f.what).collect();
            assert_eq!(remedies.len(), expected.len(), "{remedies:?}");
            for (what, expected) in remedies.iter().zip(expected) {
                assert!(what.contains(expected), "{what}");
            }
        };
        check(sound(), &[]);
        check(
            Facts {
                log_bin: false,
                ..sound()
            },
            &["is off"],
        );
        check(
            Facts {
                binlog_format: "row".to_owned(),
                ..sound()
            },
            &[],
        );
        check(
            Facts {
                binlog_format: "MIXED".to_owned(),
                server_id: 0,
                binlog_filter: "app".to_owned(),
                ..sound()
            },
            &["MIXED", "server_id", "app"],
        );
    }
}
