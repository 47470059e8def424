//! Refuses tables with triggers where these cannot follow it: always on MariaDB, where the session that has the locks may
//! not rename, so that others could write between two steps of a swap that takes several; and where they are many, because
//! they follow while the table is locked.

use super::refuse;
use crate::alter::Statement;
use crate::table::Table;
use crate::triggers::MAX_TRIGGERS;
use crate::{Flavor, Refusal};

pub(super) fn check(statement: &Statement, source: &Table) -> Result<(), Refusal> {
    let triggers = &source.surroundings.triggers;
    match triggers.first() {
        Some(trigger) if statement.flavor() == Flavor::MariaDb => {
            refuse(format!("the table has a trigger (`{trigger}`)"))
        }
        Some(_) if triggers.len() > MAX_TRIGGERS => refuse(format!(
            "the table has {} triggers, and {MAX_TRIGGERS} can follow it",
            triggers.len()
        )),
        _ => Ok(()),
    }
}
