//! Refuses tables with triggers: a table that has one cannot be renamed into another schema.

use super::refuse;
use crate::Refusal;
use crate::alter::Statement;
use crate::table::Table;

pub(super) fn check(_: &Statement, source: &Table) -> Result<(), Refusal> {
    match source.surroundings.triggers.first() {
        Some(trigger) => refuse(format!("the table has a trigger (`{trigger}`)")),
        None => Ok(()),
    }
}
