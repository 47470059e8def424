//! The few statements the endpoint understands.

use alterego_proxy::hooks::Grid;

use super::select;
use super::variables::{self, Session};
use crate::health::FORM;

/// A statement that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// The rows come from the status source, as those below.
    ShowMigrations,
    /// Who goes where.
    ShowRoutes,
    /// What is known of the servers.
    ShowUpstreams,
    /// The rows are known already.
    Rows(Grid),
    /// Settings of a session that has none: taken without effect, because drivers begin with them.
    Accepted,
}

/// Why a statement is answered with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Not one of ours.
    Unknown,
    /// A system variable the endpoint has not.
    Variable(String),
}

/// Understands `text`.
pub(super) fn understand(text: &str, session: &Session) -> Result<Statement, Wrong> {
    let text = bare(text);
    let words: Vec<String> = text
        .split_whitespace()
        .take(4)
        .map(str::to_ascii_uppercase)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["SHOW", "MIGRATIONS"] => Ok(Statement::ShowMigrations),
        ["SHOW", "ROUTES"] => Ok(Statement::ShowRoutes),
        ["SHOW", "UPSTREAMS"] => Ok(Statement::ShowUpstreams),
        ["SHOW", "WARNINGS" | "ERRORS", ..] => Ok(Statement::Rows(grid(&["Level", "Code", "Message"]))),
        ["SHOW", "VARIABLES", ..] | ["SHOW", "GLOBAL" | "SESSION" | "LOCAL", "VARIABLES", ..] => {
            Ok(Statement::Rows(show_variables(text, session)))
        }
        ["SELECT", ..] => select::answer(text, session).map(Statement::Rows),
        ["SET", ..] => Ok(Statement::Accepted),
        ["HELP", ..] | ["?", ..] => Ok(Statement::Rows(help())),
        _ => Err(Wrong::Unknown),
    }
}

/// The statement without the comments before it and the semicolons behind it.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let rest = if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, rest)| rest)
        } else if text.starts_with("-- ") || text.starts_with('#') {
            text.split_once('\n').map(|(_, rest)| rest)
        } else {
            None
        };
        match rest {
            Some(rest) => text = rest.trim_start(),
            None => return text.trim_end_matches([';', '\0', ' ', '\n', '\t', '\r']),
        }
    }
}

fn show_variables(text: &str, session: &Session) -> Grid {
    let pattern = text
        .split_once(['\'', '"'])
        .map(|(_, rest)| rest.trim_end_matches(['\'', '"']));
    let mut rows = grid(&["Variable_name", "Value"]);
    for (name, value) in variables::all(session) {
        if pattern.is_none_or(|pattern| like(&pattern.to_ascii_lowercase(), name)) {
            rows.rows.push(vec![Some(name.to_owned()), value]);
        }
    }
    rows
}

/// SQL's LIKE, for the short names of variables.
fn like(pattern: &str, text: &str) -> bool {
    let mut pattern_chars = pattern.chars();
    match pattern_chars.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = pattern_chars.as_str().trim_start_matches('%');
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| like(rest, &text[at..]))
        }
        Some(c) => {
            let mut text_chars = text.chars();
            text_chars.next().is_some_and(|t| c == '_' || c == t)
                && like(pattern_chars.as_str(), text_chars.as_str())
        }
    }
}

fn help() -> Grid {
    let mut rows = grid(&["statement", "what it does"]);
    for (statement, what) in [
        ("SHOW MIGRATIONS", "the schema changes under way and lately ended"),
        ("SHOW ROUTES", "the rules that say which connection goes where"),
        ("SHOW UPSTREAMS", "the servers, what they are and how they do"),
        (FORM, "lets a server be the primary though it lacks those"),
        (
            "SHOW VARIABLES [LIKE '...']",
            "what this endpoint tells drivers about itself",
        ),
        ("HELP", "this list"),
    ] {
        rows.rows
            .push(vec![Some(statement.to_owned()), Some(what.to_owned())]);
    }
    rows
}

/// One row with one text.
pub(super) fn said(text: String) -> Grid {
    Grid {
        rows: vec![vec![Some(text)]],
        ..grid(&["message"])
    }
}

fn grid(columns: &[&str]) -> Grid {
    Grid {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_understood() {
        let session = Session {
            user: "admin".to_owned(),
            connection_id: 7,
        };
        let check = |text: &str, expected: &str| {
            let found = match understand(text, &session) {
                Ok(Statement::ShowMigrations) => "migrations".to_owned(),
                Ok(Statement::ShowRoutes) => "routes".to_owned(),
                Ok(Statement::ShowUpstreams) => "upstreams".to_owned(),
                Ok(Statement::Accepted) => "accepted".to_owned(),
                Ok(Statement::Rows(grid)) => format!("{} x {}", grid.columns.len(), grid.rows.len()),
                Err(wrong) => format!("{wrong:?}"),
            };
            assert_eq!(found, expected, "{text}");
        };
        check("show migrations", "migrations");
        check("/* who */ -- why\n SHOW\n  MIGRATIONS ;\0", "migrations");
        check("show routes", "routes");
        check("SHOW UPSTREAMS;", "upstreams");
        check("SHOW MIGRATIONS LIKE 'x'", "Unknown");
        check("show warnings limit 3", "3 x 0");
        check("SHOW VARIABLES LIKE 'version'", "2 x 1");
        check("SHOW SESSION VARIABLES LIKE \"ver%\"", "2 x 2");
        check("SET NAMES utf8mb4", "accepted");
        check("help 'contents'", "2 x 6");
        check("select @@version_comment limit 1", "1 x 1");
        check("select @@nothing", "Variable(\"nothing\")");
        check("SELECT * FROM t", "Unknown");
        check("DROP TABLE t", "Unknown");
        check("/* unfinished", "Unknown");
        check("", "Unknown");
    }

    #[test]
    fn patterns_match() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(like(pattern, text), expected, "{pattern}")
        };
        check("a%", "abc", true);
        check("%c", "abc", true);
        check("a_c", "abc", true);
        check("%", "", true);
        check("a", "abc", false);
        check("%%x", "abc", false);
    }
}
