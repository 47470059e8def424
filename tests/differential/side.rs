//! One of the two tables of a play: what is done to it, and what is heard.

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::outcome::{Outcome, run};
use crate::session::FIRST;

/// Lets every row in that the columns can hold.
const SETUP_MODE: &str = "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00'";

/// A connection with `schema` as its default.
pub(crate) async fn connect(opts: &Opts, schema: &str) -> Result<Conn> {
    let opts = OptsBuilder::from_opts(opts.clone())
        .db_name(Some(schema))
        .stmt_cache_size(0);
    Conn::new(opts).await.context("no connection")
}

/// A session prepared by `settings`. What a server does not know, it does without, in both plays.
pub(crate) async fn session(opts: &Opts, schema: &str, settings: &[String]) -> Result<Conn> {
    let mut conn = connect(opts, schema).await?;
    conn.query_drop(FIRST).await?;
    for setting in settings {
        match conn.query_drop(setting).await {
            Ok(()) | Err(mysql_async::Error::Server(_)) => {}
            Err(error) => return Err(error).with_context(|| setting.clone()),
        }
    }
    Ok(conn)
}

/// Makes the table of a case the only one in `schema`; gives what the server has against it.
pub(crate) async fn set_up(direct: &Opts, schema: &str, statements: &[String]) -> Result<Option<String>> {
    let mut conn = connect(direct, schema).await?;
    let tables: Vec<String> = conn.query("SHOW TABLES").await?;
    for table in tables {
        conn.query_drop(format!("DROP TABLE {}", crate::names::quoted(&table)))
            .await?;
    }
    conn.query_drop(FIRST).await?;
    conn.query_drop(SETUP_MODE).await?;
    for statement in statements {
        match conn.query_drop(statement).await {
            Ok(()) => {}
            Err(mysql_async::Error::Server(error)) => return Ok(Some(format!("{error}: {statement}"))),
            Err(error) => return Err(error.into()),
        }
    }
    conn.disconnect().await?;
    Ok(None)
}

/// The outcomes of the statements of a transaction, one after the other, whatever the one before came to.
pub(crate) async fn transaction(conn: &mut Conn, statements: &[String]) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(statements.len());
    for statement in statements {
        outcomes.push(
            run(conn, statement)
                .await
                .with_context(|| format!("a writer's `{statement}`"))?,
        );
    }
    Ok(outcomes)
}
