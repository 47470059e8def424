//! Which indexes can be put off, and which of them are missing.

use crate::Ident;
use crate::plan::Plan;
use crate::table::{Index, definition_lines};

/// What the ghost is to look like when its indexes are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deferred {
    /// `SHOW CREATE TABLE` of the whole ghost.
    full: String,
}

impl Deferred {
    /// All that `full` has is to be there in the end.
    pub(crate) fn until(full: impl Into<String>) -> Self {
        Self { full: full.into() }
    }

    /// The definition that the ghost is to have.
    pub(crate) fn full(&self) -> &str {
        &self.full
    }

    /// The definitions of the indexes that a ghost with the definition `create` lacks.
    pub(super) fn missing(&self, create: &str) -> Vec<&str> {
        let present: Vec<&str> = index_lines(create).collect();
        index_lines(&self.full)
            .filter(|line| !present.contains(line))
            .collect()
    }
}

/// The indexes of the ghost that may be taken away while it is filled.
///
/// Not the one rows are found by, nor one that AUTO_INCREMENT needs. Not where the table has no primary key: the first
/// unique key then orders the rows themselves. Expressions stay, since a value may be refused in evaluating them.
///
/// What comes back comes back last. Keys that are not unique only have to look the same, so none of them may stand before one
/// that stays. Of unique keys the storage engine asks in the order they were made, which is not the order they are
/// shown in; the first one that objects is named, and chooses the row for `ON DUPLICATE KEY UPDATE`. So all of them
/// are put off, or none.
pub(super) fn deferrable(plan: &Plan) -> Vec<&Ident> {
    let ghost = &plan.ghost;
    if !ghost.indexes.iter().any(is_primary) {
        return Vec::new();
    }
    let is_counter = |name: &Ident| ghost.column(name).is_some_and(|column| column.auto_increment);
    let is_new = |index: &Index| {
        plan.new_unique_keys
            .iter()
            .any(|key| key.name.same_column(&index.name))
    };
    let may_wait = |index: &&Index| {
        let first = index.parts.first().and_then(|part| part.column.as_ref());
        index.btree
            && !is_primary(index)
            && !index.name.same_column(&plan.ghost_index)
            && !is_new(index)
            && index.parts.iter().all(|part| part.column.is_some())
            && !first.is_some_and(is_counter)
    };
    let (unique, others): (Vec<&Index>, Vec<&Index>) = ghost
        .indexes
        .iter()
        .filter(|index| !is_primary(index))
        .partition(|index| index.unique);
    let mut names = Vec::new();
    if unique.iter().all(may_wait) {
        names.extend(unique.iter().map(|index| &index.name));
    }
    let last = others.iter().rev().take_while(|index| may_wait(index));
    names.extend(last.map(|index| &index.name));
    names
}

fn is_primary(index: &Index) -> bool {
    index.name.as_str() == "PRIMARY"
}

/// The lines of `SHOW CREATE TABLE` that define indexes; each is a clause of ADD.
fn index_lines(create: &str) -> impl Iterator<Item = &str> {
    definition_lines(create).filter(|line| line.starts_with("KEY ") || line.starts_with("UNIQUE KEY "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_are_those_that_are_not_there() {
        let full = "CREATE TABLE `t` (\n  `a` int,\n  PRIMARY KEY (`a`),\n  UNIQUE KEY `u` (`b`),\n  \
                    KEY `k` (`c`(10))\n) ENGINE=InnoDB";
        let partial =
            "CREATE TABLE `t` (\n  `a` int,\n  PRIMARY KEY (`a`),\n  UNIQUE KEY `u` (`b`)\n) ENGINE=InnoDB";
        let bare = "CREATE TABLE `t` (\n  `a` int,\n  PRIMARY KEY (`a`)\n) ENGINE=InnoDB";
        let deferred = Deferred::until(full);
        assert_eq!(
            deferred.missing(bare),
            ["UNIQUE KEY `u` (`b`)", "KEY `k` (`c`(10))"]
        );
        assert_eq!(deferred.missing(partial), ["KEY `k` (`c`(10))"]);
        assert!(deferred.missing(full).is_empty());
    }
}
