//! A column that becomes AUTO_INCREMENT: the server's ALTER numbers its rows with 0 or NULL anew, one after the other.
//!
//! Rows are copied in any order, and again when they change, so only the server can number them. It is asked whether there
//! are any before anything is copied.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::plan::Plan;
use crate::table::Column;
use crate::{Error, Ident, Result};

/// # Errors
/// [`Error::Refused`] where there are such rows. Those of the statement.
pub(super) async fn check(conn: &mut Conn, plan: &Plan) -> Result<()> {
    let mut modes = plan.settings.sql_mode.split(',');
    if modes.any(|mode| mode.eq_ignore_ascii_case("NO_AUTO_VALUE_ON_ZERO")) {
        return Ok(());
    }
    let Some(column) = becomes_numbered(plan) else {
        return Ok(());
    };
    let sql = format!(
        "SELECT 1 FROM {} WHERE {column} = 0 OR {column} IS NULL LIMIT 1",
        plan.source.name
    );
    match conn.query_first::<u8, _>(sql).await? {
        Some(_) => Err(Error::refused(format!(
            "the server gives numbers to the rows that have none in {column}"
        ))),
        None => Ok(()),
    }
}

/// The source's column that fills an AUTO_INCREMENT column and is none itself.
fn becomes_numbered(plan: &Plan) -> Option<&Ident> {
    let numbered = plan.ghost.columns.iter().find(|column| column.auto_increment)?;
    let mut pairs = plan.mapping.columns.iter();
    let pair = pairs.find(|pair| pair.ghost.same_column(&numbered.name))?;
    let source: &Column = plan.source.column(&pair.source)?;
    (!source.auto_increment).then_some(&source.name)
}
