//! Refuses schemas whose name leaves no room for the ghost's.

use super::refuse;
use crate::alter::Statement;
use crate::table::Table;
use crate::{Refusal, TableName, names};

pub(super) fn check(_: &Statement, source: &Table) -> Result<(), Refusal> {
    of(&source.name)
}

pub(super) fn of(name: &TableName) -> Result<(), Refusal> {
    if names::fit(name) {
        return Ok(());
    }
    refuse(format!(
        "the name of the schema {} is too long to derive the ghost table's schema from",
        name.schema
    ))
}
