//! Which key the engine follows a table by.
//!
//! # Invariant
//! The chosen key is the one whose columns every row event holds, also under minimal row images: the primary key,
//! or else the first unique key of whole, NOT NULL columns in the server's own index order. If that one cannot be
//! used there is no other choice: the log might not hold another key's columns.

use super::{ChosenKey, Column, Index, Table};
use crate::key::{KeyColumn, KeyKind};
use crate::{Ident, Refusal};

impl Table {
    /// The key to read, copy and follow the table by.
    ///
    /// # Errors
    /// The reason why it has none that can be used.
    pub fn choose_key(&self) -> Result<ChosenKey, Refusal> {
        let index = self.identifying_index().ok_or_else(|| {
            Refusal("the table has neither a primary key nor a unique key of NOT NULL columns".to_owned())
        })?;
        if !index.visible {
            return Err(Refusal(format!(
                "the optimizer may not use the table's key {}",
                index.name
            )));
        }
        if index.parts.iter().any(|part| part.prefix.is_some()) {
            return Err(Refusal(
                "the primary key covers only a prefix of a column".to_owned(),
            ));
        }
        let descending = index.parts.iter().filter(|part| part.descending).count();
        if descending != 0 && descending != index.parts.len() {
            return Err(Refusal(format!(
                "the key {} mixes ascending and descending order",
                index.name
            )));
        }
        let columns: Result<Vec<KeyColumn>, Refusal> = index
            .parts
            .iter()
            .filter_map(|part| part.column.as_ref())
            .map(|name| self.key_column(name))
            .collect();
        Ok(ChosenKey {
            index: index.name.clone(),
            columns: columns?,
        })
    }

    fn identifying_index(&self) -> Option<&Index> {
        let whole = |index: &&Index| {
            index.unique
                && index.btree
                && index.parts.iter().all(|part| {
                    part.prefix.is_none()
                        && part
                            .column
                            .as_ref()
                            .and_then(|name| self.column(name))
                            .is_some_and(|column| !column.nullable)
                })
        };
        let primary = self.indexes.iter().find(|index| index.name.as_str() == "PRIMARY");
        primary.or_else(|| self.indexes.iter().find(whole))
    }

    fn key_column(&self, name: &Ident) -> Result<KeyColumn, Refusal> {
        let found = self
            .columns
            .iter()
            .enumerate()
            .find(|(_, column)| column.name.same_column(name));
        let Some((ordinal, column)) = found else {
            return Err(Refusal(format!(
                "the key column {name} is not among the table's columns"
            )));
        };
        if column.generated.is_some() {
            return Err(Refusal(format!("the key column {name} is generated")));
        }
        let kind = kind(column).ok_or_else(|| {
            Refusal(format!(
                "the key column {name} is of type {}, which cannot be followed exactly",
                column.column_type
            ))
        })?;
        Ok(KeyColumn {
            name: column.name.clone(),
            ordinal,
            kind,
            charset: column.charset.clone(),
        })
    }
}

/// What a key column holds; `None` for a type that does not do as a key.
///
/// FLOAT and DOUBLE do not survive the way through text. A comparison of ENUM or SET with a number uses no index
/// range on either server, so every chunk would read the table from its start.
fn kind(column: &Column) -> Option<KeyKind> {
    let unsigned = column.column_type.to_lowercase().contains("unsigned");
    let int = |bytes| KeyKind::Int { unsigned, bytes };
    Some(match column.data_type.as_str() {
        "tinyint" => int(1),
        "smallint" => int(2),
        "mediumint" => int(3),
        "int" => int(4),
        "bigint" => int(8),
        "decimal" => KeyKind::Decimal,
        "year" => KeyKind::Year,
        "date" => KeyKind::Date,
        "time" => KeyKind::Time,
        "datetime" => KeyKind::DateTime,
        "timestamp" => KeyKind::Timestamp,
        "binary" => KeyKind::Binary {
            length: declared_length(&column.column_type)?,
        },
        "varbinary" => KeyKind::VarBinary,
        "char" | "varchar" => KeyKind::Text,
        "bit" => KeyKind::Bit,
        _ => return None,
    })
}

/// The number in `binary(16)`.
pub(crate) fn declared_length(column_type: &str) -> Option<u32> {
    let (_, behind) = column_type.split_once('(')?;
    let end = behind.find([',', ')'])?;
    behind.get(..end)?.trim().parse().ok()
}
