//! Which unique keys of the ghost the source's data may violate.

use super::key::keeps_order;
use crate::Ident;
use crate::alter::{Action, Statement};
use crate::mapping::Mapping;
use crate::table::{Table, UniqueKey, UniqueKeyPart};

/// The unique keys of the ghost that no unique key of the source already guarantees.
pub(super) fn new_keys(
    statement: &Statement,
    source: &Table,
    ghost: &Table,
    mapping: &Mapping,
) -> Vec<UniqueKey> {
    let guaranteed = |key: &&UniqueKey| {
        source.unique_keys.iter().any(|held| {
            implies(held, key, source, ghost, mapping)
                || is_untouched_expression(held, key, statement, source, ghost)
        })
    };
    ghost
        .unique_keys
        .iter()
        .filter(|key| !guaranteed(key))
        .cloned()
        .collect()
}

/// Whether rows that differ under `held` in the source also differ under `key` in the ghost.
fn implies(held: &UniqueKey, key: &UniqueKey, source: &Table, ghost: &Table, mapping: &Mapping) -> bool {
    held.columns.iter().all(|part| {
        key.columns
            .iter()
            .any(|other| same_values(part, other, source, ghost, mapping).unwrap_or(false))
    })
}

/// Whether two key parts hold the same values, those of the ghost as well told apart as those of the source.
fn same_values(
    part: &UniqueKeyPart,
    other: &UniqueKeyPart,
    source: &Table,
    ghost: &Table,
    mapping: &Mapping,
) -> Option<bool> {
    let name = mapping.ghost_of(part.column.as_ref()?)?;
    if !name.same_column(other.column.as_ref()?) {
        return Some(false);
    }
    let before = source.column(part.column.as_ref()?)?;
    let after = ghost.column(name)?;
    let prefix_kept = other.prefix.is_none() || other.prefix == part.prefix;
    // NULLs do not collide, the values they become do.
    let null_kept = after.nullable || !before.nullable;
    Some(prefix_kept && null_kept && keeps_order(before, after))
}

/// Whether an index over expressions is word for word the same and nothing it could read has changed.
fn is_untouched_expression(
    held: &UniqueKey,
    key: &UniqueKey,
    statement: &Statement,
    source: &Table,
    ghost: &Table,
) -> bool {
    let redefines = |action: &Action| {
        matches!(
            action,
            Action::ChangeColumn { .. } | Action::ModifyColumn { .. } | Action::ConvertCharset
        )
    };
    held.name.same_column(&key.name)
        && !statement.actions().iter().any(redefines)
        && definition(source, &held.name).is_some()
        && definition(source, &held.name) == definition(ghost, &key.name)
}

/// The line of `SHOW CREATE TABLE` that defines a unique key.
fn definition<'a>(table: &'a Table, name: &Ident) -> Option<&'a str> {
    let start = format!("UNIQUE KEY {name} ");
    table
        .create
        .lines()
        .map(|line| line.trim().trim_end_matches(','))
        .find(|line| line.starts_with(&start))
}
