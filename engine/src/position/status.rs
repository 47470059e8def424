//! Where a server's binary log stands now.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::Position;
use crate::{Error, Flavor, Result};

impl Position {
    /// The end of the server's binary log.
    ///
    /// # Errors
    /// Those of the queries (the account needs REPLICATION CLIENT, on MariaDB BINLOG MONITOR), and
    /// [`Error::Fatal`] if the server writes no binary log.
    pub async fn current(conn: &mut Conn, flavor: Flavor) -> Result<Self> {
        let server = server_identity(conn, flavor).await?;
        let gtids = executed_gtids(conn, flavor).await?;
        let row: Option<Row> = conn.query_first(status_statement(conn, flavor)).await?;
        let place = row.and_then(|row| Some((row.get_opt(0)?.ok()?, row.get_opt(1)?.ok()?)));
        let (file, offset) = place.ok_or_else(|| Error::fatal("the server writes no binary log"))?;
        Ok(Self {
            server,
            file,
            offset,
            gtids,
        })
    }
}

fn status_statement(conn: &Conn, flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql if conn.server_version() >= (8, 2, 0) => "SHOW BINARY LOG STATUS",
        Flavor::MySql | Flavor::MariaDb => "SHOW MASTER STATUS",
    }
}

/// What tells this server from every other.
pub(crate) async fn server_identity(conn: &mut Conn, flavor: Flavor) -> Result<String> {
    let statement = match flavor {
        Flavor::MySql => "SELECT @@GLOBAL.server_uuid",
        // MariaDB has no UUID of its own. Taking one server for two only means to go by its GTIDs.
        Flavor::MariaDb => "SELECT CONCAT_WS('/', @@GLOBAL.hostname, @@GLOBAL.port, @@GLOBAL.server_id)",
    };
    let identity: Option<String> = conn.query_first(statement).await?;
    identity.ok_or_else(|| Error::fatal("the server does not tell which server it is"))
}

/// The GTIDs in the binary log; `None` where the server has them off.
async fn executed_gtids(conn: &mut Conn, flavor: Flavor) -> Result<Option<String>> {
    let statement = match flavor {
        Flavor::MySql => "SELECT IF(@@GLOBAL.gtid_mode='ON', @@GLOBAL.gtid_executed, NULL)",
        Flavor::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
    };
    let gtids: Option<Option<String>> = conn.query_first(statement).await?;
    Ok(gtids.flatten().map(|gtids| gtids.replace(['\n', ' '], "")))
}
