//! Whether the key that rows are followed by lives on in the ghost.
//!
//! # Invariant
//! In the ghost the key's values are those of the source, told apart by the same comparisons and in the same order:
//! a range of keys is the same range of rows in both tables.

use crate::mapping::Mapping;
use crate::table::{ChosenKey, Column, Index, Table, declared_length};
use crate::{Ident, Refusal};

/// The key in the ghost.
pub(super) struct GhostKey {
    /// Its columns' names there, in key order.
    pub(super) columns: Vec<Ident>,
    /// An index that starts with them.
    pub(super) index: Ident,
}

pub(super) fn survives(
    key: &ChosenKey,
    source: &Table,
    ghost: &Table,
    mapping: &Mapping,
) -> Result<GhostKey, Refusal> {
    let mut columns = Vec::new();
    for part in &key.columns {
        let name = mapping
            .ghost_of(&part.name)
            .ok_or_else(|| Refusal(format!("it drops the key column {}", part.name)))?;
        let (Some(before), Some(after)) = (source.column(&part.name), ghost.column(name)) else {
            return Err(Refusal(format!("the key column {} is not described", part.name)));
        };
        if !keeps_order(before, after) {
            return Err(Refusal(format!(
                "it changes the key column {} from {} to {}",
                part.name, before.column_type, after.column_type
            )));
        }
        columns.push(after.name.clone());
    }
    let index = ghost
        .indexes
        .iter()
        .find(|index| starts_with(index, &columns))
        .ok_or_else(|| Refusal("it leaves no index to find rows by their key so far".to_owned()))?;
    Ok(GhostKey {
        columns,
        index: index.name.clone(),
    })
}

fn starts_with(index: &Index, columns: &[Ident]) -> bool {
    let parts = index.parts.get(..columns.len()).unwrap_or_default();
    index.btree
        && index.visible
        && parts.len() == columns.len()
        && parts.windows(2).all(|pair| match pair {
            [one, other] => one.descending == other.descending,
            _ => true,
        })
        && parts.iter().zip(columns).all(|(part, column)| {
            part.prefix.is_none() && part.column.as_ref().is_some_and(|name| name.same_column(column))
        })
}

/// Whether every value survives the change of type as itself, equal to the same values and in the same order.
pub(super) fn keeps_order(before: &Column, after: &Column) -> bool {
    if before.charset != after.charset || before.collation != after.collation {
        return false;
    }
    if before.column_type.eq_ignore_ascii_case(&after.column_type) {
        return true;
    }
    if let (Some(narrow), Some(wide)) = (int(before), int(after)) {
        return match (narrow.unsigned, wide.unsigned) {
            (true, false) => narrow.bytes < wide.bytes,
            (false, true) => false,
            _ => narrow.bytes <= wide.bytes,
        };
    }
    if before.data_type != after.data_type {
        return false;
    }
    match before.data_type.as_str() {
        // BINARY is padded to its length with zeros, so a longer one holds other values.
        "char" | "varchar" | "varbinary" | "bit" => {
            declared_length(&before.column_type) <= declared_length(&after.column_type)
        }
        "time" | "datetime" | "timestamp" => {
            declared_length(&before.column_type).unwrap_or(0)
                <= declared_length(&after.column_type).unwrap_or(0)
        }
        "decimal" => match (decimal(before), decimal(after)) {
            (Some((digits, scale)), Some((more, finer))) => {
                let was_signed = !is_unsigned(before);
                scale <= finer
                    && digits.saturating_sub(scale) <= more.saturating_sub(finer)
                    && !(was_signed && is_unsigned(after))
            }
            _ => false,
        },
        _ => false,
    }
}

struct IntType {
    unsigned: bool,
    bytes: u8,
}

fn int(column: &Column) -> Option<IntType> {
    let bytes = match column.data_type.as_str() {
        "tinyint" => 1,
        "smallint" => 2,
        "mediumint" => 3,
        "int" => 4,
        "bigint" => 8,
        _ => return None,
    };
    Some(IntType {
        unsigned: is_unsigned(column),
        bytes,
    })
}

fn is_unsigned(column: &Column) -> bool {
    column.column_type.to_lowercase().contains("unsigned")
}

/// Digits and scale of `decimal(10,2)`.
fn decimal(column: &Column) -> Option<(u32, u32)> {
    let (_, behind) = column.column_type.split_once('(')?;
    let (inside, _) = behind.split_once(')')?;
    let (digits, scale) = inside.split_once(',').unwrap_or((inside, "0"));
    Some((digits.trim().parse().ok()?, scale.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(column_type: &str, collation: Option<&str>) -> Column {
        let end = column_type.find(['(', ' ']).unwrap_or(column_type.len());
        Column {
            name: Ident::new("c"),
            data_type: column_type[..end].to_owned(),
            column_type: column_type.to_owned(),
            charset: collation.map(|_| "utf8mb4".to_owned()),
            collation: collation.map(str::to_owned),
            nullable: false,
            generated: None,
            auto_increment: false,
            default: None,
            computed_default: false,
        }
    }

    #[test]
    fn order_is_kept_or_not() {
        let check = |before: &str, after: &str, expected: bool| {
            assert_eq!(
                keeps_order(&column(before, None), &column(after, None)),
                expected,
                "{before} -> {after}"
            );
        };
        check("int", "int", true);
        check("int(11)", "int", true);
        check("tinyint", "mediumint", true);
        check("int", "bigint", true);
        check("bigint", "int", false);
        check("int", "int unsigned", false);
        check("int", "bigint unsigned", false);
        check("int unsigned", "bigint", true);
        check("int unsigned", "int", false);
        check("bigint unsigned", "bigint", false);
        check("int", "decimal(20,0)", false);
        check("decimal(10,2)", "decimal(12,2)", true);
        check("decimal(10,2)", "decimal(10,3)", false);
        check("decimal(10,2)", "decimal(11,3)", true);
        check("decimal(10,2)", "decimal(10,2) unsigned", false);
        check("datetime", "datetime(6)", true);
        check("datetime(6)", "datetime(3)", false);
        check("date", "datetime", false);
        check("timestamp", "datetime", false);
        check("varbinary(5)", "varbinary(9)", true);
        check("binary(5)", "binary(9)", false);
        check("bit(3)", "bit(8)", true);
        check("bit(8)", "bit(3)", false);
    }

    #[test]
    fn text_keeps_its_collation() {
        let check = |before: (&str, &str), after: (&str, &str), expected: bool| {
            let (one, other) = (column(before.0, Some(before.1)), column(after.0, Some(after.1)));
            assert_eq!(keeps_order(&one, &other), expected, "{before:?} -> {after:?}");
        };
        check(("varchar(5)", "utf8mb4_bin"), ("varchar(9)", "utf8mb4_bin"), true);
        check(
            ("varchar(9)", "utf8mb4_bin"),
            ("varchar(5)", "utf8mb4_bin"),
            false,
        );
        check(
            ("varchar(5)", "utf8mb4_bin"),
            ("varchar(5)", "utf8mb4_general_ci"),
            false,
        );
        check(("varchar(5)", "utf8mb4_bin"), ("char(5)", "utf8mb4_bin"), false);
    }
}
