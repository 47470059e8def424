//! Whether a position lies in a server's binary log as it did when it was taken.
//!
//! # Why GTIDs do not show it
//! After `RESET BINARY LOGS AND GTIDS`, or put back to an older state, a server gives the numbers of lost transactions
//! to new ones. Once it has given as many, its GTIDs look as if nothing had happened. But its log is another: it has no such
//! place, or none where an event begins, or there it gives out a number that was before the position.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::resume::binary_logs;
use super::{Domains, GtidSet, Position};
use crate::ident::quoted_text;
use crate::{Flavor, Result};

/// 1220: SHOW BINLOG EVENTS finds no event at the place.
const NO_EVENT: u16 = 1220;

/// Whether the server's own log still holds `position`; if not, what is wrong.
///
/// # Errors
/// Those of the queries.
pub(super) async fn holds(
    conn: &mut Conn,
    flavor: Flavor,
    position: &Position,
) -> Result<Result<(), String>> {
    let logs = binary_logs(conn).await?;
    let size = logs.iter().find(|(file, _)| *file == position.file);
    match size.map(|(_, size)| *size) {
        // MySQL finds its place by GTIDs, and they have shown that nothing after it is purged.
        None if flavor == Flavor::MySql && position.gtids.is_some() => {
            not_behind(conn, flavor, position).await
        }
        None => Ok(Err(format!(
            "the server has purged its binary log {}",
            position.file
        ))),
        Some(size) if size < position.offset => Ok(Err(format!(
            "the server's binary log {} ends at {size}, before {}: transactions after it are lost",
            position.file, position.offset
        ))),
        Some(_) => goes_on(conn, flavor, position).await,
    }
}

async fn not_behind(conn: &mut Conn, flavor: Flavor, position: &Position) -> Result<Result<(), String>> {
    let end = Position::current(conn, flavor).await?;
    Ok(match end.at_or_after(position) {
        true => Ok(()),
        false => Err(format!(
            "the server's binary log ends at {end}, before {position}: it was begun anew"
        )),
    })
}

/// Whether an event begins at the place, if there is one yet, that may come after it.
async fn goes_on(conn: &mut Conn, flavor: Flavor, position: &Position) -> Result<Result<(), String>> {
    let sql = format!(
        "SHOW BINLOG EVENTS IN {} FROM {} LIMIT 1",
        quoted_text(&position.file),
        position.offset
    );
    let event: Option<Row> = match conn.query_first(sql).await {
        Err(mysql_async::Error::Server(error)) if error.code == NO_EVENT => {
            return match is_cut_off_there(conn, flavor, position).await? {
                true => Ok(Ok(())),
                false => Ok(Err(another_log(position))),
            };
        }
        other => other?,
    };
    let Some(event) = event else {
        return Ok(Ok(()));
    };
    let place: Option<u64> = event.get_opt(1).and_then(Result::ok);
    let kind: String = event.get_opt(2).and_then(Result::ok).unwrap_or_default();
    if place != Some(position.offset) || is_inside_a_transaction(&kind) {
        return Ok(Err(another_log(position)));
    }
    let info: String = event.get_opt(5).and_then(Result::ok).unwrap_or_default();
    Ok(match given_before(flavor, position.gtids.as_deref(), &info)? {
        Some(gtid) => Err(format!(
            "the server's binary log has {gtid} after {position}, where it was before: it was begun anew"
        )),
        None => Ok(()),
    })
}

/// Whether an event of this kind is never the first of a transaction.
fn is_inside_a_transaction(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind == "xid" || kind == "table_map" || kind.contains("rows")
}

fn another_log(position: &Position) -> String {
    format!("the server's binary log has no event at {position}: it was begun anew")
}

/// A crash may have left half an event there (MariaDB): the transactions before it are those of the position.
async fn is_cut_off_there(conn: &mut Conn, flavor: Flavor, position: &Position) -> Result<bool> {
    let (Flavor::MariaDb, Some(gtids)) = (flavor, &position.gtids) else {
        return Ok(false);
    };
    let sql = format!(
        "SELECT BINLOG_GTID_POS({}, {})",
        quoted_text(&position.file),
        position.offset
    );
    let there: Option<Option<String>> = conn.query_first(sql).await?;
    match there.flatten() {
        Some(there) => Ok(there.parse::<Domains>()? == gtids.parse()?),
        None => Ok(false),
    }
}

/// The GTID of an event, if it is among `gtids`.
fn given_before(flavor: Flavor, gtids: Option<&str>, info: &str) -> Result<Option<String>> {
    let (Some(gtid), Some(gtids)) = (gtid_of(flavor, info), gtids) else {
        return Ok(None);
    };
    let before = match flavor {
        Flavor::MySql => {
            let mut rest: GtidSet = gtid.parse()?;
            rest.subtract(&gtids.parse()?);
            rest.is_empty()
        }
        Flavor::MariaDb => gtid.parse::<Domains>()?.ahead_of(&gtids.parse()?).is_empty(),
    };
    Ok(before.then(|| gtid.to_owned()))
}

/// `SET @@SESSION.GTID_NEXT= 'uuid:5'` (MySQL), `BEGIN GTID 0-1-5 cid=7` (MariaDB).
fn gtid_of(flavor: Flavor, info: &str) -> Option<&str> {
    match flavor {
        Flavor::MySql => {
            let quoted = info.strip_prefix("SET @@SESSION.GTID_NEXT= '")?;
            let (gtid, _) = quoted.split_once('\'')?;
            gtid.contains(':').then_some(gtid)
        }
        Flavor::MariaDb => {
            let rest = info
                .strip_prefix("BEGIN ")
                .unwrap_or(info)
                .strip_prefix("GTID ")?;
            rest.split(' ').next()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn a_number_given_out_twice_is_noticed() {
        let check = |flavor, gtids: Option<&str>, info: &str, expected: Option<&str>| {
            let found = given_before(flavor, gtids, info).unwrap();
            assert_eq!(found.as_deref(), expected, "{info}");
        };
        let set = |n: u64| format!("SET @@SESSION.GTID_NEXT= '{UUID}:{n}'");
        let had = format!("{UUID}:1-20");
        check(Flavor::MySql, Some(&had), &set(21), None);
        check(Flavor::MySql, Some(&had), &set(20), Some(&format!("{UUID}:20")));
        check(Flavor::MySql, None, &set(20), None);
        check(
            Flavor::MySql,
            Some(&had),
            "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'",
            None,
        );
        check(
            Flavor::MySql,
            Some(&had),
            "Server ver: 9.7.0, Binlog ver: 4",
            None,
        );
        check(Flavor::MariaDb, Some("0-1-20"), "BEGIN GTID 0-1-21", None);
        check(
            Flavor::MariaDb,
            Some("0-1-20"),
            "BEGIN GTID 0-1-20 cid=5",
            Some("0-1-20"),
        );
        check(Flavor::MariaDb, Some("0-1-20"), "GTID 0-2-7", Some("0-2-7"));
        check(Flavor::MariaDb, Some("0-1-20"), "GTID 3-2-7", None);
        check(Flavor::MariaDb, Some("0-1-20"), "[0-1-20]", None);
    }
}
