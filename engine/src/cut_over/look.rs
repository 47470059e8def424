//! Which table is where: the only thing that tells whether a swap has happened.
//!
//! A connection lost while RENAME ran, or a process that died, leaves the outcome unknown to us but not to the server.
//! A RENAME that is still at work is waited for, because what is read before its end is not its outcome.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::rename_sql;
use crate::binlog::OWN_COMMENT;
use crate::ident::quoted_text;
use crate::old_table::drop_table;
use crate::processlist::processes;
use crate::{Error, Ident, Result, TableName, names};

/// The comment of the table that stands at the replaced table's place until RENAME may go on (MariaDB).
pub(super) const SENTRY_COMMENT: &str = "alterego: holds this name for a cut-over";

/// How long a RENAME of a lost session is waited for.
const LONGEST_RENAME: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Where the tables of a migration are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Source and ghost are both in their places.
    NotSwapped,
    /// The ghost was moved towards the source's place and the source is in it: [`undo`](super::undo) takes that back.
    Moved,
    /// The ghost stands in the source's place, and the replaced table beside it.
    Swapped,
    /// The ghost stands in the source's place, and not all triggers are on it: [`complete`](super::complete()) goes on.
    Unfinished,
    /// The source was moved away and the ghost has not taken its place: only a crash of a server without atomic RENAME
    /// leaves this, and [`finish`] mends it.
    Halfway,
    /// A table stands in the source's place, and there is neither a ghost nor a replaced table.
    Alone,
    /// There is no table in the source's place, and nothing that could be put there.
    Gone,
}

/// Which of the three names are taken, a sentry not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    source: bool,
    ghost: bool,
    old: bool,
    /// The names on the way of a table with triggers.
    next: bool,
    last: bool,
    /// Something is at the replaced table's place: it or a sentry.
    pub(super) old_name_taken: bool,
}

impl Tables {
    pub(super) fn verdict(self) -> Where {
        match (self.source, self.ghost, self.old) {
            (true, _, _) if self.last => Where::Unfinished,
            (true, false, _) if self.next => Where::Moved,
            (true, true, _) => Where::NotSwapped,
            (true, false, true) => Where::Swapped,
            (true, false, false) => Where::Alone,
            (false, true, true) => Where::Halfway,
            (false, _, _) => Where::Gone,
        }
    }
}

/// Looks which table is where, once no RENAME of ours is at work any more.
///
/// A table that was replaced earlier and kept is taken for the one replaced now, so ask only about a migration that has
/// begun its cut-over: [`super::swap`] clears the name before it says so.
///
/// # Errors
/// [`Error::OutcomeUnknown`] if the RENAME does not end; those of the statements.
pub async fn look(conn: &mut Conn, source: &TableName) -> Result<Where> {
    wait_for_rename(conn, source).await?;
    Ok(tables(conn, source).await?.verdict())
}

/// Puts the ghost into the source's place after [`Where::Halfway`].
///
/// # Errors
/// Those of the statement.
pub async fn finish(conn: &mut Conn, source: &TableName) -> Result<()> {
    let sql = format!("RENAME TABLE {} TO {source} {OWN_COMMENT}", names::ghost(source));
    Ok(conn.query_drop(sql).await?)
}

/// A table that stands at the ghost's or the replaced table's place.
///
/// # Errors
/// Those of the statement.
pub async fn leftover(conn: &mut Conn, source: &TableName) -> Result<Option<TableName>> {
    let found = tables(conn, source).await?;
    Ok(if found.ghost {
        Some(names::ghost(source))
    } else {
        found.old.then(|| names::old(source))
    })
}

/// Removes the table that held the replaced table's name for a RENAME that did not come.
///
/// # Errors
/// Those of the statements.
pub async fn remove_sentry(conn: &mut Conn, source: &TableName) -> Result<()> {
    let found = tables(conn, source).await?;
    if found.old_name_taken && !found.old {
        drop_table(conn, &names::old(source)).await?;
    }
    Ok(())
}

pub(super) async fn tables(conn: &mut Conn, source: &TableName) -> Result<Tables> {
    let (ghost, old) = (names::ghost(source), names::old(source));
    let (next, last) = (names::next(source), names::last(source));
    let text = |name: &Ident| quoted_text(name.as_str());
    let sql = format!(
        "SELECT table_schema, table_name, COALESCE(table_comment, '') FROM information_schema.tables \
         WHERE table_name = {} AND table_schema IN ({}, {}, {}) OR table_schema = {} AND table_name IN ({}, {})",
        text(&source.table),
        text(&source.schema),
        text(&ghost.schema),
        text(&old.schema),
        text(&source.schema),
        text(&next.table),
        text(&last.table),
    );
    let rows: Vec<(String, String, String)> = conn.query(sql).await?;
    let mut found = Tables::default();
    for (schema, table, comment) in rows {
        let is = |name: &TableName| name.schema.as_str().eq_ignore_ascii_case(&schema);
        let is_called = |name: &TableName| name.table.as_str().eq_ignore_ascii_case(&table);
        if is_called(&next) {
            found.next = true;
        } else if is_called(&last) {
            found.last = true;
        } else if is(source) {
            found.source = true;
        } else if is(&ghost) {
            found.ghost = true;
        } else if is(&old) {
            found.old_name_taken = true;
            found.old = comment != SENTRY_COMMENT;
        }
    }
    Ok(found)
}

async fn wait_for_rename(conn: &mut Conn, source: &TableName) -> Result<()> {
    let rename = rename_sql(source);
    let began = Instant::now();
    while processes(conn)
        .await?
        .iter()
        .any(|session| session.info == rename)
    {
        if began.elapsed() > LONGEST_RENAME {
            return Err(Error::OutcomeUnknown(format!(
                "RENAME TABLE {source} is still running"
            )));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_meaning() {
        let check = |source, ghost, old, expected| {
            let tables = Tables {
                source,
                ghost,
                old,
                old_name_taken: old,
                ..Tables::default()
            };
            assert_eq!(tables.verdict(), expected);
            // Until the ghost has moved it is in its place, and it moves only when the way is free.
            let on_its_way = |next, last| Tables { next, last, ..tables }.verdict();
            if source {
                assert_eq!(on_its_way(false, true), Where::Unfinished);
            }
            if source && !ghost {
                assert_eq!(on_its_way(true, false), Where::Moved);
            }
        };
        check(true, true, false, Where::NotSwapped);
        check(true, true, true, Where::NotSwapped);
        check(true, false, true, Where::Swapped);
        check(true, false, false, Where::Alone);
        check(false, true, true, Where::Halfway);
        check(false, true, false, Where::Gone);
        check(false, false, true, Where::Gone);
        check(false, false, false, Where::Gone);
    }
}
