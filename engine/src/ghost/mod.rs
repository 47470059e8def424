//! The ghost: the source's alter ego, altered and still empty.
//!
//! # Why this is correct
//! The server itself alters the empty ghost, by the client's own words and under the client's own settings, so every
//! definition, generated name and default comes out as a native ALTER leaves it, and a definition the server refuses
//! is refused before the first row is copied. Nothing of the source is touched here.

mod definition;
mod inherited;
mod key;
mod renumbered;
mod time_zone;
mod unchecked;
mod unique;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::alter::Statement;
use crate::binlog::OWN_COMMENT;
use crate::failpoint::{self, Failpoint};
use crate::old_table::drop_table;
use crate::plan::Plan;
use crate::preflight::Checked;
use crate::reconcile::{Turns, Warning, rename_ghost};
use crate::session::{SessionSettings, Upstream};
use crate::table::Table;
use crate::{Result, TableName, conversion, mapping, names, statistics};

/// Builds the ghost of the checked statement's table and plans the migration.
///
/// # Errors
/// [`crate::Error::Refused`] when the change cannot be made this way; then no ghost is left behind.
pub async fn build(upstream: &Upstream, checked: Checked<'_>, settings: &SessionSettings) -> Result<Plan> {
    let (source, statement) = (checked.source(), checked.statement());
    let mut conn = upstream.control().await?;
    drop(&mut conn, &source.name).await?;
    let plan = build_from_scratch(upstream, &mut conn, source, statement, settings).await;
    if plan.is_err() {
        // The reason is what the caller must hear; a ghost that stays is dropped by the next attempt.
        let _ = drop(&mut conn, &source.name).await;
    }
    // The session is given back either way.
    let _ = conn.disconnect().await;
    plan
}

/// Drops the ghost of `source`, if there is one, wherever a swap that did not come has left it.
///
/// # Errors
/// The server's.
pub async fn drop(conn: &mut Conn, source: &TableName) -> Result<()> {
    let ghost = names::ghost(source);
    let schemas: Option<String> = conn
        .query_first(format!(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name={}",
            crate::ident::quoted_text(ghost.schema.as_str())
        ))
        .await?;
    if schemas.is_some() {
        conn.query_drop(format!("DROP TABLE IF EXISTS {ghost} {OWN_COMMENT}"))
            .await?;
    }
    for table in [names::next(source), names::rehearsal(source)] {
        // Asked first, so that the binary log does not hear of what is hardly ever there.
        let sql = format!(
            "SELECT 1 FROM information_schema.tables WHERE table_schema={} AND table_name={}",
            crate::ident::quoted_text(table.schema.as_str()),
            crate::ident::quoted_text(table.table.as_str()),
        );
        if conn.query_first::<u8, _>(sql).await?.is_some() {
            drop_table(conn, &table).await?;
        }
    }
    Ok(())
}

async fn build_from_scratch(
    upstream: &Upstream,
    conn: &mut Conn,
    source: &Table,
    statement: &Statement,
    settings: &SessionSettings,
) -> Result<Plan> {
    let name = names::ghost(&source.name);
    definition::create(conn, upstream.flavor(), source, &name).await?;
    failpoint::hit(Failpoint::GhostCreated);
    statistics::carry_over(conn, upstream.flavor(), &source.name, &name).await?;
    let altered = definition::alter(upstream, statement, &name, settings).await?;
    let plan = describe(conn, source, statement, settings, altered).await?;
    renumbered::check(conn, &plan).await?;
    Ok(plan)
}

/// The plan of a migration whose ghost was built by an earlier process.
///
/// `native_copies` is what [`build`] found out then; its warnings are not told twice.
///
/// # Errors
/// [`crate::Error::Refused`] when the ghost is gone or is not as it was left.
pub async fn adopt(
    conn: &mut Conn,
    source: &Table,
    statement: &Statement,
    settings: &SessionSettings,
    native_copies: bool,
) -> Result<Plan> {
    let altered = definition::Altered {
        copies: native_copies,
        warnings: Vec::new(),
    };
    describe(conn, source, statement, settings, altered).await
}

/// What follows from the two tables as they stand.
async fn describe(
    conn: &mut Conn,
    source: &Table,
    statement: &Statement,
    settings: &SessionSettings,
    altered: definition::Altered,
) -> Result<Plan> {
    let name = names::ghost(&source.name);
    let ghost = Table::load(conn, &name).await?;
    let mapping = mapping::derive(statement, source, &ghost)?;
    for pair in &mapping.columns {
        if let (Some(before), Some(after)) = (source.column(&pair.source), ghost.column(&pair.ghost)) {
            conversion::check(statement.flavor(), before, after, settings).map_err(crate::Error::Refused)?;
        }
    }
    unchecked::check(statement, altered.copies, &ghost, &mapping).map_err(crate::Error::Refused)?;
    let key = source.choose_key().map_err(crate::Error::Refused)?;
    let kept = key::survives(&key, source, &ghost, &mapping).map_err(crate::Error::Refused)?;
    let time_zone =
        time_zone::choose(source, &ghost, &mapping, &key, settings).map_err(crate::Error::Refused)?;
    let new_unique_keys = unique::new_keys(statement, source, &ghost, &mapping);
    let turns = Turns::for_ghost(conn, &ghost).await?;
    let mut plan = Plan {
        source: source.clone(),
        ghost,
        key,
        ghost_key: kept.columns,
        ghost_index: kept.index,
        mapping,
        new_unique_keys,
        settings: settings.clone(),
        time_zone,
        native_copies: altered.copies,
        counter: statement.counter(),
        turns,
        definition_warnings: Vec::new(),
    };
    let named = |warning: Warning| Warning {
        message: rename_ghost(&warning.message, &plan),
        ..warning
    };
    plan.definition_warnings = altered.warnings.into_iter().map(named).collect();
    Ok(plan)
}
