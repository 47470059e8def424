//! The client's own settings decide what its text means on the ghost.

use alterego_engine::alter::{ReadMode, understand};
use alterego_engine::plan::Plan;
use alterego_engine::session::{SessionSettings, Upstream};
use alterego_engine::table::Table;
use alterego_engine::{Error, TableName, ghost};
use anyhow::{Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::servers;

async fn plan(upstream: &Upstream, sql: &str, sql_mode: &str, charset: &str) -> Result<Plan, Error> {
    let mode = ReadMode {
        ansi_quotes: sql_mode.contains("ANSI_QUOTES"),
        no_backslash_escapes: sql_mode.contains("NO_BACKSLASH_ESCAPES"),
    };
    let statement = understand(sql, mode, upstream.flavor())
        .map_err(|reason| Error::fatal(format!("not understood: {reason:?}")))?;
    let source = Table::load(&mut upstream.control().await?, &TableName::new("app", "t")).await?;
    let settings = SessionSettings {
        sql_mode: sql_mode.to_owned(),
        time_zone: "SYSTEM".to_owned(),
        character_set_client: charset.to_owned(),
        collation_connection: format!("{charset}_bin"),
        foreign_key_checks: true,
    };
    ghost::build(
        upstream,
        alterego_engine::preflight::check(&statement, &source).map_err(alterego_engine::Error::Refused)?,
        &settings,
    )
    .await
}

#[tokio::test]
async fn the_clients_settings_reach_the_ghost() -> Result<()> {
    let (_servers, upstreams) = servers::start().await?;
    for upstream in upstreams {
        let mut conn = Conn::new(upstream.opts().clone()).await?;
        conn.query_drop("CREATE SCHEMA app CHARACTER SET latin1").await?;
        conn.query_drop("CREATE TABLE app.t (a INT PRIMARY KEY, b CHAR(9) DEFAULT '\\\\')")
            .await?;
        let odd = r#"ALTER TABLE "t" ADD "x y" CHAR(9) DEFAULT '\', ADD z INT DEFAULT 5"#;
        let planned = plan(&upstream, odd, "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "utf8mb4").await?;
        let names: Vec<&str> = planned.ghost.columns.iter().map(|c| c.name.as_str()).collect();
        ensure!(names == ["a", "b", "x y", "z"], "{names:?}");
        ensure!(
            planned.ghost.create.contains("latin1"),
            "{}",
            planned.ghost.create
        );
        let accented = "ALTER TABLE t ADD é INT";
        ensure!(plan(&upstream, accented, "", "utf8mb4").await.is_ok());
        let refused = plan(&upstream, accented, "", "latin1").await;
        ensure!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        ensure!(
            plan(&upstream, "ALTER TABLE t ADD e INT", "", "latin1")
                .await
                .is_ok()
        );
    }
    Ok(())
}
