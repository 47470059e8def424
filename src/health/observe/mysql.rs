//! What a MySQL server says of itself. Needs REPLICATION CLIENT; for a server in Group Replication also SELECT on
//! `performance_schema.replication_group_members`.

use alterego_engine::Flavor;
use mysql_async::{Conn, Row};

use super::super::report::{GroupMember, Identity, Report};
use super::super::transactions::Transactions;
use super::{Failure, StatusColumns, ask, ask_by_right, is_on, text, value};

/// One statement, so that what it says belongs together. The plugin is asked for, because without it nothing needs the
/// right to read the group's table.
const FACTS: &str = "SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.read_only AS read_only, \
    @@GLOBAL.super_read_only AS super_read_only, @@GLOBAL.offline_mode AS offline, @@GLOBAL.gtid_mode AS gtid_mode, \
    @@GLOBAL.gtid_executed AS executed, (SELECT COUNT(*) FROM information_schema.plugins \
    WHERE PLUGIN_NAME = 'group_replication' AND PLUGIN_STATUS = 'ACTIVE') AS grouped";
const GTIDS: &str = "SELECT @@GLOBAL.gtid_mode AS gtid_mode, @@GLOBAL.gtid_executed AS executed";
const GROUP: &str =
    "SELECT MEMBER_ID, MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members";
/// The first version with the new words.
const RENAMED: (u16, u16, u16) = (8, 0, 22);
const STATUS: (&str, StatusColumns) = (
    "SHOW REPLICA STATUS",
    StatusColumns {
        host: "Source_Host",
        port: "Source_Port",
        receiving: "Replica_IO_Running",
        applying: "Replica_SQL_Running",
        behind: "Seconds_Behind_Source",
        origin: "Source_UUID",
    },
);
const OLD_STATUS: (&str, StatusColumns) = (
    "SHOW SLAVE STATUS",
    StatusColumns {
        host: "Master_Host",
        port: "Master_Port",
        receiving: "Slave_IO_Running",
        applying: "Slave_SQL_Running",
        behind: "Seconds_Behind_Master",
        origin: "Master_UUID",
    },
);

/// Asks for it.
pub(super) async fn report(conn: &mut Conn) -> Result<Report, Failure> {
    let facts = ask(conn, FACTS).await?.ok_or("it says nothing of itself")?;
    let uuid = text(&facts, "uuid");
    let (statement, columns) = if conn.server_version() >= RENAMED {
        STATUS
    } else {
        OLD_STATUS
    };
    let status = ask_by_right(conn, statement, "REPLICATION CLIENT ON *.*").await?;
    // Group Replication's own channels follow no source.
    let channels = || {
        let own = |row: &&Row| text(row, "Channel_Name").starts_with("group_replication_");
        status.iter().filter(move |row| !own(row))
    };
    let group = if value::<u64>(&facts, "grouped") == Some(0) {
        None
    } else {
        const LACKS: &str = "SELECT ON performance_schema.replication_group_members";
        group(&ask_by_right(conn, GROUP, LACKS).await?, &uuid)
    };
    Ok(Report {
        writable: !is_on(&text(&facts, "read_only")) && !is_on(&text(&facts, "super_read_only")),
        closed: is_on(&text(&facts, "offline")).then(|| "it is in offline_mode".to_owned()),
        transactions: gtids(&facts)?,
        received: received(channels())?,
        channels: channels().map(|row| columns.channel(row)).collect(),
        group,
        identity: Identity {
            unique: uuid.clone(),
            origin: uuid,
        },
    })
}

/// What it has, if it numbers what it writes.
pub(super) async fn transactions(conn: &mut Conn) -> Result<Option<Transactions>, Failure> {
    Ok(gtids(
        &ask(conn, GTIDS).await?.ok_or("it says nothing of itself")?,
    )?)
}

fn gtids(facts: &Row) -> Result<Option<Transactions>, String> {
    if text(facts, "gtid_mode").starts_with("ON") {
        Transactions::parse(Flavor::MySql, &text(facts, "executed")).map(Some)
    } else {
        Ok(None)
    }
}

fn received<'a>(channels: impl Iterator<Item = &'a Row>) -> Result<Option<Transactions>, String> {
    let mut all: Option<Transactions> = None;
    for row in channels {
        let received = Transactions::parse(Flavor::MySql, &text(row, "Retrieved_Gtid_Set"))?;
        match &mut all {
            Some(all) => all.merge(&received),
            None => all = Some(received),
        }
    }
    Ok(all)
}

/// Its place in the group; `None` if it takes no part.
fn group(members: &[Row], uuid: &str) -> Option<GroupMember> {
    let own = members.iter().find(|row| text(row, "MEMBER_ID") == uuid)?;
    let state = text(own, "MEMBER_STATE");
    let unreachable = members
        .iter()
        .filter(|row| text(row, "MEMBER_STATE") == "UNREACHABLE");
    (state != "OFFLINE").then(|| GroupMember {
        primary: text(own, "MEMBER_ROLE") == "PRIMARY",
        majority: unreachable.count() * 2 < members.len(),
        state,
    })
}
