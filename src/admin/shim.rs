//! What opensrv calls: each statement is understood and answered.

use std::io;
use std::sync::Arc;

use alterego_proxy::hooks::Grid;
use async_trait::async_trait;
use opensrv_mysql::{
    AsyncMysqlShim, Column, ColumnFlags, ColumnType, ErrorKind, InitWriter, OkResponse, ParamParser,
    QueryResultWriter, StatementMetaWriter, StatusFlags,
};
use tokio::io::AsyncWrite;

use super::statement::{self, Statement, Wrong};
use super::variables::Session;
use crate::status::StatusSource;

/// One connection.
pub(super) struct Shim {
    source: Arc<dyn StatusSource>,
    session: Session,
}

impl Shim {
    pub(super) fn new(source: Arc<dyn StatusSource>, user: String, connection_id: u32) -> Self {
        Self {
            source,
            session: Session { user, connection_id },
        }
    }
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin> AsyncMysqlShim<W> for Shim {
    type Error = io::Error;

    async fn on_query<'a>(&'a mut self, query: &'a str, results: QueryResultWriter<'a, W>) -> io::Result<()> {
        match statement::understand(query, &self.session) {
            Ok(Statement::ShowMigrations) => write(&self.source.migrations().await, results).await,
            Ok(Statement::ShowRoutes) => write(&self.source.routes(), results).await,
            Ok(Statement::ShowUpstreams) => write(&self.source.upstreams(), results).await,
            Ok(Statement::Rows(grid)) => write(&grid, results).await,
            Ok(Statement::Accepted) => {
                let ok = OkResponse {
                    status_flags: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
                    ..OkResponse::default()
                };
                results.completed(ok).await
            }
            Err(Wrong::Variable(name)) => {
                let text = format!("Unknown system variable '{name}'");
                results
                    .error(ErrorKind::ER_UNKNOWN_SYSTEM_VARIABLE, text.as_bytes())
                    .await
            }
            Err(Wrong::Unknown) => match self.source.accept(query).await {
                Some(Ok(text)) => write(&statement::said(text), results).await,
                Some(Err(text)) => results.error(ErrorKind::ER_UNKNOWN_ERROR, text.as_bytes()).await,
                None => results.error(ErrorKind::ER_NOT_SUPPORTED_YET, UNKNOWN).await,
            },
        }
    }

    async fn on_init<'a>(&'a mut self, _: &'a str, writer: InitWriter<'a, W>) -> io::Result<()> {
        writer
            .error(
                ErrorKind::ER_BAD_DB_ERROR,
                &b"The admin endpoint has no schemas"[..],
            )
            .await
    }

    // The wire in front refuses prepared statements, so the three below are never reached; they refuse once more.

    async fn on_prepare<'a>(&'a mut self, _: &'a str, writer: StatementMetaWriter<'a, W>) -> io::Result<()> {
        writer.error(ErrorKind::ER_UNSUPPORTED_PS, UNKNOWN).await
    }

    async fn on_execute<'a>(
        &'a mut self,
        _: u32,
        _: ParamParser<'a>,
        results: QueryResultWriter<'a, W>,
    ) -> io::Result<()> {
        results.error(ErrorKind::ER_UNSUPPORTED_PS, UNKNOWN).await
    }

    async fn on_close<'a>(&'a mut self, _: u32)
    where
        W: 'async_trait,
    {
    }
}

const UNKNOWN: &[u8] = b"The admin endpoint does not know this statement; HELP lists what it knows";

async fn write<W: AsyncWrite + Unpin>(grid: &Grid, results: QueryResultWriter<'_, W>) -> io::Result<()> {
    let columns: Vec<Column> = grid.columns.iter().map(|name| column(name)).collect();
    let mut rows = results.start(&columns).await?;
    for row in &grid.rows {
        rows.write_row(row.iter().map(Option::as_deref)).await?;
    }
    rows.finish().await
}

fn column(name: &str) -> Column {
    Column {
        table: String::new(),
        column: name.to_owned(),
        coltype: ColumnType::MYSQL_TYPE_VAR_STRING,
        colflags: ColumnFlags::empty(),
    }
}
