//! A table as the server describes it.

mod choose;
mod definition;
mod load;

pub(crate) use choose::declared_length;
pub(crate) use definition::definition_lines;
pub use definition::same_definition;

use crate::key::KeyColumn;
use crate::{Ident, TableName};

/// Whether a column's value is computed, and where it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    /// Computed when read.
    Virtual,
    /// Computed when written.
    Stored,
}

/// One column, as `information_schema.columns` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Ident,
    /// `DATA_TYPE`, lower case: `int`, `varchar`, …
    pub data_type: String,
    /// `COLUMN_TYPE`: `int unsigned`, `varchar(50)`, `enum('a','b')`, …
    pub column_type: String,
    /// Character set of a text column.
    pub charset: Option<String>,
    /// Collation of a text column.
    pub collation: Option<String>,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Whether it is computed.
    pub generated: Option<Generated>,
    /// Whether it is the AUTO_INCREMENT column.
    pub auto_increment: bool,
    /// Its default as `COLUMN_DEFAULT` gives it.
    pub default: Option<String>,
    /// Whether the default is computed for each row (an expression, CURRENT_TIMESTAMP).
    pub computed_default: bool,
}

/// A unique key (the primary key among them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey {
    /// Its name; `PRIMARY` for the primary key.
    pub name: Ident,
    /// Its columns in key order. Empty name for a functional key part.
    pub columns: Vec<UniqueKeyPart>,
}

/// One part of a unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKeyPart {
    /// The column; `None` for an expression.
    pub column: Option<Ident>,
    /// Prefix length in characters, where only a prefix is indexed.
    pub prefix: Option<u32>,
}

/// Any index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name; `PRIMARY` for the primary key.
    pub name: Ident,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether it is a B-tree, which rows can be read by in key order.
    pub btree: bool,
    /// Whether the optimizer may use it (VISIBLE, NOT IGNORED).
    pub visible: bool,
    /// Its parts in key order.
    pub parts: Vec<IndexPart>,
}

/// One part of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPart {
    /// The column; `None` for an expression.
    pub column: Option<Ident>,
    /// Prefix length in characters, where only a prefix is indexed.
    pub prefix: Option<u32>,
    /// Whether it is stored in descending order.
    pub descending: bool,
}

/// What is tied to a table from outside its columns and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Names of its triggers.
    pub triggers: Vec<String>,
    /// The tables its own foreign keys refer to.
    pub references: Vec<TableName>,
    /// The tables whose foreign keys refer to it.
    pub referenced_by: Vec<TableName>,
    /// Whether it is partitioned.
    pub partitioned: bool,
    /// Whether it has an application-time period (MariaDB).
    pub period: bool,
}

/// A table's definition, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name, as the server spells it.
    pub name: TableName,
    /// `SHOW CREATE TABLE`'s text.
    pub create: String,
    /// All columns in table order.
    pub columns: Vec<Column>,
    /// All unique keys, the primary key first.
    pub unique_keys: Vec<UniqueKey>,
    /// All indexes in the server's own order.
    pub indexes: Vec<Index>,
    /// Triggers, foreign keys, partitions.
    pub surroundings: Surroundings,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &Ident) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.same_column(name))
    }
}

/// The key the engine reads, copies and follows a table by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenKey {
    /// The index's name, `PRIMARY` or another; for FORCE INDEX.
    pub index: Ident,
    /// Its columns in key order.
    pub columns: Vec<KeyColumn>,
}
