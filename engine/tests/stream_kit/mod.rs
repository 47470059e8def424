//! What the engine's live tests share: a private server, a connection, and a stream read to its end.

// Each test binary uses its own part of this file.
#![allow(dead_code)]

use std::time::Duration;

use alterego_engine::binlog::{StreamEnd, StreamItem, StreamRequest, Streamer};
use alterego_engine::key::{Key, KeyColumn, KeyKind};
use alterego_engine::position::Position;
use alterego_engine::session::Upstream;
use alterego_engine::table::ChosenKey;
use alterego_engine::{Flavor, Ident, TableName};
use alterego_testkit::{Options, Server};
use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::timeout;

/// The schema of the tests' tables.
pub(crate) const SCHEMA: &str = "app";

/// How long a stream may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) upstream: Upstream,
    /// An ordinary session, in the schema, in UTC.
    pub(crate) conn: Conn,
}

impl Fixture {
    pub(crate) async fn start(flavor: alterego_testkit::Flavor, options: &Options) -> Result<Self> {
        let server = Server::start(flavor, options).await?;
        let upstream = Upstream::reach(server.root_opts()).await?;
        let mut conn = server.root().await?;
        conn.query_drop(format!("CREATE DATABASE {SCHEMA}")).await?;
        conn.query_drop(format!("USE {SCHEMA}")).await?;
        conn.query_drop("SET time_zone='+00:00', sql_mode='NO_AUTO_VALUE_ON_ZERO'")
            .await?;
        Ok(Self {
            server,
            upstream,
            conn,
        })
    }

    pub(crate) fn flavor(&self) -> Flavor {
        self.upstream.flavor()
    }

    /// Another session like [`Fixture::conn`].
    pub(crate) async fn session(&self) -> Result<Conn> {
        let mut conn = self.server.root().await?;
        conn.query_drop(format!("USE {SCHEMA}")).await?;
        Ok(conn)
    }

    pub(crate) async fn run(&mut self, statements: &[&str]) -> Result<()> {
        for statement in statements {
            self.conn
                .query_drop(*statement)
                .await
                .with_context(|| (*statement).to_owned())?;
        }
        Ok(())
    }

    pub(crate) async fn position(&mut self) -> Result<Position> {
        Ok(Position::current(&mut self.conn, self.upstream.flavor()).await?)
    }

    /// A stream of table `t`, from `start` on.
    pub(crate) async fn stream(
        &self,
        columns: usize,
        key: Vec<KeyColumn>,
        start: Position,
    ) -> Result<Streamer> {
        let request = StreamRequest {
            source: TableName::new(SCHEMA, "t"),
            columns,
            key: ChosenKey {
                index: Ident::new("PRIMARY"),
                columns: key,
            },
            start,
        };
        Ok(Streamer::open(&self.upstream, request).await?)
    }
}

/// A signed INT key column.
pub(crate) fn int(name: &str, ordinal: usize) -> KeyColumn {
    column(
        name,
        ordinal,
        KeyKind::Int {
            unsigned: false,
            bytes: 4,
        },
        None,
    )
}

pub(crate) fn column(name: &str, ordinal: usize, kind: KeyKind, charset: Option<&str>) -> KeyColumn {
    KeyColumn {
        name: Ident::new(name),
        ordinal,
        kind,
        charset: charset.map(str::to_owned),
    }
}

/// Everything the stream yields until it has passed `target`.
pub(crate) async fn items_until(streamer: &mut Streamer, target: &Position) -> Result<Vec<StreamItem>> {
    let mut items = Vec::new();
    loop {
        let item = timeout(CATCH_UP, streamer.next())
            .await
            .with_context(|| format!("the stream did not reach {target} after {:?}", items.last()))??;
        let passed = matches!(&item, StreamItem::TransactionEnd(position) if position.at_or_after(target));
        items.push(item);
        if passed {
            return Ok(items);
        }
    }
}

/// The keys the stream yields until it has passed `target`.
pub(crate) async fn keys_until(streamer: &mut Streamer, target: &Position) -> Result<Vec<Key>> {
    let items = items_until(streamer, target).await?;
    let keys = items.into_iter().filter_map(|item| match item {
        StreamItem::Key(key) => Some(key),
        StreamItem::TransactionEnd(_) => None,
    });
    Ok(keys.collect())
}

/// How the stream ends.
pub(crate) async fn end_of(streamer: &mut Streamer) -> Result<StreamEnd> {
    loop {
        if let Err(end) = timeout(CATCH_UP, streamer.next()).await? {
            return Ok(end);
        }
    }
}
