//! Duplicates on a unique key that the ghost has and the source has not.
//!
//! # How a stale row is told from a duplicate
//! A row of the set meets a ghost row with the same value. That ghost row may be *stale*: its source row has changed
//! since, and the change is still to be reconciled. Or the data holds the value twice, and the answer is 1062.
//!
//! The server itself says which ghost row is in the way (`ON DUPLICATE KEY UPDATE` notes both keys). Its key joins
//! the set, and the set is made anew: a stale row becomes right by that and the conflict is gone. Only one thing is
//! taken for a duplicate: two rows, both locked in the source *before* both were deleted from the ghost, conflict
//! with each other when they are inserted. From the locks on neither changes in the source; whatever another engine
//! writer puts into the ghost for them after the delete, it read under locks that overlap ours, so it is the same
//! row. So both rows hold the value, in the source, at one moment. Then the server's own error is the answer.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::backoff::Backoff;
use super::batch::{self, Reply};
use super::sql::{HIT, Locking, RowSet, Sql, Verb};
use super::written::{Written, written};
use crate::error::DUPLICATE_ENTRY;
use crate::key::{self, Key};
use crate::{Error, Result};

/// How often a set is widened: stale rows can be in each other's way in a chain, which is then walked row by row.
const ROUNDS_MAX: usize = 1000;

/// How often a proof is begun anew: with every row that turns out to hold the value, or another unique key's, too.
const PROOF_ROUNDS_MAX: usize = 50;

/// The row that could not be inserted, and the ghost row in its way.
struct Hit {
    own: Key,
    other: Key,
    /// Whether `other` is in the set being written.
    inside: bool,
}

/// What came of one attempt.
enum Attempt {
    Written(Written),
    Hit(Hit),
    /// There was a conflict, and it has gone before it could be looked at.
    Gone,
}

/// Makes the ghost's rows of `set` the source's, and those of every stale row that is in the way.
///
/// # Errors
/// [`Error::Answer`] with the server's 1062 if two source rows hold the same value; a lock conflict as it comes.
pub(super) async fn resolve(conn: &mut Conn, sql: &Sql, set: &RowSet) -> Result<Written> {
    let mut stale = Vec::new();
    let mut backoff = Backoff::for_locks();
    for _ in 0..ROUNDS_MAX {
        let attempt = attempt(conn, sql, set, &stale).await;
        match roll_back_on_error(conn, attempt).await? {
            Attempt::Written(written) => return Ok(written),
            Attempt::Gone => backoff.pause().await,
            // Another writer has just inserted the same row.
            Attempt::Hit(hit) if hit.own == hit.other => backoff.pause().await,
            Attempt::Hit(hit) if hit.inside => {
                let outcome = prove_duplicate(conn, sql, &hit).await;
                roll_back_on_error(conn, outcome).await?;
                backoff.pause().await;
            }
            Attempt::Hit(hit) => stale.push(hit.other),
        }
    }
    Err(Error::fatal(
        "a new unique key met ever new conflicts that were no duplicates in the table itself",
    ))
}

async fn attempt(conn: &mut Conn, sql: &Sql, set: &RowSet, stale: &[Key]) -> Result<Attempt> {
    let _turn = sql.plan().turns.take().await;
    let mut all = set.clone();
    all.keys.extend_from_slice(stale);
    let locked = [
        "START TRANSACTION".to_owned(),
        sql.lock(set, Locking::NoWait),
        sql.lock(&RowSet::keys(stale), Locking::NoWait),
    ];
    let locked = batch::run(conn, &locked).await?;
    let written_too = locked.last().map_or(0, number);
    let statements = [
        sql.delete(&all),
        forget_hit(),
        noting_insert(sql, &all),
        "SHOW WARNINGS".to_owned(),
    ];
    let replies = batch::run(conn, &statements).await?;
    if !conflict_noted(conn).await? {
        conn.query_drop("COMMIT").await?;
        let mut written = written(replies, sql.plan());
        // Only the set's own rows count.
        written.rows = written.rows.saturating_sub(written_too);
        return Ok(Attempt::Written(written));
    }
    let hit = read_hit(conn, sql, &all).await?;
    conn.query_drop("ROLLBACK").await?;
    Ok(hit.map_or(Attempt::Gone, Attempt::Hit))
}

/// The answer to a SELECT of one number.
fn number(reply: &Reply) -> u64 {
    let row = reply.rows.first();
    row.and_then(|row| row.get_opt(0)?.ok()).unwrap_or(0)
}

/// Returns only if the two rows are not shown to be duplicates of each other.
///
/// A third row may hold the value as well, one that is not in the set: then the two conflict with it before they come to
/// conflict with each other. Such rows are taken out of the ghost, too, and the proof is begun anew.
async fn prove_duplicate(conn: &mut Conn, sql: &Sql, hit: &Hit) -> Result<()> {
    let mut pair = [hit.own.clone(), hit.other.clone()];
    let mut others: Vec<Key> = Vec::new();
    for _ in 0..PROOF_ROUNDS_MAX {
        let Some(again) = conflict_among(conn, sql, &pair, &others).await? else {
            return Ok(());
        };
        if !again.inside {
            others.push(again.other);
        } else if again.own == again.other || is_same(&pair, &again) {
            return Ok(());
        } else {
            let [own, other] = std::mem::replace(&mut pair, [again.own, again.other]);
            others.extend([own, other]);
            others.retain(|key| !pair.contains(key));
        }
    }
    Ok(())
}

fn is_same(pair: &[Key; 2], hit: &Hit) -> bool {
    pair.contains(&hit.own) && pair.contains(&hit.other)
}

/// Makes the ghost's rows of the pair and the others the source's; `None` if that meets no conflict, or one that is gone.
///
/// # Errors
/// [`Error::Answer`] with the server's 1062 if the first conflict is one of the pair with each other.
async fn conflict_among(conn: &mut Conn, sql: &Sql, pair: &[Key; 2], others: &[Key]) -> Result<Option<Hit>> {
    let _turn = sql.plan().turns.take().await;
    let all = RowSet::keys(&[pair, others].concat());
    let statements = [
        "START TRANSACTION".to_owned(),
        sql.lock(&RowSet::keys(pair), Locking::NoWait),
        sql.lock(&RowSet::keys(others), Locking::NoWait),
        sql.delete(&all),
    ];
    let replies = batch::run(conn, &statements).await?;
    let locked = replies.get(1).map_or(0, number);
    let insert = sql.insert(&all, Verb::Insert, Locking::NoWait);
    let Err(error) = batch::run(conn, &[insert]).await else {
        conn.query_drop("COMMIT").await?;
        return Ok(None);
    };
    let duplicate = error
        .server()
        .is_some_and(|server| server.code == DUPLICATE_ENTRY);
    if !duplicate {
        return Err(error);
    }
    // Only the statement was undone; the locks are still held.
    batch::run(conn, &[forget_hit(), noting_insert(sql, &all)]).await?;
    let mut again = None;
    if conflict_noted(conn).await? {
        again = read_hit(conn, sql, &all).await?;
    }
    match &again {
        Some(hit) if hit.inside && hit.own != hit.other && locked == 2 && is_same(pair, hit) => Err(error),
        _ => {
            conn.query_drop("ROLLBACK").await?;
            Ok(again)
        }
    }
}

fn noting_insert(sql: &Sql, set: &RowSet) -> String {
    sql.insert(set, Verb::Insert, Locking::NoWait) + &sql.note_conflict()
}

fn forget_hit() -> String {
    format!("SET {HIT}=NULL")
}

async fn conflict_noted(conn: &mut Conn) -> Result<bool> {
    let noted: Option<bool> = conn.query_first(format!("SELECT {HIT} IS NOT NULL")).await?;
    Ok(noted.unwrap_or(false))
}

/// Both keys of the conflict that was noted; `None` when one of the rows is not there any more.
async fn read_hit(conn: &mut Conn, sql: &Sql, set: &RowSet) -> Result<Option<Hit>> {
    let own: Option<Row> = conn.query_first(sql.own_key()).await?;
    let other: Option<Row> = conn.query_first(sql.other_key(set)).await?;
    let (Some(own), Some(other)) = (own, other) else {
        return Ok(None);
    };
    let columns = &sql.plan().key.columns;
    let mut other = other.unwrap();
    let inside = other.pop().is_some_and(|value| value != "0".into());
    Ok(Some(Hit {
        own: key::from_row(columns, own.unwrap())?,
        other: key::from_row(columns, other)?,
        inside,
    }))
}

async fn roll_back_on_error<T>(conn: &mut Conn, outcome: Result<T>) -> Result<T> {
    if let Err(error) = &outcome
        && error.server().is_some()
    {
        conn.query_drop("ROLLBACK").await?;
    }
    outcome
}
