//! `SELECT` of things a connection knows about itself: `@@variable`, a few functions, literals.
//!
//! Enough for what clients and drivers ask when they connect; there are no tables.

use alterego_proxy::hooks::Grid;

use super::greeting::VERSION;
use super::statement::Wrong;
use super::variables::{self, Session};

/// Answers `SELECT item [AS name], … [LIMIT n]`.
pub(super) fn answer(text: &str, session: &Session) -> Result<Grid, Wrong> {
    let list = text.get("SELECT".len()..).ok_or(Wrong::Unknown)?;
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for item in without_limit(list).split(',') {
        let (expression, name) = named(item.trim());
        values.push(value(expression, session)?);
        columns.push(name.to_owned());
    }
    Ok(Grid {
        columns,
        rows: vec![values],
    })
}

fn without_limit(list: &str) -> &str {
    match list.to_ascii_lowercase().rfind(" limit ") {
        Some(at) => list.get(..at).unwrap_or(list),
        None => list,
    }
}

/// An item's expression and the name of its column.
fn named(item: &str) -> (&str, &str) {
    match item.to_ascii_lowercase().find(" as ") {
        Some(at) => match (item.get(..at), item.get(at + 4..)) {
            (Some(expression), Some(name)) => (expression.trim(), name.trim().trim_matches(['`', '\'', '"'])),
            _ => (item, item),
        },
        None => (item, item),
    }
}

fn value(expression: &str, session: &Session) -> Result<Option<String>, Wrong> {
    if let Some(variable) = expression.strip_prefix("@@") {
        let name = variable.rsplit('.').next().unwrap_or(variable).trim_matches('`');
        return variables::one(name, session).ok_or_else(|| Wrong::Variable(name.to_owned()));
    }
    let quoted = |quote: char| expression.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(text) = quoted('\'').or_else(|| quoted('"')) {
        return Ok(Some(text.to_owned()));
    }
    if !expression.is_empty() && expression.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Some(expression.to_owned()));
    }
    match expression.to_ascii_lowercase().replace(' ', "").as_str() {
        "version()" => Ok(Some(VERSION.to_owned())),
        "user()" | "current_user()" | "current_user" | "session_user()" => {
            Ok(Some(format!("{}@localhost", session.user)))
        }
        "connection_id()" => Ok(Some(session.connection_id.to_string())),
        "database()" | "schema()" | "null" => Ok(None),
        _ => Err(Wrong::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_ask_is_answered() {
        let session = Session {
            user: "admin".to_owned(),
            connection_id: 7,
        };
        let check = |text: &str, columns: &[&str], row: &[Option<&str>]| {
            let grid = answer(text, &session).unwrap();
            assert_eq!(grid.columns, columns, "{text}");
            let values: Vec<Option<&str>> = grid.rows[0].iter().map(Option::as_deref).collect();
            assert_eq!(values, row, "{text}");
        };
        check("SELECT 1", &["1"], &[Some("1")]);
        check("select 'a' as `b` limit 1", &["b"], &[Some("a")]);
        check(
            "select DATABASE(), USER() limit 1",
            &["DATABASE()", "USER()"],
            &[None, Some("admin@localhost")],
        );
        check(
            "SELECT @@max_allowed_packet,@@wait_timeout",
            &["@@max_allowed_packet", "@@wait_timeout"],
            &[Some("65536"), Some("28800")],
        );
        check(
            "SELECT  @@session.autocommit AS autocommit, CONNECTION_ID()",
            &["autocommit", "CONNECTION_ID()"],
            &[Some("1"), Some("7")],
        );
        for wrong in [
            "SELECT",
            "SELECT ,",
            "SELECT *",
            "SELECT 1 FROM t",
            "SELECT sleep(1)",
            "SELECT 'é as ",
        ] {
            assert!(answer(wrong, &session).is_err(), "{wrong}");
        }
    }
}
