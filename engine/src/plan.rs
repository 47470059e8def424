//! What one migration does, settled before the first row is copied and never changed after.

use crate::mapping::Mapping;
use crate::reconcile::{Turns, Warning};
use crate::session::SessionSettings;
use crate::table::{ChosenKey, Table, UniqueKey};
use crate::{Ident, TableName};

/// The plan of one migration: source, ghost, and how rows go from one to the other.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table as the application knows it.
    pub source: Table,
    /// Its alter ego, altered and still empty.
    pub ghost: Table,
    /// The key rows are copied and followed by; its columns exist, with the same order, in both tables.
    pub key: ChosenKey,
    /// The names of the key's columns in the ghost, in key order.
    pub ghost_key: Vec<Ident>,
    /// The index of the ghost that starts with the key's columns.
    pub ghost_index: Ident,
    /// Which source column fills which ghost column.
    pub mapping: Mapping,
    /// Unique keys the ghost has and the source has not: the data may violate them, and then the answer is 1062.
    pub new_unique_keys: Vec<UniqueKey>,
    /// The client's session settings.
    pub settings: SessionSettings,
    /// `time_zone` of the sessions that copy rows.
    pub time_zone: String,
    /// Whether the server itself would have copied the table: then its OK packet counts the rows.
    pub native_copies: bool,
    /// Where the client's own clause has the numbering of rows go on.
    pub counter: Option<u64>,
    /// How the writers of the ghost stay out of each other's way.
    pub turns: Turns,
    /// What the server warned of when it altered the empty ghost: notes about the definition.
    pub definition_warnings: Vec<Warning>,
}

impl Plan {
    /// The source's name.
    pub fn source_name(&self) -> &TableName {
        &self.source.name
    }

    /// The ghost's name.
    pub fn ghost_name(&self) -> &TableName {
        &self.ghost.name
    }
}
