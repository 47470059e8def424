//! The end of the replaced table, and of the schemas that were there for one migration.
//!
//! # Why a plain DROP
//! Measured on MySQL 9.7 and MariaDB 11.8 with a table of 1.3 million rows in 300 MB: the DROP takes 50 to 65 ms, and
//! commits and reads on other tables during it are as quick as before it. Shrinking the table first would put every row
//! through the redo and the binary log once more.
//!
//! # Why removing a schema drops nobody's table
//! `DROP SCHEMA` drops what it finds. So it is made to wait before it looks, at a moment when nobody else can put
//! anything there, and the schema is looked through while it waits. If there is anything, it is killed, and has done
//! nothing yet. What makes it wait is a sentinel table in the schema, read by a transaction that stays open.
//! - MariaDB: it has locked the schema already and waits for the sentinel. "Waiting for table metadata lock" says so.
//! - MySQL: it waits for the schema itself, on which every statement that creates something in it, and every transaction
//!   that has read something in it, holds an intention lock. While it waits no new one is granted; the lock queue shows
//!   that nobody but the sentinel's transaction has one. A queue that does not show the DROP itself shows nothing (MariaDB
//!   gets here too, behind a CREATE under way, and does not keep one by default): then the schema stays.
//!
//! Every step can be repeated after a crash.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::join;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::RngExt;

use crate::binlog::OWN_COMMENT;
use crate::cut_over::kill_query;
use crate::failpoint::{self, Failpoint};
use crate::ident::quoted_text;
use crate::session::Upstream;
use crate::{Error, Ident, Result, TableName, names, processlist};

/// The table that makes DROP SCHEMA wait.
const SENTINEL: &str = "alterego_sentinel";
/// DROP SCHEMA is at its wait within this time, unless others use the schema.
const LONGEST_WAY: Duration = Duration::from_millis(800);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
/// How often an empty schema is tried to be removed, and the pauses between.
const TRIES: u32 = 4;
const BETWEEN_TRIES_MS: Range<u64> = 50..1500;

/// Drops the table that `source` replaced, and the migration's schemas where nothing else is in them.
///
/// # Errors
/// [`Error::Transient`] while somebody uses the replaced table; those of the statements.
pub async fn drop_old(upstream: &Upstream, source: &TableName) -> Result<()> {
    let mut conn = upstream.control().await?;
    let old = names::old(source);
    drop_table(&mut conn, &old).await?;
    failpoint::hit(Failpoint::OldDropped);
    conn.disconnect().await?;
    for schema in [&old.schema, &names::ghost(source).schema] {
        remove_if_empty(upstream, schema).await?;
        failpoint::hit(Failpoint::SchemaRemoved);
    }
    Ok(())
}

/// Drops a table of the engine's own.
pub(crate) async fn drop_table(conn: &mut Conn, table: &TableName) -> Result<()> {
    match conn
        .query_drop(format!("DROP TABLE IF EXISTS {table} {OWN_COMMENT}"))
        .await
        .map_err(Error::from)
    {
        Err(error) if error.is_unknown_schema() => Ok(()),
        other => other,
    }
}

/// Drops a schema if nothing is in it. A schema in use is left alone: whoever empties it next removes it.
///
/// Two who want to remove it at the same moment keep each other from it, so it is tried again.
///
/// # Errors
/// Those of the statements.
pub async fn remove_if_empty(upstream: &Upstream, schema: &Ident) -> Result<()> {
    for _ in 1..TRIES {
        if try_to_remove(upstream, schema).await? {
            return Ok(());
        }
        let pause = rand::rng().random_range(BETWEEN_TRIES_MS);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    try_to_remove(upstream, schema).await.map(drop)
}

/// Drops the schema if nothing is in it; false if it is empty and has not gone.
async fn try_to_remove(upstream: &Upstream, schema: &Ident) -> Result<bool> {
    let mut control = upstream.control().await?;
    if !is_empty(&mut control, schema).await? {
        return Ok(true);
    }
    let sentinel = TableName {
        schema: schema.clone(),
        table: Ident::new(SENTINEL),
    };
    let mut holder = upstream.control().await?;
    match hold(&mut holder, &sentinel).await {
        // It has never been there, or another session has just removed it.
        Err(error) if error.is_unknown_schema() => return Ok(true),
        other => other?,
    }
    failpoint::hit(Failpoint::SentinelHeld);
    let mut dropper = upstream.control().await?;
    let dropped = drop_or_withdraw(&mut dropper, &mut control, &mut holder, schema).await;
    if !matches!(dropped, Ok(true)) {
        holder.query_drop("ROLLBACK").await?;
        drop_table(&mut control, &sentinel).await?;
    }
    match dropped {
        Err(error) if !matches!(error, Error::Transient(_)) => Err(error),
        Err(_) => Ok(false),
        Ok(dropped) => Ok(dropped),
    }
}

/// Creates the sentinel and holds it.
async fn hold(conn: &mut Conn, sentinel: &TableName) -> Result<()> {
    for sql in [
        format!("CREATE TABLE IF NOT EXISTS {sentinel} (i INT PRIMARY KEY) ENGINE=InnoDB {OWN_COMMENT}"),
        "START TRANSACTION".to_owned(),
        format!("SELECT i FROM {sentinel}"),
    ] {
        conn.query_drop(sql).await?;
    }
    Ok(())
}

/// Whether the schema was dropped.
async fn drop_or_withdraw(
    dropper: &mut Conn,
    control: &mut Conn,
    holder: &mut Conn,
    schema: &Ident,
) -> Result<bool> {
    let (id, holder_id) = (dropper.id(), holder.id());
    let sql = format!("DROP SCHEMA {schema} {OWN_COMMENT}");
    let decide = async {
        let clear = is_shut(control, schema, id, holder_id).await? && is_empty(control, schema).await?;
        match clear {
            true => holder.query_drop("ROLLBACK").await?,
            false => kill_query(control, id).await?,
        }
        Ok::<bool, Error>(clear)
    };
    let (dropped, decided) = join(dropper.query_drop(sql), decide).await;
    if !decided? {
        // Killed: its error is the one we wanted.
        return Ok(false);
    }
    dropped?;
    Ok(true)
}

/// Waits until the DROP of session `id` keeps everybody else from creating anything in the schema.
async fn is_shut(control: &mut Conn, schema: &Ident, id: u32, holder_id: u32) -> Result<bool> {
    let queue = format!(
        "SELECT COALESCE(SUM(m.lock_status = 'PENDING' AND t.processlist_id <=> {id}), 0), \
           COALESCE(SUM(m.lock_status <> 'PENDING' AND NOT (t.processlist_id <=> {holder_id} OR t.processlist_id <=> {id})), 0) \
         FROM performance_schema.metadata_locks m \
         LEFT JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id \
         WHERE m.object_type = 'SCHEMA' AND m.object_schema = {}",
        quoted_text(schema.as_str())
    );
    let began = Instant::now();
    while began.elapsed() < LONGEST_WAY {
        let sessions = processlist::processes(control).await?;
        let dropper = sessions.iter().find(|session| session.id == u64::from(id));
        match dropper.map(|session| session.state.as_str()) {
            Some("Waiting for table metadata lock") => return Ok(true),
            Some("Waiting for schema metadata lock") => {
                match control.query_first::<(u64, u64), _>(queue.as_str()).await {
                    Ok(Some((1.., 0))) => return Ok(true),
                    Ok(_) => {}
                    // Not readable: then nothing is known about who else is there.
                    Err(_) => return Ok(false),
                }
            }
            _ => {}
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(false)
}

/// Whether nothing but a sentinel is in the schema.
async fn is_empty(conn: &mut Conn, schema: &Ident) -> Result<bool> {
    let schema = quoted_text(schema.as_str());
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = {schema} AND table_name <> '{SENTINEL}') \
         + (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = {schema}) \
         + (SELECT COUNT(*) FROM information_schema.events WHERE event_schema = {schema})"
    );
    Ok(conn.query_first::<u64, _>(sql).await?.unwrap_or(1) == 0)
}
