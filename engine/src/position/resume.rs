//! Whether a server can go on from a position: it has everything before it, and nothing after it is purged.
//!
//! # Why this is correct
//! Going on from a position the server has not reached would mean that transactions seen here were lost there (a
//! failover to a replica that lagged, a crash without a durable binary log): rows they touched may differ from the
//! ghost's and no event says so. Purged transactions are changes nobody will ever hear of.
//!
//! During a semi-synchronous commit a transaction is in the log and not yet in `gtid_executed`; its GTID is then in
//! `gtid_owned`. That is read first: between the two a GTID can only move from owned to executed.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::status::server_identity;
use super::{Domains, GtidSet, Position, same_log};
use crate::ident::quoted_text;
use crate::{Error, Flavor, Result};

/// Whether the stream can start at `position` on this server; if not, what is missing.
///
/// # Errors
/// Those of the queries.
pub async fn can_resume(conn: &mut Conn, flavor: Flavor, position: &Position) -> Result<Result<(), String>> {
    let same_server = server_identity(conn, flavor).await? == position.server;
    match (flavor, &position.gtids) {
        (Flavor::MySql, Some(gtids)) => match mysql_gtids(conn, gtids).await? {
            Ok(()) if same_server => same_log::holds(conn, flavor, position).await,
            verdict => Ok(verdict),
        },
        (Flavor::MariaDb, Some(gtids)) if !same_server => mariadb_gtids(conn, gtids).await,
        (Flavor::MariaDb, Some(gtids)) => match mariadb_reached(conn, gtids).await? {
            Ok(()) => same_log::holds(conn, flavor, position).await,
            missing => Ok(missing),
        },
        (_, None) if same_server => same_log::holds(conn, flavor, position).await,
        (_, None) => Ok(Err(format!(
            "the position {position} is one of another server ({}), and without GTIDs it cannot be found on this one",
            position.server
        ))),
    }
}

async fn mysql_gtids(conn: &mut Conn, gtids: &str) -> Result<Result<(), String>> {
    let ours = quoted_text(gtids);
    let row: Option<(String, String, String, String)> = conn
        .query_first(format!(
            "SELECT @@GLOBAL.gtid_owned, @@GLOBAL.gtid_mode, GTID_SUBTRACT({ours}, @@GLOBAL.gtid_executed), \
             GTID_SUBTRACT(@@GLOBAL.gtid_purged, {ours})"
        ))
        .await?;
    let (owned, mode, missing, purged) =
        row.ok_or_else(|| Error::fatal("the server does not tell its GTIDs"))?;
    let mut missing: GtidSet = missing.parse()?;
    missing.subtract(&without_owners(&owned).parse()?);
    Ok(if mode != "ON" {
        Err(format!("the server's gtid_mode is {mode} now"))
    } else if !missing.is_empty() {
        Err(format!("the server does not have the transactions {missing}"))
    } else if !purged.is_empty() {
        Err(format!("the server has purged the transactions {purged}"))
    } else {
        Ok(())
    })
}

/// `uuid:23#17:24#18` without the ids of the owning sessions.
fn without_owners(owned: &str) -> String {
    let mut text = String::with_capacity(owned.len());
    let mut in_owner = false;
    for c in owned.chars() {
        in_owner = c == '#' || in_owner && c.is_ascii_digit();
        if !in_owner {
            text.push(c);
        }
    }
    text
}

async fn mariadb_gtids(conn: &mut Conn, gtids: &str) -> Result<Result<(), String>> {
    if let Err(missing) = mariadb_reached(conn, gtids).await? {
        return Ok(Err(missing));
    }
    let Some((first, _)) = binary_logs(conn).await?.into_iter().next() else {
        return Ok(Err("the server has no binary log".to_owned()));
    };
    // The GTIDs before the first file that is still there.
    let purged: Option<Option<String>> = conn
        .query_first(format!("SELECT BINLOG_GTID_POS({}, 4)", quoted_text(&first)))
        .await?;
    let purged: Domains = purged.flatten().unwrap_or_default().parse()?;
    let purged = purged.ahead_of(&gtids.parse()?);
    Ok(if purged.is_empty() {
        Ok(())
    } else {
        Err(format!("the server has purged transactions up to {purged}"))
    })
}

async fn mariadb_reached(conn: &mut Conn, gtids: &str) -> Result<Result<(), String>> {
    let reached: Option<String> = conn.query_first("SELECT @@GLOBAL.gtid_binlog_pos").await?;
    let missing = gtids
        .parse::<Domains>()?
        .ahead_of(&reached.unwrap_or_default().parse()?);
    Ok(if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("the server has not reached the transactions {missing}"))
    })
}

/// Names and sizes of the binary logs that are still there, oldest first.
///
/// # Errors
/// Those of the query.
pub async fn binary_logs(conn: &mut Conn) -> Result<Vec<(String, u64)>> {
    let rows: Vec<Row> = conn.query("SHOW BINARY LOGS").await?;
    let log = |row: &Row| Some((row.get_opt(0)?.ok()?, row.get_opt(1)?.ok()?));
    Ok(rows.iter().filter_map(log).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_left_out() {
        let check = |owned: &str, expected: &str| assert_eq!(without_owners(owned), expected);
        check("", "");
        check("aa-1:23#17:24#18", "aa-1:23:24");
        check("aa-1:23#17, bb-2:1#4", "aa-1:23, bb-2:1");
    }
}
