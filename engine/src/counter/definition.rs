//! The column that numbers the rows, in the text of `SHOW CREATE TABLE`.

use crate::Ident;
use crate::plan::Plan;
use crate::table::definition_lines;

/// The attribute as the server writes it, after the type and before anything that could hold a text.
const ATTRIBUTE: &str = " AUTO_INCREMENT";

/// How the column is defined that numbers the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Its name.
    pub(super) column: Ident,
    /// Its line, which is a clause of MODIFY.
    pub(super) with: String,
    /// The same without the attribute.
    pub(super) without: String,
}

impl Counter {
    /// The counter of a ghost with the definition `create`, if it has one, and the source has it, too: then every row brings
    /// its number along.
    pub(crate) fn of(plan: &Plan, create: &str) -> Option<Self> {
        let source = plan.source.columns.iter().find(|column| column.auto_increment)?;
        Self::named(plan.mapping.ghost_of(&source.name)?, create)
    }

    fn named(column: &Ident, create: &str) -> Option<Self> {
        let name = format!("{column} ");
        definition_lines(create).find_map(|line| {
            let (kind, rest) = line.strip_prefix(&name)?.split_once(ATTRIBUTE)?;
            (!kind.contains(['\'', '`', '"'])).then(|| Self {
                column: column.clone(),
                with: line.to_owned(),
                without: format!("{name}{kind}{rest}"),
            })
        })
    }

    /// Whether a table with the definition `create` has it.
    pub(crate) fn is_in(&self, create: &str) -> bool {
        definition_lines(create).any(|line| line == self.with)
    }
}

/// Whether a table with the definition `create` could be exchanged with a partition: those are divided by the primary key,
/// which all other unique keys would have to hold, and have no indexes of other kinds.
pub(super) fn may_be_exchanged(create: &str) -> bool {
    let mut indexes = definition_lines(create).filter(|line| line.contains("KEY ") && !line.starts_with('`'));
    indexes.all(|line| line.starts_with("KEY ") || line.starts_with("PRIMARY KEY "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "CREATE TABLE `t` (\n  `note` varchar(30) DEFAULT ' AUTO_INCREMENT',\n  \
                          `a`` b` bigint(20) unsigned NOT NULL AUTO_INCREMENT COMMENT 'no AUTO_INCREMENT, or KEY ',\n  \
                          PRIMARY KEY (`a`` b`),\n  KEY `k` (`note`)\n) ENGINE=InnoDB AUTO_INCREMENT=7";

    #[test]
    fn the_attribute_is_found_and_nothing_like_it() {
        let counter = Counter::named(&Ident::new("a` b"), CREATE).unwrap();
        assert_eq!(
            counter.without,
            "`a`` b` bigint(20) unsigned NOT NULL COMMENT 'no AUTO_INCREMENT, or KEY '"
        );
        assert!(counter.is_in(CREATE));
        let without = CREATE.replace(&counter.with, &counter.without);
        assert!(!counter.is_in(&without));
        assert_eq!(Counter::named(&Ident::new("a` b"), &without), None);
        assert_eq!(Counter::named(&Ident::new("note"), CREATE), None);
    }

    #[test]
    fn other_keys_are_in_the_way() {
        assert!(may_be_exchanged(CREATE));
        for key in ["UNIQUE KEY `u` (`note`)", "FULLTEXT KEY `f` (`note`)"] {
            let create = CREATE.replace("KEY `k` (`note`)", key);
            assert!(!may_be_exchanged(&create), "{create}");
        }
    }
}
