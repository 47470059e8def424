//! Which `time_zone` the sessions run under that copy rows.

use crate::Refusal;
use crate::key::KeyKind;
use crate::mapping::Mapping;
use crate::session::SessionSettings;
use crate::table::{ChosenKey, Table};

const UTC: &str = "+00:00";

/// UTC, in which every TIMESTAMP has a text of its own; the client's where a value crosses between TIMESTAMP and
/// another type, because then the zone is part of the result.
pub(super) fn choose(
    source: &Table,
    ghost: &Table,
    mapping: &Mapping,
    key: &ChosenKey,
    settings: &SessionSettings,
) -> Result<String, Refusal> {
    let is_timestamp = |table: &Table, name| {
        table
            .column(name)
            .is_some_and(|column| column.data_type == "timestamp")
    };
    let crosses = mapping
        .columns
        .iter()
        .any(|pair| is_timestamp(source, &pair.source) != is_timestamp(ghost, &pair.ghost));
    if !crosses {
        return Ok(UTC.to_owned());
    }
    if key.columns.iter().any(|column| column.kind == KeyKind::Timestamp) {
        return Err(Refusal(
            "it converts between TIMESTAMP and another type while the table's key holds a TIMESTAMP"
                .to_owned(),
        ));
    }
    Ok(settings.time_zone.clone())
}
