//! Who would keep a table lock waiting.
//!
//! A waiting lock request makes every later statement on the table wait behind it, so none is made while a
//! session is known to hold the table for long, or to hold up every change of a definition (LOCK INSTANCE FOR BACKUP).

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::request::quoted_pair;
use crate::processlist::processes;
use crate::{Flavor, Result, TableName};

/// The sessions in the way of a lock on a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InTheWay {
    /// Their connection ids.
    pub(super) sessions: Vec<u64>,
    /// Whether they hold this very table; if not, they may hold others only.
    pub(super) certain: bool,
}

/// The sessions that have held one of `tables`, or waited for it, for longer than `long`.
pub(super) async fn in_the_way(
    conn: &mut Conn,
    flavor: Flavor,
    tables: &[TableName],
    long: Duration,
) -> Result<InTheWay> {
    // Without the right to read it, or with performance_schema off, the InnoDB tables have to do.
    if flavor == Flavor::MySql
        && shows_metadata_locks(conn).await
        && let Ok(sessions) = conn.query(by_metadata_locks(tables, long)).await
    {
        return Ok(InTheWay {
            sessions,
            certain: true,
        });
    }
    let mut sessions = long_statements(conn, tables, long).await?;
    sessions.extend(long_transactions(conn, flavor, long).await?);
    Ok(InTheWay {
        sessions,
        certain: false,
    })
}

/// Whether an empty list of metadata locks means that there are none.
async fn shows_metadata_locks(conn: &mut Conn) -> bool {
    let sql = "SELECT 1 FROM performance_schema.setup_instruments \
               WHERE name = 'wait/lock/metadata/sql/mdl' AND enabled = 'YES'";
    let enabled: mysql_async::Result<Option<u8>> = conn.query_first(sql).await;
    enabled.is_ok_and(|enabled| enabled.is_some())
}

fn by_metadata_locks(tables: &[TableName], long: Duration) -> String {
    format!(
        "SELECT DISTINCT t.processlist_id FROM performance_schema.metadata_locks m \
         JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id \
         LEFT JOIN performance_schema.events_transactions_current e \
           ON e.thread_id = m.owner_thread_id AND e.state = 'ACTIVE' \
         WHERE t.processlist_id <> CONNECTION_ID() \
           AND (m.object_type = 'TABLE' AND (m.object_schema, m.object_name) IN ({}) \
               AND (m.lock_status = 'PENDING' OR m.lock_duration = 'EXPLICIT' OR e.timer_wait > {}) \
             OR m.object_type = 'BACKUP LOCK' AND m.lock_type = 'SHARED')",
        tables.iter().map(quoted_pair).collect::<Vec<_>>().join(", "),
        long.as_nanos() * 1000,
    )
}

/// Statements that name one of the tables and have run for long.
async fn long_statements(conn: &mut Conn, tables: &[TableName], long: Duration) -> Result<Vec<u64>> {
    let own = u64::from(conn.id());
    let sessions = processes(conn).await?.into_iter();
    let in_the_way = sessions.filter(|session| {
        session.id != own
            && session.is_running()
            && session.seconds > whole_seconds(long)
            && tables
                .iter()
                .any(|table| session.info.contains(table.table.as_str()))
    });
    Ok(in_the_way.map(|session| session.id).collect())
}

/// Transactions open for long, whatever they hold.
async fn long_transactions(conn: &mut Conn, flavor: Flavor, long: Duration) -> Result<Vec<u64>> {
    let sql = format!(
        "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx \
         WHERE trx_started < NOW() - INTERVAL {} SECOND AND trx_mysql_thread_id <> 0",
        whole_seconds(long),
    );
    match conn.query(sql).await {
        // MySQL cannot show the table at this moment (see [`crate::processlist`]); the budget bounds the wait.
        Err(mysql_async::Error::Server(_)) if flavor == Flavor::MySql => Ok(Vec::new()),
        other => Ok(other?),
    }
}

/// InnoDB knows the age of a transaction in whole seconds only.
fn whole_seconds(long: Duration) -> u64 {
    long.as_secs().max(1)
}
