//! Refuses tables without a key that rows can be followed by.

use crate::Refusal;
use crate::alter::Statement;
use crate::table::Table;

pub(super) fn check(_: &Statement, source: &Table) -> Result<(), Refusal> {
    source.choose_key().map(drop)
}
