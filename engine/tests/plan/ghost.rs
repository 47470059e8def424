//! The ghost against the server's own ALTER of a table with rows: same definition, same rows once copied, same
//! kind of OK packet; and a refusal wherever the server's own ALTER fails.

use alterego_engine::alter::{ReadMode, understand};
use alterego_engine::plan::Plan;
use alterego_engine::session::{SessionSettings, Upstream};
use alterego_engine::table::Table;
use alterego_engine::{Error, TableName, ghost, preflight};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use crate::cases::{CLAUSES, CREATE, ROWS};
use crate::servers;

/// The `sql_mode`s that decide how a server goes about a change of nullability.
const SQL_MODES: [&str; 2] = ["STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", ""];

fn settings(sql_mode: &str) -> SessionSettings {
    SessionSettings {
        sql_mode: sql_mode.to_owned(),
        time_zone: "+03:00".to_owned(),
        character_set_client: "utf8mb4".to_owned(),
        collation_connection: "utf8mb4_general_ci".to_owned(),
        foreign_key_checks: true,
    }
}

#[tokio::test]
async fn the_ghost_is_what_the_server_makes_of_the_table() -> Result<()> {
    let (_servers, upstreams) = servers::start().await?;
    for upstream in upstreams {
        let mut wrong = Vec::new();
        for sql_mode in SQL_MODES {
            // Only a column defined anew is treated differently by the modes.
            let told_apart = |clauses: &&&str| !sql_mode.is_empty() || clauses.starts_with("MODIFY");
            for clauses in CLAUSES.iter().filter(told_apart) {
                if let Err(error) = compare(&upstream, sql_mode, clauses).await {
                    wrong.push(format!(
                        "{:?} '{sql_mode}': {clauses}: {error:#}",
                        upstream.flavor()
                    ));
                }
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    Ok(())
}

/// Runs the clauses natively on a clone and through the ghost, and compares everything.
async fn compare(upstream: &Upstream, sql_mode: &str, clauses: &str) -> Result<()> {
    let mut conn = client(upstream, sql_mode).await?;
    let sql = format!("ALTER TABLE t {clauses}");
    for schema in ["app", "native"] {
        conn.query_drop(format!("DROP SCHEMA IF EXISTS {schema}")).await?;
        conn.query_drop(format!("CREATE SCHEMA {schema} CHARACTER SET utf8mb4"))
            .await?;
        conn.query_drop(format!("USE {schema}")).await?;
        conn.query_drop(CREATE).await?;
        conn.query_drop(ROWS).await?;
    }
    let native = conn.query_drop(&sql).await;
    let affected = conn.affected_rows();
    let warnings = shown_warnings(&mut conn).await?;
    let mut control = upstream.control().await?;
    let source = Table::load(&mut control, &TableName::new("app", "t")).await?;
    let statement = understand(&sql, ReadMode::default(), upstream.flavor())
        .map_err(|reason| anyhow::anyhow!("not understood: {reason:?}"))?;
    let plan = match preflight::check(&statement, &source) {
        Ok(checked) => ghost::build(upstream, checked, &settings(sql_mode)).await,
        Err(refusal) => Err(Error::Refused(refusal)),
    };
    match (native, plan) {
        (Err(_), Err(Error::Refused(_))) => Ok(()),
        (Err(native), Err(other)) => anyhow::bail!("native {native}, ghost {other}"),
        (Err(native), Ok(_)) => anyhow::bail!("the server refuses it: {native}"),
        (Ok(()), Err(error)) => anyhow::bail!("the server takes it, the ghost does not: {error}"),
        (Ok(()), Ok(plan)) => {
            ensure!(
                plan.native_copies == (affected > 0),
                "native_copies is {}, {affected} rows were affected",
                plan.native_copies
            );
            let said: Vec<_> = plan
                .definition_warnings
                .iter()
                .map(|w| (w.code, w.message.clone()))
                .collect();
            ensure!(said == warnings, "warnings {said:?}, native {warnings:?}");
            same_table(upstream, &mut conn, &plan).await
        }
    }
}

async fn shown_warnings(conn: &mut Conn) -> Result<Vec<(u16, String)>> {
    let rows: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await?;
    Ok(rows
        .into_iter()
        .map(|(_, code, message)| (code, message))
        .collect())
}

async fn client(upstream: &Upstream, sql_mode: &str) -> Result<Conn> {
    let mut conn = Conn::new(upstream.opts().clone()).await?;
    conn.query_drop(format!(
        "SET SESSION sql_mode='{sql_mode}', time_zone='+03:00', collation_connection='utf8mb4_general_ci'"
    ))
    .await?;
    Ok(conn)
}

/// Copies the rows as the plan says and compares definition and rows with the native result.
async fn same_table(upstream: &Upstream, conn: &mut Conn, plan: &Plan) -> Result<()> {
    let mut worker = upstream
        .worker(&plan.settings, &plan.time_zone, plan.native_copies)
        .await?;
    let mut into: Vec<String> = plan
        .mapping
        .columns
        .iter()
        .map(|pair| pair.ghost.to_string())
        .collect();
    let mut from: Vec<String> = plan
        .mapping
        .columns
        .iter()
        .map(|pair| pair.source.to_string())
        .collect();
    for constant in &plan.mapping.constants {
        into.push(constant.ghost.to_string());
        from.push(constant.value.to_owned());
    }
    let ghost_name = plan.ghost_name();
    let copy = format!(
        "INSERT INTO {ghost_name} ({}) SELECT {} FROM {}",
        into.join(","),
        from.join(","),
        plan.source_name()
    );
    worker.query_drop(&copy).await.with_context(|| copy.clone())?;
    let native = Table::load(&mut worker, &TableName::new("native", "t")).await?;
    let ghost = Table::load(&mut worker, ghost_name).await?;
    ensure!(
        ghost.create == native.create,
        "{}\nnatively\n{}",
        ghost.create,
        native.create
    );
    conn.query_drop("SET SESSION time_zone='+00:00'").await?;
    let names: Vec<String> = native
        .columns
        .iter()
        .map(|column| column.name.to_string())
        .collect();
    let rows = |table: String| format!("SELECT {} FROM {table} ORDER BY id", names.join(","));
    let ours = values(conn, rows(ghost_name.to_string())).await?;
    let theirs = values(conn, rows(native.name.to_string())).await?;
    ensure!(ours == theirs, "{ours:?}\nnatively\n{theirs:?}");
    Ok(())
}

async fn values(conn: &mut Conn, sql: String) -> Result<Vec<Vec<Value>>> {
    let rows: Vec<Row> = conn.query(sql).await?;
    Ok(rows.into_iter().map(Row::unwrap).collect())
}
