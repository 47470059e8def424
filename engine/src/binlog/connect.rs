//! Asking a server for its binary log from a position on.
//!
//! # Which way
//! MySQL with GTIDs on: by GTIDs, which find the place on any server. MariaDB: by file and offset on the server the
//! position is of, which is exact and needs no search; by GTIDs on any other. Everything else: file and offset.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn, Sid};

use super::StreamEnd;
use crate::ident::quoted_text;
use crate::position::{GtidSet, Position, binary_logs, can_resume, server_identity};
use crate::session::Upstream;
use crate::{Error, Flavor, Result};

/// How often an idle server says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long a server may block on sending: a slow applier must not cost the connection.
const NET_WRITE_TIMEOUT_SECONDS: u32 = 3600;

/// A stream from a server that has everything before the position and nothing after it purged.
pub(super) struct Connection {
    pub(super) stream: BinlogStream,
    /// Which server it is.
    pub(super) server: String,
    /// Whether the server's names of schemas and tables ignore case.
    pub(super) ignore_case: bool,
}

/// Connects and starts the stream at `from`.
pub(super) async fn connect(upstream: &Upstream, from: &Position) -> Result<Connection, StreamEnd> {
    let flavor = upstream.flavor();
    let mut conn = upstream.control().await?;
    if let Err(missing) = can_resume(&mut conn, flavor, from).await? {
        return Err(StreamEnd::Purged(missing));
    }
    let server = server_identity(&mut conn, flavor).await?;
    let lower_case_table_names: Option<u8> =
        query_first(&mut conn, "SELECT @@lower_case_table_names").await?;
    let heartbeat_nanos = HEARTBEAT.as_nanos();
    query_drop(
        &mut conn,
        &format!(
            "SET @master_heartbeat_period={heartbeat_nanos}, @source_heartbeat_period={heartbeat_nanos}, \
             SESSION net_write_timeout={NET_WRITE_TIMEOUT_SECONDS}"
        ),
    )
    .await?;
    let stream = request(conn, flavor, from, server == from.server).await?;
    Ok(Connection {
        stream,
        server,
        ignore_case: lower_case_table_names != Some(0),
    })
}

/// The binary log after `file`, where the server still has both.
pub(super) async fn file_after(upstream: &Upstream, file: &str) -> Result<Option<String>> {
    let mut conn = upstream.control().await?;
    let mut files = binary_logs(&mut conn).await?.into_iter().map(|(name, _)| name);
    Ok(files.find(|name| name == file).and_then(|_| files.next()))
}

async fn request(mut conn: Conn, flavor: Flavor, from: &Position, same_server: bool) -> Result<BinlogStream> {
    // A server drops an older stream with the same id, so every connection has one of its own.
    let server_id = rand::random_range(0x8000_0000..=u32::MAX);
    let request = BinlogStreamRequest::new(server_id);
    let far = u32::try_from(from.offset).is_err();
    let request = match (flavor, &from.gtids) {
        (Flavor::MySql, Some(gtids)) => request.with_gtid().with_gtid_set(sids(gtids)?),
        (Flavor::MySql, None) => {
            let request = request.with_filename(from.file.as_bytes()).with_pos(from.offset);
            // Only the command for GTIDs has room for an offset above 4 GiB.
            if far { request.with_gtid() } else { request }
        }
        (Flavor::MariaDb, gtids) => {
            query_drop(&mut conn, "SET @mariadb_slave_capability=4").await?;
            match gtids {
                Some(gtids) if far || !same_server => {
                    let statement = format!(
                        "SET @slave_connect_state={}, @slave_gtid_strict_mode=0, @slave_gtid_ignore_duplicates=0",
                        quoted_text(gtids)
                    );
                    query_drop(&mut conn, &statement).await?;
                    request
                }
                _ => request.with_filename(from.file.as_bytes()).with_pos(from.offset),
            }
        }
    };
    Ok(conn.get_binlog_stream(request).await?)
}

fn sids(gtids: &str) -> Result<Vec<Sid<'static>>> {
    let set: GtidSet = gtids.parse()?;
    let sids = set.origins().into_iter().map(|origin| {
        origin
            .parse()
            .map_err(|error| Error::fatal(format!("`{origin}` is not a set of GTIDs: {error}")))
    });
    sids.collect()
}

async fn query_drop(conn: &mut Conn, statement: &str) -> Result<()> {
    Ok(conn.query_drop(statement).await?)
}

async fn query_first<T>(conn: &mut Conn, statement: &str) -> Result<Option<T>>
where
    T: mysql_async::prelude::FromRow + Send + 'static,
{
    Ok(conn.query_first(statement).await?)
}
