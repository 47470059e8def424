//! What MariaDB's own ALTER leaves as it is where it does not copy the table, and an INSERT cannot.
//!
//! - The CHECK of a new column is not asked about the rows that are there. JSON is such a column, since its CHECK is
//!   `json_valid`: `ADD j JSON NOT NULL, FORCE` leaves empty texts that no INSERT may write, the row copy included.
//! - A STORED generated column whose base is replaced by another column of its name keeps the old values.
//!
//! Only the server can leave such rows.

use crate::alter::{Action, Statement};
use crate::mapping::{MappedColumn, Mapping};
use crate::table::{Column, Generated, Table};
use crate::{Flavor, Ident, Refusal};

/// # Errors
/// Where the server would not copy the table, and leave rows that cannot be written.
pub(super) fn check(
    statement: &Statement,
    copies: bool,
    ghost: &Table,
    mapping: &Mapping,
) -> Result<(), Refusal> {
    if statement.flavor() == Flavor::MySql || copies {
        return Ok(());
    }
    let is_new = |column: &&Column| {
        let filled = |pair: &MappedColumn| pair.ghost.same_column(&column.name);
        column.generated.is_none() && !mapping.columns.iter().any(filled)
    };
    for column in ghost.columns.iter().filter(is_new) {
        if has_check(&ghost.create, column) {
            return Err(Refusal(format!(
                "the server does not ask the CHECK of the new column {} about the rows that are there",
                column.name
            )));
        }
        let is_stored = |column: &Column| column.generated == Some(Generated::Stored);
        if ghost.columns.iter().any(is_stored) && is_dropped(statement, &column.name) {
            return Err(Refusal(format!(
                "the server may keep what was computed from the column {} that is replaced",
                column.name
            )));
        }
    }
    Ok(())
}

/// Whether the column's line in `SHOW CREATE TABLE` has a CHECK, or seems to.
fn has_check(create: &str, column: &Column) -> bool {
    let begin = format!("{} ", column.name);
    let mut lines = create.lines().map(str::trim_start);
    lines.any(|line| line.starts_with(&begin) && line.contains(" CHECK ("))
}

fn is_dropped(statement: &Statement, column: &Ident) -> bool {
    let drops =
        |action: &Action| matches!(action, Action::DropColumn { name, .. } if name.same_column(column));
    statement.actions().iter().any(drops)
}
