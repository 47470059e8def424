//! A connection that writes to the ghost.

use std::sync::Arc;
use std::time::Instant;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::backoff::Backoff;
use super::batch::{self, is_lock_conflict};
use super::message::{name_row, rename_ghost, row_of, shift_error};
use super::native;
use super::sql::{Locking, RowSet, Sql, Verb};
use super::unique;
use super::written::{Written, written};
use crate::error::{DUPLICATE_ENTRY, ServerError};
use crate::key::{self, Key, Range};
use crate::plan::Plan;
use crate::{Error, Flavor, Result};

/// A range is made at most this long before a conflict on a new unique key is looked at row by row.
const CONFLICT_ROWS: u64 = 64;

/// How many rows of a set a snapshot shows, and the key of the middle one.
struct Middle {
    rows: u64,
    key: Option<Key>,
}

/// Writes sets of rows to the ghost, on one connection.
///
/// Dropping a future of it in the middle leaves the connection unusable; the server then rolls back what was open.
#[derive(Debug)]
pub struct Writer {
    conn: Conn,
    sql: Sql,
}

impl Writer {
    /// Writes on `conn`, a session of [`crate::session::Upstream::worker`].
    pub fn new(conn: Conn, plan: Arc<Plan>, flavor: Flavor) -> Self {
        Self {
            conn,
            sql: Sql::new(plan, flavor),
        }
    }

    /// Makes the ghost's rows in `range` the source's, committed when this returns.
    ///
    /// # Errors
    /// [`Error::Answer`] where the data refuses the change, with `at row N` counted from the start of the range;
    /// [`Error::Transient`] when the connection is lost. Lock conflicts are dealt with here, however long they last.
    pub async fn range(&mut self, range: &Range) -> Result<Written> {
        let mut written = Written::default();
        let mut backoff = Backoff::for_locks();
        let mut pieces = vec![range.clone()];
        while let Some(piece) = pieces.pop() {
            let set = RowSet::range(&piece);
            let Err(error) = self.attempt(&set, &mut written).await else {
                continue;
            };
            let conflict = self.conflict_of(&error);
            if conflict == Conflict::None {
                return Err(self.at_row_after(error, written.rows));
            }
            let middle = self.middle(&set).await?;
            match (conflict, halve(&piece, middle.key)) {
                (Conflict::Lock, Some((first, second))) => {
                    pieces.extend([second, first]);
                }
                (Conflict::Unique, Some((first, second))) if middle.rows > CONFLICT_ROWS => {
                    pieces.extend([second, first]);
                }
                (Conflict::Lock, None) => {
                    let waited = self.after_waiting(&set, Some(&piece)).await;
                    if self.settle(waited, false, &mut written)? == Next::Again {
                        pieces.push(piece);
                        backoff.pause().await;
                    }
                }
                (Conflict::Unique | Conflict::None, _) => {
                    let resolved = self.resolve(&set).await;
                    if self.settle(resolved, true, &mut written)? == Next::Again {
                        pieces.push(piece);
                        backoff.pause().await;
                    }
                }
            }
        }
        Ok(written)
    }

    /// Makes the ghost's rows with these keys the source's, committed when this returns.
    ///
    /// # Errors
    /// As [`Writer::range`]; `at row N` counts over the whole source.
    pub async fn keys(&mut self, keys: &[Key]) -> Result<Written> {
        let mut backoff = Backoff::for_locks();
        let (mut written, mut locked) = self.keys_unlocked(keys).await?;
        while let Some(key) = locked.pop() {
            match self.key_waiting(&key).await? {
                Some(part) => {
                    written.append(part);
                    backoff.reset();
                }
                None => {
                    locked.push(key);
                    backoff.pause().await;
                }
            }
        }
        Ok(written)
    }

    /// As [`Writer::keys`] for the keys whose rows are not locked; returns those whose rows are.
    ///
    /// # Errors
    /// As [`Writer::keys`].
    pub async fn keys_unlocked(&mut self, keys: &[Key]) -> Result<(Written, Vec<Key>)> {
        let mut written = Written::default();
        let mut locked = Vec::new();
        let mut pieces = vec![keys.to_vec()];
        while let Some(mut piece) = pieces.pop() {
            if piece.is_empty() {
                continue;
            }
            let set = RowSet::keys(&piece);
            let Err(error) = self.attempt(&set, &mut written).await else {
                continue;
            };
            match self.conflict_of(&error) {
                Conflict::None => return Err(self.at_source_row(error, &piece).await),
                Conflict::Lock if piece.len() > 1 => {
                    let second = piece.split_off(piece.len() / 2);
                    pieces.extend([second, piece]);
                }
                Conflict::Lock => locked.append(&mut piece),
                Conflict::Unique => {
                    let resolved = self.resolve(&set).await;
                    if self.settle(resolved, true, &mut written)? == Next::Again {
                        locked.append(&mut piece);
                    }
                }
            }
        }
        Ok((written, locked))
    }

    /// As [`Writer::keys`] for one key, waiting for its row's lock as long as the session lets it; `None` when it
    /// is locked still.
    ///
    /// # Errors
    /// As [`Writer::keys`].
    pub async fn key_waiting(&mut self, key: &Key) -> Result<Option<Written>> {
        let set = RowSet::keys(std::slice::from_ref(key));
        let error = match self.after_waiting(&set, None).await {
            Ok(written) => return Ok(Some(written)),
            Err(error) => error,
        };
        match self.conflict_of(&error) {
            Conflict::None => Err(self.at_source_row(error, &set.keys).await),
            Conflict::Lock => Ok(None),
            Conflict::Unique => {
                let mut written = Written::default();
                let resolved = self.resolve(&set).await;
                let next = self.settle(resolved, true, &mut written)?;
                Ok((next == Next::Done).then_some(written))
            }
        }
    }

    /// The connection, for statements between two writes.
    pub fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// One attempt at a set; what it wrote is added to `written`.
    async fn attempt(&mut self, set: &RowSet, written: &mut Written) -> Result<()> {
        let outcome = self.write(set, None).await;
        match self.worded(set, outcome).await {
            Ok(part) => written.append(part),
            Err(error) => {
                written.lock_conflicts += u64::from(is_lock_conflict(&error));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes the outcome of the last resort for a set. A lock still in the way only means to try the set again, and
    /// so does a conflict, unless it is `proven` to be in the data.
    fn settle(&self, outcome: Result<Written>, proven: bool, written: &mut Written) -> Result<Next> {
        let error = match outcome {
            Ok(part) => {
                written.append(part);
                return Ok(Next::Done);
            }
            Err(error) => error,
        };
        match self.conflict_of(&error) {
            Conflict::Lock => Ok(Next::Again),
            Conflict::Unique if !proven => Ok(Next::Again),
            _ => Err(self.at_row_after(error, written.rows)),
        }
    }

    /// The transaction that makes the set; `wait` is put in front of everything else in it.
    ///
    /// It is waited for before the turn is: nobody is to stand behind somebody who waits for the application. The one
    /// source row that is then held is held for another writer's statement longer, and its holder has no lock of the
    /// ghost, so nobody with a turn waits for it.
    async fn write(&mut self, set: &RowSet, wait: Option<String>) -> Result<Written> {
        let mut statements = vec!["START TRANSACTION".to_owned()];
        if let Some(wait) = wait {
            statements.push(wait);
            batch::run_or_roll_back(&mut self.conn, &statements).await?;
            statements.clear();
        }
        let turn = self.sql.plan().turns.take().await;
        let began = Instant::now();
        statements.extend([
            self.sql.delete(set),
            self.sql.insert(set, self.sql.verb(), Locking::NoWait),
            "SHOW WARNINGS".to_owned(),
        ]);
        let commit = "COMMIT".to_owned();
        let replies = match turn {
            // All in one round trip.
            None => {
                statements.push(commit);
                batch::run_or_roll_back(&mut self.conn, &statements).await?
            }
            Some(turn) => {
                let replies = batch::run_or_roll_back(&mut self.conn, &statements).await?;
                drop(turn);
                batch::run_or_roll_back(&mut self.conn, &[commit]).await?;
                replies
            }
        };
        Ok(Written {
            took: began.elapsed(),
            ..written(replies, self.sql.plan())
        })
    }

    /// Writes a set that cannot be halved, after waiting for the lock that is in its way, in a transaction that
    /// holds nothing yet.
    ///
    /// A range scan locks the row behind the range, too, before the server sees that it is out of range; so that
    /// row is waited for first, in a transaction of its own.
    async fn after_waiting(&mut self, set: &RowSet, range: Option<&Range>) -> Result<Written> {
        if let Some(through) = range.and_then(|range| range.through.clone()) {
            let behind = RowSet::range(&Range {
                after: Some(through),
                through: None,
            });
            let statements = [
                "START TRANSACTION".to_owned(),
                self.sql.wait_for_first(&behind),
                "COMMIT".to_owned(),
            ];
            batch::run_or_roll_back(&mut self.conn, &statements).await?;
        }
        let wait = self.sql.wait_for_first(set);
        let outcome = self.write(set, Some(wait)).await;
        self.worded(set, outcome).await
    }

    async fn resolve(&mut self, set: &RowSet) -> Result<Written> {
        let outcome = unique::resolve(&mut self.conn, &self.sql, set).await;
        self.worded(set, outcome).await
    }

    /// What INSERT said of a set, in ALTER's words.
    async fn worded(&mut self, set: &RowSet, outcome: Result<Written>) -> Result<Written> {
        native::worded(&mut self.conn, &self.sql, set, outcome).await
    }

    fn conflict_of(&self, error: &Error) -> Conflict {
        if is_lock_conflict(error) {
            return Conflict::Lock;
        }
        match error {
            Error::Answer(server) if server.code == DUPLICATE_ENTRY && self.sql.verb() == Verb::Insert => {
                Conflict::Unique
            }
            _ => Conflict::None,
        }
    }

    /// Where to halve a set, as a snapshot shows it: a boundary needs no truth.
    async fn middle(&mut self, set: &RowSet) -> Result<Middle> {
        let rows: Option<u64> = self.conn.query_first(self.sql.count(set)).await?;
        let rows = rows.unwrap_or(0);
        let key = match rows {
            0 => None,
            rows => self.key_at(set, (rows / 2).max(1) - 1).await?,
        };
        Ok(Middle { rows, key })
    }

    async fn key_at(&mut self, set: &RowSet, offset: u64) -> Result<Option<Key>> {
        let row: Option<Row> = self.conn.query_first(self.sql.key_at(set, offset)).await?;
        let columns = &self.sql.plan().key.columns;
        row.map(|row| key::from_row(columns, row.unwrap())).transpose()
    }

    fn at_row_after(&self, error: Error, rows_before: u64) -> Error {
        match error {
            Error::Answer(server) => Error::Answer(self.renamed(shift_error(server, rows_before))),
            other => other,
        }
    }

    /// A data error of some keys, with the row's ordinal in the whole source, as a native ALTER would count it.
    async fn at_source_row(&mut self, error: Error, keys: &[Key]) -> Error {
        let Error::Answer(server) = error else {
            return error;
        };
        let Some(row) = row_of(&server.message) else {
            return Error::Answer(self.renamed(server));
        };
        let key = self.key_at(&RowSet::keys(keys), row.saturating_sub(1)).await;
        let ordinal = match key {
            Ok(Some(key)) => self.ordinal_of(key).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match ordinal {
            Ok(Some(ordinal)) => Error::Answer(self.renamed(ServerError {
                message: name_row(&server.message, ordinal),
                ..server
            })),
            // The row is gone already, or the server is: the error itself is what matters.
            Ok(None) | Err(_) => Error::Answer(self.renamed(server)),
        }
    }

    async fn ordinal_of(&mut self, key: Key) -> Result<Option<u64>> {
        let through = RowSet::range(&Range {
            after: None,
            through: Some(key),
        });
        Ok(self.conn.query_first(self.sql.count(&through)).await?)
    }

    fn renamed(&self, server: ServerError) -> ServerError {
        ServerError {
            message: rename_ghost(&server.message, self.sql.plan()),
            ..server
        }
    }
}

/// What stands in the way of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conflict {
    /// A lock: try again.
    Lock,
    /// A ghost row with the same value of a new unique key: stale, or truly a duplicate.
    Unique,
    /// Nothing that another attempt could mend.
    None,
}

/// Whether a set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Done,
    Again,
}

/// Both halves of a range, if the middle is not its end already.
fn halve(range: &Range, middle: Option<Key>) -> Option<(Range, Range)> {
    let middle = middle.filter(|middle| range.through.as_ref() != Some(middle))?;
    let first = Range {
        after: range.after.clone(),
        through: Some(middle.clone()),
    };
    let second = Range {
        after: Some(middle),
        through: range.through.clone(),
    };
    Some((first, second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyValue;

    #[test]
    fn halves_tile_the_range() {
        let key = |n: i64| Key(vec![KeyValue::Int(n)]);
        let range = |after: Option<i64>, through: Option<i64>| Range {
            after: after.map(key),
            through: through.map(key),
        };
        let check = |whole: Range, middle: Option<i64>, expected: Option<(Range, Range)>| {
            assert_eq!(halve(&whole, middle.map(key)), expected);
        };
        check(
            range(Some(1), Some(9)),
            Some(5),
            Some((range(Some(1), Some(5)), range(Some(5), Some(9)))),
        );
        check(
            range(None, None),
            Some(5),
            Some((range(None, Some(5)), range(Some(5), None))),
        );
        check(range(Some(1), Some(9)), Some(9), None);
        check(range(Some(1), Some(9)), None, None);
    }
}
