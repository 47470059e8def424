//! Refuses tables with an application-time period: a DELETE or UPDATE of a portion of it writes rows of its own.

use super::refuse;
use crate::Refusal;
use crate::alter::Statement;
use crate::table::Table;

pub(super) fn check(_: &Statement, source: &Table) -> Result<(), Refusal> {
    if source.surroundings.period {
        return refuse("the table has an application-time period");
    }
    Ok(())
}
