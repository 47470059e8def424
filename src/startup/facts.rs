//! What the checks look at, read in one go.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alterego_engine::{Flavor, ServerVersion};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::cli::Strategy;

/// The facts about the server and about alterego's account on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// `VERSION()`'s text.
    pub(super) version_text: String,
    /// The version in it, if there is one.
    pub(super) version: Option<ServerVersion>,
    /// `CURRENT_USER()`: the account as the server matched it.
    pub(super) account: String,
    /// `@@proxy_protocol_networks`, where there is such a variable.
    pub(super) proxy_networks: Option<String>,
    /// `@@log_bin`.
    pub(super) log_bin: bool,
    /// `@@binlog_format`; `ROW` where a server knows no other.
    pub(super) binlog_format: String,
    /// The schemas `binlog-do-db` and `binlog-ignore-db` name.
    pub(super) binlog_filter: String,
    /// `@@server_id`.
    pub(super) server_id: u64,
    /// `@@read_only`.
    pub(super) read_only: bool,
    /// The lines of `SHOW GRANTS`, which hold the grants of active roles, too.
    pub(super) grants: Vec<String>,
    /// The server's clock minus ours, in seconds.
    pub(super) clock_ahead_seconds: f64,
}

impl Facts {
    pub(super) async fn read(conn: &mut Conn, strategy: Strategy) -> mysql_async::Result<Self> {
        let mut facts = Self::default();
        let named: Option<(String, String)> = conn.query_first("SELECT VERSION(), CURRENT_USER()").await?;
        (facts.version_text, facts.account) = named.unwrap_or_default();
        facts.version = ServerVersion::parse(&facts.version_text);
        facts.proxy_networks = variable(conn, "proxy_protocol_networks").await?;
        if strategy == Strategy::Native {
            return Ok(facts);
        }
        facts.log_bin = variable(conn, "log_bin")
            .await?
            .is_some_and(|value| is_on(&value));
        facts.binlog_format = variable(conn, "binlog_format")
            .await?
            .unwrap_or_else(|| "ROW".to_owned());
        facts.server_id = variable(conn, "server_id")
            .await?
            .and_then(|value| value.parse().ok())
            .unwrap_or(0);
        facts.read_only = variable(conn, "read_only")
            .await?
            .is_some_and(|value| is_on(&value));
        facts.grants = conn.query("SHOW GRANTS").await?;
        facts.binlog_filter = binlog_filter(conn, facts.version).await?;
        facts.clock_ahead_seconds = clock_ahead_seconds(conn).await?;
        Ok(facts)
    }
}

/// A global variable; `None` where the server has none of that name.
async fn variable(conn: &mut Conn, name: &str) -> mysql_async::Result<Option<String>> {
    let row: Option<(String, String)> = conn
        .query_first(format!("SHOW GLOBAL VARIABLES LIKE '{name}'"))
        .await?;
    Ok(row.map(|(_, value)| value))
}

fn is_on(value: &str) -> bool {
    !matches!(value.to_ascii_uppercase().as_str(), "OFF" | "0" | "")
}

/// The log's status names its filters. An account that may not see it lacks a grant, which is reported by itself.
async fn binlog_filter(conn: &mut Conn, version: Option<ServerVersion>) -> mysql_async::Result<String> {
    let new_name = version.is_some_and(|v| v.flavor == Flavor::MySql && v.at_least(8, 2, 0));
    let status = if new_name {
        "SHOW BINARY LOG STATUS"
    } else {
        "SHOW MASTER STATUS"
    };
    let row: Option<Row> = match conn.query_first(status).await {
        Ok(row) => row,
        Err(mysql_async::Error::Server(_)) => None,
        Err(error) => return Err(error),
    };
    let column = |index| {
        row.as_ref()
            .and_then(|row: &Row| row.get_opt::<String, usize>(index)?.ok())
    };
    Ok([2, 3]
        .into_iter()
        .filter_map(column)
        .filter(|list| !list.is_empty())
        .collect::<Vec<_>>()
        .join(","))
}

/// Compares with the middle of the question's journey, so that half a round trip is not taken for a difference.
async fn clock_ahead_seconds(conn: &mut Conn) -> mysql_async::Result<f64> {
    let before = since_epoch();
    let server: Option<f64> = conn
        .query_first("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) AS DOUBLE)")
        .await?;
    let middle = (before + since_epoch()).as_secs_f64() / 2.0;
    Ok(server.map_or(0.0, |server| server - middle))
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
