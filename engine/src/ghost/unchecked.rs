//! New columns whose CHECK the server's own ALTER does not look at.
//!
//! MariaDB adds a column in place without asking its CHECK about the rows that are there; JSON is such a column, since its
//! CHECK is `json_valid`. So `ADD j JSON NOT NULL, FORCE` leaves empty texts that no INSERT may write, the row copy
//! included. Only the server can do that.

use crate::mapping::Mapping;
use crate::table::{Column, Table};
use crate::{Flavor, Refusal};

/// # Errors
/// Where a new column has a CHECK and the server would not copy the table.
pub(super) fn check(flavor: Flavor, copies: bool, ghost: &Table, mapping: &Mapping) -> Result<(), Refusal> {
    if flavor == Flavor::MySql || copies {
        return Ok(());
    }
    let is_new = |column: &&Column| {
        let filled = |pair: &crate::mapping::MappedColumn| pair.ghost.same_column(&column.name);
        column.generated.is_none() && !mapping.columns.iter().any(filled)
    };
    let mut new = ghost.columns.iter().filter(is_new);
    match new.find(|column| has_check(&ghost.create, column)) {
        Some(column) => Err(Refusal(format!(
            "the server does not ask the CHECK of the new column {} about the rows that are there",
            column.name
        ))),
        None => Ok(()),
    }
}

/// Whether the column's line in `SHOW CREATE TABLE` has a CHECK, or seems to.
fn has_check(create: &str, column: &Column) -> bool {
    let begin = format!("{} ", column.name);
    let mut lines = create.lines().map(str::trim_start);
    lines.any(|line| line.starts_with(&begin) && line.contains(" CHECK ("))
}
