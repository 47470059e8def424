//! Refuses the server's own schemas and the engine's.

use super::refuse;
use crate::alter::Statement;
use crate::table::Table;
use crate::{Refusal, TableName, names};

const SYSTEM: [&str; 5] = [
    "mysql",
    "sys",
    "information_schema",
    "performance_schema",
    names::STATE_SCHEMA,
];

pub(super) fn check(_: &Statement, source: &Table) -> Result<(), Refusal> {
    of(&source.name)
}

pub(super) fn of(name: &TableName) -> Result<(), Refusal> {
    let schema = name.schema.as_str().to_lowercase();
    if SYSTEM.contains(&schema.as_str()) {
        return refuse(format!(
            "{} is a schema of the server or of alterego itself",
            name.schema
        ));
    }
    if names::is_derived(&name.schema) {
        return refuse(format!(
            "{} holds tables that alterego itself has made",
            name.schema
        ));
    }
    Ok(())
}
