//! What cannot be done online, one reason a file. Each check looks at the statement and the table and changes
//! nothing; a refusal means that the server runs the client's own statement.

mod foreign_keys;
mod key;
mod name;
mod period;
mod schema;
mod triggers;

use crate::alter::Statement;
use crate::table::Table;
use crate::{Refusal, TableName};

type Check = fn(&Statement, &Table) -> Result<(), Refusal>;

const CHECKS: [Check; 6] = [
    schema::check,
    name::check,
    key::check,
    foreign_keys::check,
    triggers::check,
    period::check,
];

/// Whether the statement may be carried out online on this table.
///
/// # Errors
/// The first reason against it.
pub fn check(statement: &Statement, source: &Table) -> Result<(), Refusal> {
    CHECKS.iter().try_for_each(|check| check(statement, source))
}

/// The checks that need nothing but the table's name; they can be made before the server is asked anything.
///
/// # Errors
/// The reason why a table of this name is never migrated.
pub fn check_name(name: &TableName) -> Result<(), Refusal> {
    schema::of(name)?;
    name::of(name)
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(reason.into()))
}
