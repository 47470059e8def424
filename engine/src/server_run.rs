//! Which run of a server this is, from one start of it to the next.
//!
//! # Why it matters
//! Between two runs a server may lose what it had not made durable, or be put back to an older state, and then write other
//! transactions under the numbers of those it lost: no GTID and no place in its log shows that. What was done in one run
//! is known to be there only in that run. The record of a migration lies in the same server, and is as old as everything else
//! in it: so after a new start that is what the migration goes on from, and nothing that this process remembers.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::{Error, Result};

/// The clock and the uptime count whole seconds, and are read one after the other.
const TOLERANCE_SECONDS: i64 = 2;

/// A run of a server, by the time of its start. A clock that is set means a new run; then work is taken up without need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerRun {
    started_seconds: i64,
}

impl ServerRun {
    /// The run of the server that `conn` leads to.
    ///
    /// # Errors
    /// Those of the queries.
    pub(crate) async fn of(conn: &mut Conn) -> Result<Self> {
        let now: Option<i64> = conn.query_first("SELECT UNIX_TIMESTAMP()").await?;
        let row: Option<Row> = conn.query_first("SHOW GLOBAL STATUS LIKE 'Uptime'").await?;
        let uptime: Option<i64> = row.and_then(|row| row.get_opt(1)?.ok());
        match (now, uptime) {
            (Some(now), Some(uptime)) => Ok(Self {
                started_seconds: now - uptime,
            }),
            _ => Err(Error::fatal("the server does not tell how long it has been up")),
        }
    }

    /// Whether both are the same run.
    pub(crate) fn is(self, other: Self) -> bool {
        self.started_seconds.abs_diff(other.started_seconds) <= TOLERANCE_SECONDS.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_by_its_start() {
        let check = |a: i64, b: i64, expected: bool| {
            let run = |started_seconds| ServerRun { started_seconds };
            assert_eq!(run(a).is(run(b)), expected);
        };
        check(1_000_000, 1_000_000, true);
        check(1_000_000, 1_000_002, true);
        check(1_000_000, 999_999, true);
        check(1_000_000, 1_000_003, false);
        check(1_000_000, 5, false);
    }
}
