//! One of the two servers.

use alterego_engine::table::Table;
use alterego_engine::{Error, ServerVersion, TableName};
use anyhow::Context;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::cli::ServerAddress;
use crate::startup;
use crate::tls::Way;

/// A connection that reads.
pub(super) struct Server {
    pub(super) conn: Conn,
    pub(super) version: ServerVersion,
    /// How the connection is reached; it ends with this.
    _way: Way,
}

impl Server {
    pub(super) async fn reach(address: &ServerAddress) -> anyhow::Result<Self> {
        let way = Way::to(address)?;
        let mut conn = startup::connect(address, way.opts.clone()).await?;
        // One text for each value: a TIMESTAMP has it in UTC, a CHAR without padding.
        conn.query_drop("SET SESSION sql_mode='', time_zone='+00:00', wait_timeout=28800")
            .await?;
        let text: Option<String> = conn.query_first("SELECT VERSION()").await?;
        let text = text.unwrap_or_default();
        let version = ServerVersion::parse(&text)
            .with_context(|| format!("the server at {address} calls itself `{text}`"))?;
        Ok(Self {
            conn,
            version,
            _way: way,
        })
    }

    /// The table's definition, or why its rows cannot be compared.
    pub(super) async fn load(&mut self, name: &TableName) -> anyhow::Result<Result<Table, String>> {
        match Table::load(&mut self.conn, name).await {
            Ok(table) => Ok(Ok(table)),
            Err(Error::Refused(reason)) => Ok(Err(reason.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}
