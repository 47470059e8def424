//! Statements of others that want the source for themselves (MariaDB).
//!
//! # Why this is correct
//! Requests for the exclusive lock are granted in the order they came. It is asked after RENAME was seen to wait, so a
//! statement that is not running yet comes behind it. One that runs has its text in the process list from before its request
//! for a lock to its end; its state may say that it waits a moment later, so one that has just begun counts as well.
//! Statements that read or change rows do not matter: they wait behind a waiting exclusive request even if they came first.

use mysql_async::Conn;

use crate::processlist::{Process, processes};
use crate::{Error, Result, TableName};

/// Statements that do not take a table for themselves, by their first words. A `WITH` is a query, a `(` begins one.
const SHARING: [&str; 16] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "SHOW", "DESC", "DESCRIBE", "EXPLAIN",
    "DO", "COMMIT", "ROLLBACK", "KILL", "UNLOCK",
];

/// How long a statement that waits may still look as if it did not.
const JUST_BEGUN_SECONDS: u64 = 1;

/// # Errors
/// [`Error::Transient`] if a statement of another session may want the source for itself; those of the statement.
pub(super) async fn none(control: &mut Conn, own: &[u32], source: &TableName) -> Result<()> {
    let sessions = processes(control).await?;
    let rival = sessions
        .iter()
        .find(|session| !own.iter().any(|id| session.id == u64::from(*id)) && is_rival(session, source));
    match rival {
        None => Ok(()),
        Some(rival) => Err(Error::Transient(mysql_async::Error::Other(
            format!("session {} wants the table for itself: {}", rival.id, rival.info).into(),
        ))),
    }
}

fn is_rival(session: &Process, source: &TableName) -> bool {
    if !session.is_running() {
        return false;
    }
    let text = session
        .info
        .trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    let first: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    if SHARING.iter().any(|word| first.eq_ignore_ascii_case(word)) {
        return false;
    }
    let waits = session.state.contains("metadata lock");
    // Behind these is another statement, which may name the table where it cannot be seen.
    let hides = ["CALL", "EXECUTE", "BEGIN"];
    let names_it = || {
        text.to_lowercase()
            .contains(&source.table.as_str().to_lowercase())
    };
    waits && hides.iter().any(|word| first.eq_ignore_ascii_case(word))
        || (waits || session.seconds <= JUST_BEGUN_SECONDS) && names_it()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_the_table_for_itself() {
        let check_after = |seconds: u64, command: &str, state: &str, info: &str, expected: bool| {
            let session = Process {
                id: 7,
                user: String::new(),
                command: command.to_owned(),
                seconds,
                state: state.to_owned(),
                info: info.to_owned(),
            };
            assert_eq!(
                is_rival(&session, &TableName::new("app", "Orders")),
                expected,
                "{info}"
            );
        };
        let check = |command: &str, state: &str, info: &str, expected: bool| {
            check_after(0, command, state, info, expected);
        };
        const WAITS: &str = "Waiting for table metadata lock";
        check("Query", WAITS, "TRUNCATE orders", true);
        check("Query", "", "truncate TABLE `app`.`Orders`", true);
        check("Query", WAITS, "RENAME TABLE x TO y, orders TO z", true);
        check("Execute", WAITS, "DROP TABLE orders", true);
        check("Query", WAITS, "/* c */ TRUNCATE orders", true);
        check("Query", WAITS, "CALL empty_it()", true);
        check("Query", "", "CALL empty_it()", false);
        check("Query", WAITS, "UPDATE orders SET a=1", false);
        check("Query", WAITS, " (select * from orders)", false);
        check("Query", WAITS, "TRUNCATE other", false);
        check("Sleep", "", "", false);
        check_after(
            60,
            "Query",
            "altering table",
            "ALTER TABLE u COMMENT 'see orders'",
            false,
        );
        check_after(60, "Query", WAITS, "TRUNCATE orders", true);
    }
}
