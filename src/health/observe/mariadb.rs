//! What a MariaDB server says of itself. Needs SLAVE MONITOR.
//!
//! Its GTIDs are those of the binary log, so a commit that waits there for a semi-synchronous replica counts as done. If the
//! server is lost at that moment, a replica without it is refused, although nobody was told that it is done. MariaDB
//! has no figure that leaves it out; the operator decides.

use alterego_engine::Flavor;
use mysql_async::{Conn, Row};

use super::super::report::{Identity, Report};
use super::super::transactions::Transactions;
use super::{Failure, StatusColumns, ask, ask_by_right, is_on, text};

/// One statement, so that what it says belongs together. Older versions have no `server_uid`.
const FACTS: &str = "SELECT @@GLOBAL.server_id AS id, @@GLOBAL.read_only AS read_only, @@GLOBAL.log_bin AS log_bin, \
    @@GLOBAL.gtid_binlog_state AS written, @@GLOBAL.gtid_slave_pos AS followed, \
    COALESCE((SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'SERVER_UID'), \
    CONCAT(@@GLOBAL.hostname, ':', @@GLOBAL.port)) AS uid";
const GTIDS: &str = "SELECT @@GLOBAL.log_bin AS log_bin, @@GLOBAL.gtid_binlog_state AS written, \
    @@GLOBAL.gtid_slave_pos AS followed";
const STATUS: &str = "SHOW ALL SLAVES STATUS";
const COLUMNS: StatusColumns = StatusColumns {
    host: "Master_Host",
    port: "Master_Port",
    receiving: "Slave_IO_Running",
    applying: "Slave_SQL_Running",
    behind: "Seconds_Behind_Master",
    origin: "Master_Server_Id",
};

/// Asks for it.
pub(super) async fn report(conn: &mut Conn) -> Result<Report, Failure> {
    let facts = ask(conn, FACTS).await?.ok_or("it says nothing of itself")?;
    let channels = ask_by_right(conn, STATUS, "SLAVE MONITOR ON *.*").await?;
    let id = text(&facts, "id");
    Ok(Report {
        writable: !is_on(&text(&facts, "read_only")),
        closed: None,
        transactions: gtids(&facts)?,
        received: received(&channels)?,
        channels: channels.iter().map(|row| COLUMNS.channel(row)).collect(),
        group: None,
        identity: Identity {
            unique: format!("{}/{id}", text(&facts, "uid")),
            origin: id,
        },
    })
}

/// What is in its own log, and where it stands in another's: a clone has the second only.
pub(super) async fn transactions(conn: &mut Conn) -> Result<Option<Transactions>, Failure> {
    Ok(gtids(
        &ask(conn, GTIDS).await?.ok_or("it says nothing of itself")?,
    )?)
}

fn gtids(facts: &Row) -> Result<Option<Transactions>, String> {
    let followed = text(facts, "followed");
    if !is_on(&text(facts, "log_bin")) && followed.is_empty() {
        return Ok(None);
    }
    let both = format!("{},{followed}", text(facts, "written"));
    Transactions::parse(Flavor::MariaDb, &both).map(Some)
}

/// `Gtid_IO_Pos` moves on when a transaction has arrived as a whole.
fn received(channels: &[Row]) -> Result<Option<Transactions>, String> {
    let by_gtid = channels.iter().filter(|row| text(row, "Using_Gtid") != "No");
    let positions: Vec<String> = by_gtid.map(|row| text(row, "Gtid_IO_Pos")).collect();
    if positions.is_empty() {
        return Ok(None);
    }
    Transactions::parse(Flavor::MariaDb, &positions.join(",")).map(Some)
}
