//! Takes the indexes of the empty ghost away, if they can be put back as they were.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::choose::{Deferred, deferrable};
use super::replicas;
use crate::binlog::OWN_COMMENT;
use crate::failpoint::{self, Failpoint};
use crate::plan::Plan;
use crate::table::same_definition;
use crate::{Error, Flavor, Ident, Result, TableName};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The ghost lacks what is to be built in the end; perhaps nothing.
    Deferred(Deferred),
    /// The server does not put the indexes back as they were: the ghost has to be built again, and keep them.
    Spoiled,
}

/// Takes away the indexes that are better built in the end.
///
/// # Errors
/// A connection that is lost.
pub(crate) async fn put_off(conn: &mut Conn, flavor: Flavor, plan: &Plan) -> Result<Attempt> {
    let full = Deferred::until(&plan.ghost.create);
    let names = deferrable(plan);
    if names.is_empty() || replicas::would_wait(conn, flavor).await? {
        return Ok(Attempt::Deferred(full));
    }
    let ghost = plan.ghost_name();
    if !done(conn.query_drop(drop_statement(ghost, &names)).await)? {
        return Ok(Attempt::Deferred(full));
    }
    failpoint::hit(Failpoint::IndexesTakenAway);
    let bare = create_of(conn, ghost).await?;
    let back = add_statement(ghost, &full.missing(&bare), "INPLACE");
    let comes_back = done(conn.query_drop(back).await)?
        && same_definition(&create_of(conn, ghost).await?, full.full())
        && done(conn.query_drop(drop_statement(ghost, &names)).await)?;
    Ok(match comes_back {
        true => Attempt::Deferred(full),
        false => Attempt::Spoiled,
    })
}

/// Whether the server has done it; its refusal is an answer here like any other.
fn done(result: mysql_async::Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) => match Error::from(error) {
            Error::Answer(_) => Ok(false),
            other => Err(other),
        },
    }
}

fn drop_statement(ghost: &TableName, names: &[&Ident]) -> String {
    let clauses: Vec<String> = names.iter().map(|name| format!("DROP KEY {name}")).collect();
    format!("ALTER TABLE {ghost} {} {OWN_COMMENT}", clauses.join(", "))
}

/// Adds the indexes with these definitions in one statement, so that the rows are read once.
pub(super) fn add_statement(ghost: &TableName, definitions: &[&str], algorithm: &str) -> String {
    let clauses: Vec<String> = definitions.iter().map(|line| format!("ADD {line}")).collect();
    format!(
        "ALTER TABLE {ghost} {}, ALGORITHM={algorithm} {OWN_COMMENT}",
        clauses.join(", ")
    )
}

/// `SHOW CREATE TABLE` as it stands.
pub(crate) async fn create_of(conn: &mut Conn, table: &TableName) -> Result<String> {
    let row: Option<Row> = conn.query_first(format!("SHOW CREATE TABLE {table}")).await?;
    row.and_then(|row| row.get_opt(1)?.ok())
        .ok_or_else(|| Error::fatal(format!("the server does not describe {table}")))
}
