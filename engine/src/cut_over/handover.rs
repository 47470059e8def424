//! A table with triggers is swapped in steps, because its triggers cannot go with it (MySQL).
//!
//! RENAME takes no table with triggers into another schema, no trigger can be renamed, and a name is taken until its
//! trigger is dropped. What the server can do is to rename within a schema, triggers and all. So, under the table locks:
//!
//! 1. the ghost moves into the source's schema ([`names::next`]);
//! 2. it gets, for each trigger of the source, a *stand-in*: a trigger of another name that does the same for as long as
//!    the trigger itself is not on the table that has the source's name;
//! 3. one RENAME swaps the tables: the source, with its triggers, goes to [`names::last`];
//! 4. each trigger is dropped from there and created on the new table, right behind its stand-in, which is then dropped;
//! 5. the replaced table, free of triggers, moves to where replaced tables are.
//!
//! # Why no trigger is lost, skipped or doubled
//! *As long as nobody dies* nobody sees any of it. The session that takes steps 1 to 4 has both tables locked from before
//! the drain until after step 4, and RENAME and the triggers' statements keep those locks. Who writes, through the proxy or past
//! it, waits for the metadata lock of the source's name, and finds the new table with its triggers.
//!
//! *Whoever dies*, process, connection or server:
//! * Each step is one statement, and atomic, also in a crash of the server.
//! * Until step 3 the source is as it was. What the steps before it left is undone ([`undo`]). A stand-in on the ghost has no
//!   chance to act: nothing writes to the ghost from step 1 on.
//! * From step 3 on, each trigger or its stand-in acts on each row, never both: a statement that writes holds a metadata lock
//!   under which no trigger comes or goes, and the stand-in asks whether the trigger is there. Each acts in its place among
//!   the others: it was created right behind its stand-in. So even a process that dies in between, with the locks and
//!   everything, leaves a table that does all that it did, and whoever comes next goes on ([`hand_over`], [`move_last`]),
//!   however much later.
//! * The stand-in's question is answered out of the transaction's snapshot. A snapshot that is older than the swap does not show
//!   the stand-in itself where it is; then the statement ends with 1412, as the server's own answer to an old snapshot is. One
//!   opened later shows what is there, unless a trigger has come since and its stand-in has not gone, which is no state that
//!   the locks leave. That leaves one case open: a REPEATABLE READ transaction past the proxy that opens its snapshot between
//!   step 3 and the creation of a trigger, and writes to the table after the process has died between that statement and the
//!   next one. It has milliseconds for that, or what passes between two deaths.
//! * The stand-in runs as its trigger's definer, who is shown the triggers of a table if he may have one on it. If he may not,
//!   neither of the two acts: the server refuses the statement, as it did before.
//! * The names that are there tell which step was the last; no step is taken by memory. Texts come from the record, which
//!   was written before the first step and compared with the server's under the locks.
//!
//! *No trigger acts on a write of the migration's.* All of these go to the ghost, before step 1, and it has none then.
//!
//! # Why the steps succeed
//! Each trigger and its stand-in has been created on a table like the ghost by the same account just before
//! ([`triggers::rehearse`]), so a missing privilege, a column that is gone or a text that the server does not take any more is
//! found while the source has everything; the statement is the server's then. What is changed between the rehearsal and the locks
//! is found under the locks ([`still_are`]), and another attempt follows. Somebody who holds up every change of a definition
//! (LOCK INSTANCE FOR BACKUP) is waited for before the attempt (see `quiet`); if he comes later, steps 1 to 3 have a limit
//! and are taken back, and from there on the table does without the rest for as long as it takes.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::binlog::OWN_COMMENT;
use crate::failpoint::{self, Failpoint};
use crate::triggers::{self, Creator, Description, Trigger};
use crate::{Error, Ident, Result, TableName, names};

/// Steps 1 to 3, on the session that has the locks. What is stopped here can be taken back.
///
/// # Errors
/// Those of the statements. What was done then is seen by looking, and the session is not to be used any more.
pub(super) async fn swap(conn: &mut Conn, source: &TableName, triggers: &[Trigger]) -> Result<()> {
    let (ghost, next, last) = (names::ghost(source), names::next(source), names::last(source));
    rename(conn, &[(&ghost, &next)]).await?;
    failpoint::hit(Failpoint::GhostMoved);
    let mut creator = Creator::begin(conn).await?;
    for (nth, trigger) in triggers.iter().enumerate() {
        let stand_in = names::stand_in(source, nth);
        creator.create_stand_in(trigger, &stand_in, &next, source).await?;
        failpoint::hit(Failpoint::StandInMade);
    }
    creator.end().await?;
    failpoint::hit(Failpoint::StandInsMade);
    tracing::debug!(table = %source, "the ghost has its stand-ins");
    failpoint::hit(Failpoint::RenameDue);
    rename(conn, &[(source, &last), (&next, source)]).await?;
    failpoint::hit(Failpoint::Renamed);
    tracing::debug!(table = %source, "the tables are swapped");
    Ok(())
}

/// Takes back what was done before the tables were swapped. Nobody uses the ghost, so no lock is needed.
///
/// # Errors
/// Those of the statements.
pub async fn undo(conn: &mut Conn, source: &TableName) -> Result<()> {
    let next = names::next(source);
    for trigger in triggers::names_on(conn, &next).await? {
        triggers::drop(conn, &next.schema, &trigger).await?;
    }
    rename_into(conn, &next, &names::ghost(source)).await?;
    failpoint::hit(Failpoint::GhostMovedBack);
    Ok(())
}

/// Where step 4 stands: the triggers on the new table, and on the replaced one.
pub(super) struct Standing {
    here: Vec<Ident>,
    there: Vec<Ident>,
}

impl Standing {
    /// As step 3 leaves it.
    pub(super) fn just_swapped(source: &TableName, triggers: &[Trigger]) -> Self {
        let numbers = 0..triggers.len();
        Self {
            here: numbers.map(|nth| names::stand_in(source, nth)).collect(),
            there: triggers.iter().map(|trigger| trigger.name.clone()).collect(),
        }
    }

    /// As whoever was interrupted has left it, and others since.
    pub(super) async fn found(conn: &mut Conn, source: &TableName) -> Result<Self> {
        Ok(Self {
            here: triggers::names_on(conn, source).await?,
            there: triggers::names_on(conn, &names::last(source)).await?,
        })
    }
}

/// Step 4, from wherever it stands, on a session that has both tables locked.
///
/// # Errors
/// Those of the statements. The session is not to be used any more then.
pub(super) async fn hand_over(
    conn: &mut Conn,
    source: &TableName,
    triggers: &[Trigger],
    standing: Standing,
) -> Result<()> {
    let mut creator = Creator::begin(conn).await?;
    let schema = &source.schema;
    for (nth, trigger) in triggers.iter().enumerate() {
        let stand_in = names::stand_in(source, nth);
        // It goes last. So without one the trigger has been there, and whoever dropped it since meant to.
        if !standing.here.contains(&stand_in) {
            continue;
        }
        if !standing.here.contains(&trigger.name) {
            if standing.there.contains(&trigger.name) {
                creator.drop(trigger, schema, &trigger.name).await?;
            }
            failpoint::hit(Failpoint::TriggerDropped);
            creator.create(trigger, source, Some(&stand_in)).await?;
            failpoint::hit(Failpoint::TriggerCreated);
        }
        creator.drop(trigger, schema, &stand_in).await?;
        failpoint::hit(Failpoint::StandInDropped);
    }
    creator.end().await?;
    // What was created on the replaced table since belongs to no table that anybody uses.
    let is_known = |name: &Ident| triggers.iter().any(|trigger| trigger.name == *name);
    for stray in standing.there.iter().filter(|name| !is_known(name)) {
        triggers::drop(conn, schema, stray).await?;
    }
    failpoint::hit(Failpoint::TriggersHandedOver);
    tracing::debug!(table = %source, "the triggers have followed");
    Ok(())
}

/// Step 5. Nobody uses the replaced table, so the locks may have been given back.
///
/// # Errors
/// Those of the statement.
pub(super) async fn move_last(conn: &mut Conn, source: &TableName) -> Result<()> {
    rename_into(conn, &names::last(source), &names::old(source)).await?;
    failpoint::hit(Failpoint::LastMoved);
    Ok(())
}

/// Into a schema of the engine's, which the end of another migration may have removed while it was empty.
async fn rename_into(conn: &mut Conn, from: &TableName, to: &TableName) -> Result<()> {
    match rename(conn, &[(from, to)]).await {
        Err(error) if error.is_unknown_schema() => {
            let schema = &to.schema;
            conn.query_drop(format!("CREATE DATABASE IF NOT EXISTS {schema} {OWN_COMMENT}"))
                .await?;
            rename(conn, &[(from, to)]).await
        }
        other => other,
    }
}

async fn rename(conn: &mut Conn, moves: &[(&TableName, &TableName)]) -> Result<()> {
    let moves: Vec<String> = moves.iter().map(|(from, to)| format!("{from} TO {to}")).collect();
    let sql = format!("RENAME TABLE {} {OWN_COMMENT}", moves.join(", "));
    Ok(conn.query_drop(sql).await?)
}

/// Whether the table still has the triggers that were written down, on the session that has it locked.
///
/// # Errors
/// [`Error::Transient`] if it has others: the next attempt writes those down.
pub(super) async fn still_are(conn: &mut Conn, source: &TableName, known: &Description) -> Result<()> {
    match triggers::describe(conn, source).await? {
        now if now == *known => Ok(()),
        _ => Err(Error::Transient(mysql_async::Error::Other(
            "the table's triggers have been changed".into(),
        ))),
    }
}
