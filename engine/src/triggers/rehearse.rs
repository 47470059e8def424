//! Whether the triggers can be created on the altered table: tried out on an empty one like it.
//!
//! So what would be in the way (a column that the change takes away, a privilege that the account lacks to create triggers
//! in somebody else's name) is found while the table still has them all.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{Creator, Trigger};
use crate::binlog::OWN_COMMENT;
use crate::ident::quoted_text;
use crate::old_table::drop_table;
use crate::{Error, Ident, Result, ServerError, TableName, names};

/// Creates the triggers, and their stand-ins, on a table like the ghost, and drops it.
///
/// # Errors
/// [`Error::Refused`] if the server does not take one of them; those of the other statements.
pub(crate) async fn rehearse(conn: &mut Conn, source: &TableName, triggers: &[Trigger]) -> Result<()> {
    let (stage, ghost) = (names::rehearsal(source), names::ghost(source));
    drop_table(conn, &stage).await?;
    conn.query_drop(format!("CREATE TABLE {stage} LIKE {ghost} {OWN_COMMENT}"))
        .await?;
    let played = play(conn, source, &stage, triggers).await;
    drop_table(conn, &stage).await?;
    played
}

async fn play(conn: &mut Conn, source: &TableName, stage: &TableName, triggers: &[Trigger]) -> Result<()> {
    let mut creator = Creator::begin(conn).await?;
    let created = create_all(&mut creator, source, stage, triggers).await;
    creator.end().await?;
    match created {
        Err((name, Error::Answer(server))) => {
            let account: Option<String> = conn.query_first("SELECT CURRENT_USER()").await?;
            Err(Error::refused(format!(
                "its trigger {name} cannot be created on the altered table: {}{}",
                server.message,
                remedy(&server, &account.unwrap_or_default()),
            )))
        }
        Err((_, other)) => Err(other),
        Ok(()) => Ok(()),
    }
}

/// The error comes with the name of the trigger.
async fn create_all<'a>(
    creator: &mut Creator<'_>,
    source: &TableName,
    stage: &TableName,
    triggers: &'a [Trigger],
) -> Result<(), (&'a Ident, Error)> {
    for (nth, trigger) in triggers.iter().enumerate() {
        let stand_in = names::stand_in(source, nth);
        let created = async {
            creator.create_stand_in(trigger, &stand_in, stage, source).await?;
            creator.create(trigger, stage, Some(&stand_in)).await
        };
        created.await.map_err(|error| (&trigger.name, error))?;
    }
    Ok(())
}

/// 1419: with a binary log, only who has SUPER may create triggers.
const BINLOG_CREATE_ROUTINE_NEED_SUPER: u16 = 1419;
/// 1227: a privilege is missing, which the text names.
const SPECIFIC_ACCESS_DENIED: u16 = 1227;
/// What may be missing, in the order in which one is asked for instead of SUPER.
const PRIVILEGES: [&str; 4] = [
    "SET_ANY_DEFINER",
    "SET_USER_ID",
    "ALLOW_NONEXISTENT_DEFINER",
    "SYSTEM_USER",
];

/// What would let the account do it, where it is a privilege that is missing.
fn remedy(error: &ServerError, account: &str) -> String {
    let grant = |privilege: &str| {
        let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
        let (user, host) = (quoted_text(user), quoted_text(host));
        format!("; what is missing: GRANT {privilege} ON *.* TO {user}@{host}")
    };
    let is_named = |privilege: &&&str| error.message.contains(**privilege);
    match error.code {
        BINLOG_CREATE_ROUTINE_NEED_SUPER => {
            format!("{}, or log_bin_trust_function_creators=1", grant("SUPER"))
        }
        SPECIFIC_ACCESS_DENIED => PRIVILEGES
            .iter()
            .find(is_named)
            .map_or_else(String::new, |privilege| grant(privilege)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_privilege_is_named_with_its_grant() {
        let check = |code, message: &str, expected: &str| {
            let error = ServerError {
                code,
                state: "42000".to_owned(),
                message: message.to_owned(),
            };
            assert_eq!(remedy(&error, "m@x@10.0.0.%"), expected, "{message}");
        };
        check(1054, "Unknown column 'SYSTEM_USER' in 'NEW'", "");
        check(
            1227,
            "Access denied; you need (at least one of) the SUPER or SET_ANY_DEFINER privilege(s) for this operation",
            "; what is missing: GRANT SET_ANY_DEFINER ON *.* TO 'm@x'@'10.0.0.%'",
        );
        check(
            1419,
            "You do not have the SUPER privilege and binary logging is enabled",
            "; what is missing: GRANT SUPER ON *.* TO 'm@x'@'10.0.0.%', or log_bin_trust_function_creators=1",
        );
        check(1227, "Access denied; you need something unheard of", "");
    }
}
