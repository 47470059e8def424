//! Refuses an ENUM or SET in the character set `binary` whose members are not plain: no server shows them as they are, so the
//! ghost would have others.

use super::refuse;
use crate::Refusal;
use crate::alter::Statement;
use crate::table::{Column, Table};

pub(super) fn check(_: &Statement, source: &Table) -> Result<(), Refusal> {
    let is_shown_otherwise = |column: &&Column| {
        matches!(column.data_type.as_str(), "enum" | "set")
            && column
                .charset
                .as_deref()
                .is_none_or(|charset| charset == "binary")
            && (!column.column_type.is_ascii() || column.column_type.contains('?'))
    };
    match source.columns.iter().find(is_shown_otherwise) {
        Some(column) => refuse(format!(
            "the members of {} are not shown as they are",
            column.name
        )),
        None => Ok(()),
    }
}
