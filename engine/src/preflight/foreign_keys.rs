//! Refuses tables with a foreign key on either side.
//!
//! A rename drags the references of child tables to the replaced table, and cascaded changes are not in the binary
//! log of every server.

use super::refuse;
use crate::Refusal;
use crate::alter::Statement;
use crate::table::Table;

pub(super) fn check(_: &Statement, source: &Table) -> Result<(), Refusal> {
    let around = &source.surroundings;
    if let Some(parent) = around.references.first() {
        return refuse(format!("the table has a foreign key to {parent}"));
    }
    if let Some(child) = around.referenced_by.first() {
        return refuse(format!("a foreign key of {child} refers to the table"));
    }
    Ok(())
}
