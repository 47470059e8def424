//! The ghost's rows step aside, the empty ghost is given its counter, and they come back.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::definition::Counter;
use crate::binlog::OWN_COMMENT;
use crate::failpoint::{self, Failpoint};
use crate::indexes::create_of;
use crate::old_table::drop_table;
use crate::{Error, Result, TableName};

/// Gives the ghost its counter, from wherever an earlier process has left it; nobody else writes to the ghost meanwhile. `hit`
/// hears of each step that is done.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn give_back(
    conn: &mut Conn,
    ghost: &TableName,
    aside: &TableName,
    counter: &Counter,
    hit: fn(Failpoint),
) -> Result<()> {
    let defined = counter.is_in(&create_of(conn, ghost).await?);
    let are_aside = has_rows(conn, aside).await?;
    if !defined && !are_aside {
        step_aside(conn, ghost, aside, hit).await?;
    }
    if !defined {
        define(conn, ghost, counter).await?;
        hit(Failpoint::CounterDefined);
    }
    if !defined || are_aside {
        exchange(conn, ghost, aside).await?;
        hit(Failpoint::CameBack);
    }
    count_on(conn, ghost, counter).await?;
    drop_table(conn, aside).await?;
    hit(Failpoint::CounterBack);
    Ok(())
}

/// [`give_back`], or by the server's own way, a copy of the ghost, where the rows cannot step aside any more: since it was tried
/// with the empty ghost somebody may have given it a key that is in the way.
///
/// # Errors
/// Those of the statements.
pub(super) async fn give_back_or_copy(
    conn: &mut Conn,
    ghost: &TableName,
    aside: &TableName,
    counter: &Counter,
) -> Result<()> {
    match give_back(conn, ghost, aside, counter, failpoint::hit).await {
        Err(Error::Answer(error)) if !has_rows(conn, aside).await? => {
            tracing::info!(%ghost, %error, "the server copies the ghost to give it AUTO_INCREMENT");
            drop_table(conn, aside).await?;
            define(conn, ghost, counter).await
        }
        other => other,
    }
}

async fn define(conn: &mut Conn, ghost: &TableName, counter: &Counter) -> Result<()> {
    let sql = format!("ALTER TABLE {ghost} MODIFY {} {OWN_COMMENT}", counter.with);
    Ok(conn.query_drop(sql).await?)
}

async fn step_aside(conn: &mut Conn, ghost: &TableName, aside: &TableName, hit: fn(Failpoint)) -> Result<()> {
    drop_table(conn, aside).await?;
    for sql in [
        format!("CREATE TABLE {aside} LIKE {ghost} {OWN_COMMENT}"),
        format!("ALTER TABLE {aside} PARTITION BY KEY () PARTITIONS 1 {OWN_COMMENT}"),
    ] {
        conn.query_drop(sql).await?;
    }
    hit(Failpoint::RoomAside);
    exchange(conn, ghost, aside).await?;
    hit(Failpoint::SteppedAside);
    Ok(())
}

/// The ghost still counts from where it stood when it was empty: from 1, or where its definition says. The server would look
/// at the rows only if it were to count from less than that.
async fn count_on(conn: &mut Conn, ghost: &TableName, counter: &Counter) -> Result<()> {
    let column = &counter.column;
    let sql = format!("SELECT CAST(GREATEST(COALESCE(MAX({column}), 0), 0) AS UNSIGNED) FROM {ghost}");
    let highest: u64 = conn.query_first(sql).await?.unwrap_or(0);
    let next = highest.saturating_add(1);
    let sql = format!("ALTER TABLE {ghost} AUTO_INCREMENT={next} {OWN_COMMENT}");
    Ok(conn.query_drop(sql).await?)
}

/// Every row is in the one partition there is, so none has to be looked at.
async fn exchange(conn: &mut Conn, ghost: &TableName, aside: &TableName) -> Result<()> {
    let sql = format!(
        "ALTER TABLE {aside} EXCHANGE PARTITION p0 WITH TABLE {ghost} WITHOUT VALIDATION {OWN_COMMENT}"
    );
    Ok(conn.query_drop(sql).await?)
}

pub(super) async fn exists(conn: &mut Conn, table: &TableName) -> Result<bool> {
    any_row(conn, table).await.map(|row| row.is_some())
}

async fn has_rows(conn: &mut Conn, table: &TableName) -> Result<bool> {
    any_row(conn, table).await.map(|row| row == Some(true))
}

/// Whether the table has a row; `None` if there is no such table.
async fn any_row(conn: &mut Conn, table: &TableName) -> Result<Option<bool>> {
    const NO_SUCH_TABLE: u16 = 1146;
    let row = conn.query_first::<u8, _>(format!("SELECT 1 FROM {table} LIMIT 1"));
    match row.await.map_err(Error::from) {
        Ok(row) => Ok(Some(row.is_some())),
        Err(Error::Answer(error)) if error.code == NO_SUCH_TABLE => Ok(None),
        Err(error) => Err(error),
    }
}
