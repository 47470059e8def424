//! Takes the counter of the empty ghost away, if it can be given back.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::definition::{Counter, may_be_exchanged};
use super::give_back::give_back;
use crate::binlog::OWN_COMMENT;
use crate::failpoint::{self, Failpoint};
use crate::indexes::create_of;
use crate::old_table::drop_table;
use crate::plan::Plan;
use crate::table::same_definition;
use crate::{Error, Flavor, Result, TableName};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The ghost is without its counter while it is filled.
    PutOff,
    /// The ghost is as it was.
    Kept,
    /// The server does not give it back as it was: the ghost has to be built again, and keep it.
    Spoiled,
}

/// Takes the counter of the empty ghost away, if its writers would get into each other's way by it. What an earlier attempt
/// has left at `aside` goes first.
///
/// # Errors
/// A connection that is lost.
pub(crate) async fn put_off(
    conn: &mut Conn,
    flavor: Flavor,
    plan: &Plan,
    aside: &TableName,
) -> Result<Attempt> {
    // MySQL gives the attribute neither way, and locks a counter so only where it was told to.
    if flavor != Flavor::MariaDb {
        return Ok(Attempt::Kept);
    }
    drop_table(conn, aside).await?;
    let ghost = plan.ghost_name();
    let create = create_of(conn, ghost).await?;
    let Some(counter) = Counter::of(plan, &create) else {
        return Ok(Attempt::Kept);
    };
    if !plan.turns.are_taken() || !may_be_exchanged(&create) {
        return Ok(Attempt::Kept);
    }
    match there_and_back(conn, ghost, aside, &counter, &create).await {
        Ok(true) => {
            plan.turns.suspend();
            Ok(Attempt::PutOff)
        }
        Ok(false) => Ok(Attempt::Spoiled),
        // The server does not do it with this table.
        Err(Error::Answer(error)) => {
            tracing::debug!(%error, %ghost, "AUTO_INCREMENT cannot be put off");
            drop_table(conn, aside).await?;
            Ok(Attempt::Spoiled)
        }
        Err(error) => Err(error),
    }
}

/// Takes the counter away, gives it back, and takes it away if it has come back as it was.
async fn there_and_back(
    conn: &mut Conn,
    ghost: &TableName,
    aside: &TableName,
    counter: &Counter,
    create: &str,
) -> Result<bool> {
    take_away(conn, ghost, counter).await?;
    let half_way = |step| {
        if step == Failpoint::SteppedAside {
            failpoint::hit(Failpoint::CounterTakenAway);
        }
    };
    give_back(conn, ghost, aside, counter, half_way).await?;
    if !same_definition(&create_of(conn, ghost).await?, create) {
        return Ok(false);
    }
    take_away(conn, ghost, counter).await?;
    Ok(true)
}

async fn take_away(conn: &mut Conn, ghost: &TableName, counter: &Counter) -> Result<()> {
    let sql = format!("ALTER TABLE {ghost} MODIFY {} {OWN_COMMENT}", counter.without);
    Ok(conn.query_drop(sql).await?)
}
