//! Several statements in one round trip.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::Result;
use crate::error::{DEADLOCK, Error, LOCK_NOWAIT, LOCK_WAIT_TIMEOUT};

/// What one statement of a batch was answered.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// `Records:` of the info text, which INSERT … SELECT has.
    pub(super) records: Option<u64>,
    /// The number of warnings.
    pub(super) warnings: u16,
    /// The rows of a result set.
    pub(super) rows: Vec<Row>,
}

/// Runs `statements`, in order, up to the first that fails. A failure leaves the transaction open.
pub(super) async fn run(conn: &mut Conn, statements: &[String]) -> Result<Vec<Reply>> {
    let mut result = conn.query_iter(statements.join("; ")).await?;
    let mut replies = Vec::with_capacity(statements.len());
    while replies.len() < statements.len() {
        let mut reply = Reply {
            records: records(&result.info()),
            warnings: result.warnings(),
            rows: Vec::new(),
        };
        reply.rows = result.collect::<Row>().await?;
        replies.push(reply);
    }
    result.drop_result().await?;
    Ok(replies)
}

/// Like [`run`]; after a failure the transaction is rolled back, so that its locks are gone before anything else
/// is done or waited for.
pub(super) async fn run_or_roll_back(conn: &mut Conn, statements: &[String]) -> Result<Vec<Reply>> {
    match run(conn, statements).await {
        Ok(replies) => Ok(replies),
        Err(error) => {
            if error.server().is_some() {
                conn.query_drop("ROLLBACK").await?;
            }
            Err(error)
        }
    }
}

/// Whether `error` says that a lock was not to be had: trying the same again can help, on the same connection.
pub(super) fn is_lock_conflict(error: &Error) -> bool {
    let code = error.server().map(|server| server.code);
    matches!(code, Some(LOCK_WAIT_TIMEOUT | DEADLOCK | LOCK_NOWAIT))
}

fn records(info: &str) -> Option<u64> {
    let digits = info.strip_prefix("Records: ")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_from_the_info_text() {
        let check = |info: &str, expected: Option<u64>| assert_eq!(records(info), expected, "{info}");
        check("Records: 15  Duplicates: 0  Warnings: 2", Some(15));
        check("Records: 7", Some(7));
        check("", None);
        check("Rows matched: 3  Changed: 3  Warnings: 0", None);
    }
}
