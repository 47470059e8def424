//! Whether anybody would wait for a long statement of the binary log.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::processlist::processes;
use crate::{Flavor, Result};

/// Whether a replica, or a cluster, applies what this server writes.
///
/// A reader of the log under alterego's own account is taken for alterego: it reads the log as a replica does.
pub(super) async fn would_wait(conn: &mut Conn, flavor: Flavor) -> Result<bool> {
    let account: Option<String> = conn.query_first("SELECT USER()").await?;
    let account = account.unwrap_or_default();
    let own = account
        .rsplit_once('@')
        .map_or(account.as_str(), |(user, _)| user);
    let reads_log = processes(conn)
        .await?
        .iter()
        .any(|process| process.command.starts_with("Binlog Dump") && process.user != own);
    Ok(reads_log || is_in_cluster(conn, flavor).await?)
}

async fn is_in_cluster(conn: &mut Conn, flavor: Flavor) -> Result<bool> {
    let (statement, column, alone) = match flavor {
        Flavor::MySql => (
            "SELECT COUNT(*) > 1 FROM performance_schema.replication_group_members",
            0,
            "0",
        ),
        Flavor::MariaDb => ("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'", 1, "OFF"),
    };
    let row: Option<Row> = conn.query_first(statement).await?;
    let value: Option<String> = row.and_then(|row| row.get_opt(column)?.ok());
    Ok(value.is_some_and(|value| value != alone))
}
