//! What the optimizer knows of a table: it must not know less of the new one, or plans change at the swap.
//!
//! Histograms (MySQL) and engine-independent statistics (MariaDB) belong to a table's name, and an ALTER of the server's keeps
//! them, but for columns and keys that it changes. So the ghost is given the source's before it is altered: then the server
//! itself decides which are still good, renames what is renamed, and takes them along at the swap. Once the ghost has all
//! rows and indexes, InnoDB counts anew, and what the owner has refreshed in the source meanwhile is brought over.
//!
//! None of it is worth a migration: where the server refuses, that is logged, and the table does without, as a new one would.

mod histograms;
mod independent;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::binlog::OWN_COMMENT;
use crate::plan::Plan;
use crate::session::Upstream;
use crate::{Flavor, Result, TableName};

/// Gives the ghost, which is as the source is and not altered yet, the source's statistics.
///
/// # Errors
/// A connection that is lost.
pub(crate) async fn carry_over(
    conn: &mut Conn,
    flavor: Flavor,
    source: &TableName,
    ghost: &TableName,
) -> Result<()> {
    let carried = match flavor {
        Flavor::MySql => histograms::carry_over(conn, source, ghost).await,
        Flavor::MariaDb => independent::copy(conn, source, ghost).await,
    };
    told(carried, ghost)
}

/// Keeps what the server has left of them when it altered the ghost, for as long as the ghost is not whole.
///
/// # Errors
/// A connection that is lost.
pub(crate) async fn keep(conn: &mut Conn, flavor: Flavor, ghost: &TableName, kept: &TableName) -> Result<()> {
    match flavor {
        Flavor::MySql => Ok(()),
        Flavor::MariaDb => {
            forget(conn, flavor, kept).await?;
            told(independent::copy(conn, ghost, kept).await, ghost)
        }
    }
}

/// Forgets what was kept.
///
/// # Errors
/// A connection that is lost.
pub(crate) async fn forget(conn: &mut Conn, flavor: Flavor, kept: &TableName) -> Result<()> {
    match flavor {
        Flavor::MySql => Ok(()),
        Flavor::MariaDb => told(independent::forget(conn, kept).await, kept),
    }
}

/// Brings the statistics of the ghost, which has all its rows and indexes now, up to date.
///
/// # Errors
/// A connection that is lost.
pub(crate) async fn refresh(upstream: &Upstream, plan: &Plan, kept: &TableName) -> Result<()> {
    let (flavor, ghost) = (upstream.flavor(), plan.ghost_name());
    let mut conn = upstream.control().await?;
    told(analyze(&mut conn, flavor, ghost).await, ghost)?;
    let refreshed = match flavor {
        Flavor::MySql => histograms::refresh(&mut conn, plan).await,
        Flavor::MariaDb => independent::copy(&mut conn, kept, ghost).await,
    };
    told(refreshed, ghost)?;
    forget(&mut conn, flavor, kept).await?;
    Ok(conn.disconnect().await?)
}

/// Has InnoDB look at a few pages of each index. Whoever asks MariaDB for more than that reads the whole table.
async fn analyze(conn: &mut Conn, flavor: Flavor, ghost: &TableName) -> Result<()> {
    if flavor == Flavor::MariaDb {
        conn.query_drop("SET SESSION use_stat_tables='NEVER'").await?;
    }
    Ok(conn
        .query_drop(format!("ANALYZE TABLE {ghost} {OWN_COMMENT}"))
        .await?)
}

/// A word of the server's against it is logged, and no more, be it a lock that somebody else has.
fn told(result: Result<()>, ghost: &TableName) -> Result<()> {
    match result {
        Err(error) if error.server().is_some() => {
            tracing::info!(%ghost, %error, "statistics are not carried over");
            Ok(())
        }
        other => other,
    }
}
