//! What cannot be done online, one reason a file. Each check looks at the statement and the table and changes
//! nothing; a refusal means that the server runs the client's own statement.

mod foreign_keys;
mod key;
mod members;
mod name;
mod period;
mod schema;
mod triggers;

use crate::Refusal;
use crate::alter::Statement;
use crate::table::Table;

type Check = fn(&Statement, &Table) -> Result<(), Refusal>;

const CHECKS: [Check; 7] = [
    schema::check,
    name::check,
    key::check,
    foreign_keys::check,
    triggers::check,
    period::check,
    members::check,
];

/// A statement that may be carried out online on a table; there is none that was not checked.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    statement: &'a Statement,
    source: &'a Table,
}

impl<'a> Checked<'a> {
    /// The statement.
    pub fn statement(self) -> &'a Statement {
        self.statement
    }

    /// The table.
    pub fn source(self) -> &'a Table {
        self.source
    }
}

/// Whether the statement may be carried out online on this table.
///
/// # Errors
/// The first reason against it.
pub fn check<'a>(statement: &'a Statement, source: &'a Table) -> Result<Checked<'a>, Refusal> {
    CHECKS.iter().try_for_each(|check| check(statement, source))?;
    Ok(Checked { statement, source })
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(reason.into()))
}
