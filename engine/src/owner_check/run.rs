//! Checks carried out: early, to see that they can be made at all, and before the swap, to see what they say.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::render::{Target, statement};
use super::result::Answer;
use super::{OwnerCheck, objection};
use crate::cancel::unless_cancelled;
use crate::ident::quoted_text;
use crate::plan::Plan;
use crate::session::Upstream;
use crate::verify::interrupted;
use crate::{Error, Ident, Result, TableName, cut_over};

/// The most rows a check may give.
const MAX_ROWS: usize = 1000;

/// Puts every check to the empty ghost, and has the server explain it for the source, so that a check that cannot be made
/// ends the migration before the first row is copied.
///
/// # Errors
/// The client's answer, where one cannot be made, and those of the connection.
pub(crate) async fn rehearse(upstream: &Upstream, plan: &Plan, checks: &[OwnerCheck]) -> Result<()> {
    if checks.is_empty() {
        return Ok(());
    }
    let mut conn = upstream.control().await?;
    prepare(&mut conn, plan).await?;
    for check in checks {
        let (source, ghost) = statements(check, plan)?;
        for sql in [format!("EXPLAIN {source}"), ghost] {
            ask(&mut conn, check, &sql).await?;
        }
    }
    Ok(conn.disconnect().await?)
}

/// Compares what each check gives on source and ghost, both read in one snapshot that shows them alike.
///
/// # Errors
/// The client's answer, where one differs; the answer 1317 when cancelled; those of the statements.
pub(crate) async fn run(context: &cut_over::Context, checks: &[OwnerCheck]) -> Result<()> {
    if checks.is_empty() {
        return Ok(());
    }
    let mut conn = cut_over::snapshot(context).await?;
    let id = conn.id();
    let comparing = compare_all(&mut conn, &context.plan, checks);
    unless_cancelled(&context.upstream, context.cancelled.clone(), id, comparing)
        .await?
        .ok_or_else(interrupted)?;
    tracing::info!(table = %context.plan.source_name(), checks = checks.len(), "the owner's checks agree");
    Ok(conn.disconnect().await?)
}

async fn compare_all(conn: &mut Conn, plan: &Plan, checks: &[OwnerCheck]) -> Result<()> {
    prepare(conn, plan).await?;
    for check in checks {
        let (source, ghost) = statements(check, plan)?;
        let source = answer(conn, check, &source).await?;
        let ghost = answer(conn, check, &ghost).await?;
        if let Some((before, after)) = source.first_difference(&ghost) {
            tracing::warn!(table = %plan.source_name(), check = check.text, before, after, "a check of the owner's fails");
            return Err(objection(format_args!(
                "the check `{}` gives another result on the altered table",
                check.shown()
            )));
        }
    }
    Ok(())
}

/// Settings under which a check means the same on both tables, and a GROUP BY is not ambiguous.
async fn prepare(conn: &mut Conn, plan: &Plan) -> Result<()> {
    let zone = quoted_text(&plan.time_zone);
    Ok(conn
        .query_drop(format!(
            "SET SESSION sql_mode='ONLY_FULL_GROUP_BY', time_zone={zone}"
        ))
        .await?)
}

async fn answer(conn: &mut Conn, check: &OwnerCheck, sql: &str) -> Result<Answer> {
    let rows = ask(conn, check, sql).await?;
    if rows.len() > MAX_ROWS {
        return Err(objection(format_args!(
            "the check `{}` gives more than {MAX_ROWS} rows",
            check.shown()
        )));
    }
    Ok(Answer::of(rows))
}

async fn ask(conn: &mut Conn, check: &OwnerCheck, sql: &str) -> Result<Vec<Row>> {
    let asked = conn.query(sql).await.map_err(Error::from);
    asked.map_err(|error| match error {
        Error::Answer(server) => objection(format_args!(
            "the check `{}` cannot be made: {}",
            check.shown(),
            server.message
        )),
        other => other,
    })
}

/// The check as it is put to the source and to the ghost.
fn statements(check: &OwnerCheck, plan: &Plan) -> Result<(String, String)> {
    let in_source = |name: &Ident| plan.source.column(name).map(|column| column.name.clone());
    let in_ghost = |name: &Ident| in_source(name).and_then(|name| ghost_column(plan, &name));
    let source = written(
        check,
        plan.source_name(),
        &plan.key.index,
        &in_source,
        "the table",
    )?;
    let ghost = written(
        check,
        plan.ghost_name(),
        &plan.ghost_index,
        &in_ghost,
        "the altered table",
    )?;
    Ok((source, ghost))
}

fn written(
    check: &OwnerCheck,
    table: &TableName,
    index: &Ident,
    column: &dyn Fn(&Ident) -> Option<Ident>,
    which: &str,
) -> Result<String> {
    let target = Target { table, index, column };
    statement(&check.query, &target, MAX_ROWS + 1).map_err(|missing| {
        let (text, missing) = (check.shown(), missing.as_str());
        objection(format_args!(
            "the check `{text}` cannot be made: {which} has no column '{missing}'"
        ))
    })
}

/// The ghost's name for a column of the source. A generated column is not copied, but it keeps its name.
fn ghost_column(plan: &Plan, source: &Ident) -> Option<Ident> {
    let generated = || {
        let column = plan.ghost.column(source)?;
        column.generated.map(|_| column.name.clone())
    };
    plan.mapping.ghost_of(source).cloned().or_else(generated)
}
