//! Statements of others that want the source for themselves (MariaDB).
//!
//! # Why this is correct
//! Requests for a table are granted in the order they came, if both want it for themselves. It is asked after RENAME was
//! seen to wait, so a statement that is not running yet comes behind it. One that runs has its text in the process list
//! from before its request for a lock to its end; its state may say that it waits a moment later, so one that has just
//! begun counts as well. Statements that read or change rows do not matter: they wait behind a waiting RENAME even if
//! they came first.
//!
//! `LOCK TABLES … WRITE` matters like TRUNCATE: it would go first, and what its session writes then would not be in the
//! ghost any more.

use mysql_async::Conn;

use crate::binlog::{Token, tokens};
use crate::processlist::{Process, processes};
use crate::{Error, Result, TableName, names};

/// Statements that do not take a table for themselves, by their first words. A `WITH` is a query.
const SHARING: [&str; 16] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "SHOW", "DESC", "DESCRIBE", "EXPLAIN",
    "DO", "COMMIT", "ROLLBACK", "KILL", "UNLOCK",
];

/// Behind these is another statement, which may name the table where it cannot be seen.
const HIDING: [&str; 9] = [
    "CALL", "EXECUTE", "BEGIN", "IF", "CASE", "WHILE", "FOR", "LOOP", "REPEAT",
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

/// Whether a session runs such a statement: a client's, an event's or a replica's.
fn is_rival(session: &Process, source: &TableName) -> bool {
    let waits = session.state.contains("metadata lock");
    if !waits && session.seconds > JUST_BEGUN_SECONDS {
        return false;
    }
    tokens(session.info.as_bytes(), 0)
        .split(|token| *token == Token::Symbol(b';'))
        .map(without_prefix)
        .any(|statement| {
            let first = statement.first();
            let is_one_of =
                |words: &[&str]| first.is_some_and(|first| words.iter().any(|word| first.is(word)));
            !is_one_of(&SHARING) && (is_named(statement, source) || waits && is_one_of(&HIDING))
        })
}

/// The statement without the parentheses a query may begin with, and without `SET STATEMENT … FOR`.
fn without_prefix(tokens: &[Token]) -> &[Token] {
    match tokens {
        [Token::Symbol(b'('), rest @ ..] => without_prefix(rest),
        [set, statement, rest @ ..] if set.is("SET") && statement.is("STATEMENT") => {
            let settings = rest.iter().take_while(|token| !token.is("FOR")).count();
            rest.get(settings + 1..).map_or(tokens, without_prefix)
        }
        _ => tokens,
    }
}

/// Whether the statement names the source, or drops a schema of its schema's name.
fn is_named(statement: &[Token], source: &TableName) -> bool {
    let drops = statement.first().is_some_and(|first| first.is("DROP"));
    let is = |token: &Token, name: &str| {
        let token = token.name().map(String::from_utf8_lossy);
        token.is_some_and(|token| token.to_lowercase() == name.to_lowercase())
    };
    // Behind a quoted name of another schema it is another table, as it is in every statement of a migration elsewhere. A bare
    // word there may be none (`TRUNCATE .t`). The ghost changes places in the same RENAME.
    let own = [source.clone(), names::ghost(source), names::old(source)].map(|table| table.schema);
    let is_elsewhere = |at: usize| match at.checked_sub(2).and_then(|from| statement.get(from..at)) {
        Some([qualifier @ Token::Quoted(_), Token::Symbol(b'.')]) => {
            !own.iter().any(|schema| is(qualifier, schema.as_str()))
        }
        _ => false,
    };
    let named = |(at, token): (usize, &Token)| {
        is(token, source.table.as_str()) && !is_elsewhere(at) || drops && is(token, source.schema.as_str())
    };
    statement.iter().enumerate().any(named)
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
        check("Query", WAITS, "TRUNCATE `other`.`orders`", false);
        check(
            "Query",
            WAITS,
            "ALTER TABLE `x__ghost`.`orders` FORCE /* alterego */",
            false,
        );
        check("Query", WAITS, "TRUNCATE `app__ghost`.orders", true);
        check(
            "Query",
            WAITS,
            "RENAME TABLE `other`.`orders` TO `x`.`y`, `APP`.`orders` TO z",
            true,
        );
        check("Query", WAITS, "TRUNCATE other.orders", true);
        check("Query", WAITS, "TRUNCATE .orders", true);
        check("Execute", WAITS, "DROP TABLE orders", true);
        check("Query", WAITS, "/* c */ TRUNCATE orders", true);
        check("Query", WAITS, "CALL empty_it()", true);
        check("Query", "", "CALL empty_it()", false);
        check("Query", WAITS, "UPDATE orders SET a=1", false);
        check("Query", WAITS, " (select * from orders)", false);
        check("Query", WAITS, "TRUNCATE other", false);
        check("Query", WAITS, "LOCK TABLES other READ, orders WRITE", true);
        check("Query", WAITS, "DROP DATABASE app", true);
        check("Query", "", "SELECT 1; TRUNCATE orders", true);
        check(
            "Query",
            "",
            "SET STATEMENT max_statement_time=0 FOR SELECT GET_LOCK('orders', 1) FROM orders",
            false,
        );
        check(
            "Query",
            "",
            "SET STATEMENT lock_wait_timeout=1 FOR TRUNCATE orders",
            true,
        );
        check("Query", "", "TRUNCATE reorders", false);
        check("Connect", WAITS, "TRUNCATE orders", true);
        check("Slave_SQL", WAITS, "TRUNCATE orders", true);
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
