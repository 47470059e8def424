//! Writing to the ghost on the session that holds LOCK TABLES … WRITE on source and ghost.
//!
//! # Why this is correct
//! Nobody else reads or writes either table, so neither row locks nor NOWAIT are needed, and the order of the
//! statements does not matter: all keys are deleted before the first is inserted, so no stale row of one batch
//! is in the way of another. A duplicate that is left is one in the data.
//!
//! # Invariant
//! No statement here begins a transaction: `START TRANSACTION` gives up LOCK TABLES on both servers, while
//! `autocommit=0` and COMMIT keep them.

use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::batch;
use super::message::rename_ghost;
use super::native;
use super::sql::{Locking, RowSet, Sql};
use crate::error::ServerError;
use crate::key::Key;
use crate::plan::Plan;
use crate::{Error, Flavor, Result};

/// How many keys one statement names.
pub(super) const KEYS_PER_STATEMENT: usize = 500;

/// Makes the ghost's rows with these keys the source's, committed when this returns, on a connection that holds
/// LOCK TABLES … WRITE on both and has the settings of [`crate::session::Upstream::worker`]. Returns the rows written.
///
/// # Errors
/// [`Error::Answer`] where the data refuses the change; [`Error::Transient`] when the connection is lost.
pub async fn keys_on(conn: &mut Conn, plan: &Arc<Plan>, flavor: Flavor, keys: &[Key]) -> Result<u64> {
    if keys.is_empty() {
        return Ok(0);
    }
    let sql = Sql::new(plan.clone(), flavor);
    conn.query_drop("SET SESSION autocommit=0").await?;
    let written = write(conn, &sql, keys).await;
    let end = match written {
        Ok(_) => "COMMIT; SET SESSION autocommit=1",
        Err(_) => "ROLLBACK; SET SESSION autocommit=1",
    };
    let ended = conn.query_drop(end).await;
    if let Err(error) = written {
        let error = native::worded(conn, &sql, &RowSet::keys(keys), Err(error)).await;
        return error
            .map(|written| written.rows)
            .map_err(|error| renamed(error, plan));
    }
    ended?;
    written
}

async fn write(conn: &mut Conn, sql: &Sql, keys: &[Key]) -> Result<u64> {
    let sets: Vec<RowSet> = keys.chunks(KEYS_PER_STATEMENT).map(RowSet::keys).collect();
    for set in &sets {
        batch::run(conn, &[sql.delete(set)]).await?;
    }
    let mut rows = 0;
    for set in &sets {
        let insert = sql.insert(set, sql.verb(), Locking::None);
        let replies = batch::run(conn, &[insert]).await?;
        rows += replies.iter().filter_map(|reply| reply.records).sum::<u64>();
    }
    Ok(rows)
}

fn renamed(error: Error, plan: &Plan) -> Error {
    match error {
        Error::Answer(server) => Error::Answer(ServerError {
            message: rename_ghost(&server.message, plan),
            ..server
        }),
        other => other,
    }
}
