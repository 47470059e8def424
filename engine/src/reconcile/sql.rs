//! The texts of the statements that read the source and write the ghost.

use std::sync::Arc;

use crate::key::{self, Key, Range};
use crate::plan::Plan;
use crate::{Flavor, Ident, conversion};

/// The rows a statement is about: a range, a list of keys, or both.
#[derive(Clone, Debug)]
pub(super) struct RowSet {
    pub(super) range: Option<Range>,
    pub(super) keys: Vec<Key>,
}

impl RowSet {
    pub(super) fn range(range: &Range) -> Self {
        Self {
            range: Some(range.clone()),
            keys: Vec::new(),
        }
    }

    pub(super) fn keys(keys: &[Key]) -> Self {
        Self {
            range: None,
            keys: keys.to_vec(),
        }
    }
}

/// Whether a write may displace rows of the ghost that hold the same unique value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Replace,
}

/// How a read of the source locks what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locking {
    /// A shared lock, or an error at once.
    NoWait,
    /// A shared lock, waited for. Only ever the first lock of a transaction.
    Wait,
    /// None: the session holds LOCK TABLES, and nobody else writes.
    None,
}

/// Writes the statements of one plan for one server.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    plan: Arc<Plan>,
    flavor: Flavor,
    source_key: Vec<Ident>,
}

impl Sql {
    pub(super) fn new(plan: Arc<Plan>, flavor: Flavor) -> Self {
        let source_key = plan
            .key
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        Self {
            plan,
            flavor,
            source_key,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// REPLACE, unless the ghost has a unique key of its own.
    pub(super) fn verb(&self) -> Verb {
        match self.plan.new_unique_keys.is_empty() {
            true => Verb::Replace,
            false => Verb::Insert,
        }
    }

    pub(super) fn delete(&self, set: &RowSet) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.plan.ghost_name(),
            self.in_ghost(set)
        )
    }

    pub(super) fn insert(&self, set: &RowSet, verb: Verb, locking: Locking) -> String {
        let verb = match verb {
            Verb::Insert => "INSERT",
            Verb::Replace => "REPLACE",
        };
        let mapping = &self.plan.mapping;
        let copied = mapping
            .columns
            .iter()
            .map(|pair| (&pair.ghost, self.value(&pair.source, &pair.ghost)));
        let constant = mapping
            .constants
            .iter()
            .map(|column| (&column.ghost, column.value.to_owned()));
        let (ghost_columns, values): (Vec<String>, Vec<String>) = copied
            .chain(constant)
            .map(|(ghost, value)| (ghost.to_string(), value))
            .unzip();
        format!(
            "{verb} INTO {} ({}) SELECT {} {}{}",
            self.plan.ghost_name(),
            ghost_columns.join(","),
            values.join(","),
            self.source_rows(set),
            self.locking(locking),
        )
    }

    /// Counts the source rows of the set, and locks them.
    pub(super) fn lock(&self, set: &RowSet, locking: Locking) -> String {
        format!(
            "SELECT COUNT(*) FROM {} FORCE INDEX ({}) WHERE {}{}",
            self.plan.source_name(),
            self.plan.key.index,
            self.in_source(set),
            self.locking(locking),
        )
    }

    /// Waits for the first source row of the set.
    pub(super) fn wait_for_first(&self, set: &RowSet) -> String {
        format!(
            "SELECT 1 {} LIMIT 1{}",
            self.source_rows(set),
            self.locking(Locking::Wait)
        )
    }

    /// Counts the source rows of the set that a snapshot shows. A measure of work, never truth.
    pub(super) fn count(&self, set: &RowSet) -> String {
        self.lock(set, Locking::None)
    }

    /// The key of the row at `offset` in the set, as a snapshot shows it. A boundary, never truth.
    pub(super) fn key_at(&self, set: &RowSet, offset: u64) -> String {
        format!(
            "SELECT {} {} LIMIT 1 OFFSET {offset}",
            self.source_key_list(),
            self.source_rows(set)
        )
    }

    /// The source key whose columns are in the variables [`Sql::own_variable`].
    pub(super) fn own_key(&self) -> String {
        let source = self.plan.source_name();
        let terms = self.source_key.iter().enumerate();
        let equal = terms.map(|(place, name)| format!("{source}.{name}={}", own_variable(place)));
        format!(
            "SELECT {} FROM {source} WHERE {}",
            self.source_key_list(),
            equal.collect::<Vec<_>>().join(" AND ")
        )
    }

    /// The ghost key whose columns are in the variables [`other_variable`], and whether it is in the set.
    pub(super) fn other_key(&self, set: &RowSet) -> String {
        let ghost = self.plan.ghost_name();
        let terms = self.plan.ghost_key.iter().enumerate();
        let equal = terms.map(|(place, name)| format!("{ghost}.{name}={}", other_variable(place)));
        format!(
            "SELECT {}, ({}) FROM {ghost} WHERE {}",
            key::select_list(&self.plan.key.columns, &self.plan.ghost_key, ghost),
            self.in_ghost(set),
            equal.collect::<Vec<_>>().join(" AND ")
        )
    }

    /// Ends [`Sql::insert`] so that it notes the first conflict in user variables instead of failing: the server's
    /// own notion of a duplicate, whatever the unique key is made of. The assignment itself changes nothing.
    pub(super) fn note_conflict(&self) -> String {
        let ghost = self.plan.ghost_name();
        let keys = self.plan.ghost_key.iter().enumerate();
        let notes = keys.map(|(place, name)| {
            let (own, other) = (own_variable(place), other_variable(place));
            format!("COALESCE(LENGTH({own}:=VALUES({name})),0)+COALESCE(LENGTH({other}:={ghost}.{name}),0)")
        });
        let notes = notes.collect::<Vec<_>>().join("+");
        let touched = self
            .plan
            .ghost_key
            .first()
            .map_or_else(String::new, Ident::to_string);
        format!(
            " ON DUPLICATE KEY UPDATE {touched}=IF({HIT} IS NOT NULL OR LENGTH({HIT}:='1')+{notes}<0,\
             {ghost}.{touched},{ghost}.{touched})"
        )
    }

    /// The source rows of the set, each with its ordinal in it (from 1) and the value of `column`, where `wanted` is
    /// true of `place` or `value`. For texts: it is a snapshot that is read.
    pub(super) fn numbered(&self, set: &RowSet, column: &Ident, wanted: &str) -> String {
        let source = self.plan.source_name();
        format!(
            "SELECT place, value FROM (SELECT ROW_NUMBER() OVER (ORDER BY {}) AS place, {source}.{column} AS value \
             FROM {source} FORCE INDEX ({}) WHERE {}) AS numbered WHERE {wanted} ORDER BY place",
            key::order_by(&self.source_key, source),
            self.plan.key.index,
            self.in_source(set),
        )
    }

    /// The source's value as it is stored in the ghost.
    fn value(&self, source: &Ident, ghost: &Ident) -> String {
        let plan = &self.plan;
        let name = format!("{}.{source}", plan.source_name());
        match (plan.source.column(source), plan.ghost.column(ghost)) {
            (Some(from), Some(to)) => conversion::value(self.flavor, from, to, &name),
            _ => name,
        }
    }

    fn source_rows(&self, set: &RowSet) -> String {
        let source = self.plan.source_name();
        format!(
            "FROM {source} FORCE INDEX ({}) WHERE {} ORDER BY {}",
            self.plan.key.index,
            self.in_source(set),
            key::order_by(&self.source_key, source),
        )
    }

    fn source_key_list(&self) -> String {
        key::select_list(&self.plan.key.columns, &self.source_key, self.plan.source_name())
    }

    fn in_source(&self, set: &RowSet) -> String {
        self.predicate(set, &self.source_key, self.plan.source_name())
    }

    fn in_ghost(&self, set: &RowSet) -> String {
        self.predicate(set, &self.plan.ghost_key, self.plan.ghost_name())
    }

    fn predicate(&self, set: &RowSet, names: &[Ident], table: &crate::TableName) -> String {
        let columns = &self.plan.key.columns;
        let keys = || key::keys_predicate(columns, names, table, &set.keys);
        match &set.range {
            None => keys(),
            Some(range) if set.keys.is_empty() => key::range_predicate(columns, names, table, range),
            Some(range) => format!(
                "({}) OR ({})",
                key::range_predicate(columns, names, table, range),
                keys()
            ),
        }
    }

    fn locking(&self, locking: Locking) -> &'static str {
        match (locking, self.flavor) {
            (Locking::None, _) => "",
            (Locking::Wait, Flavor::MySql) => " FOR SHARE",
            (Locking::NoWait, Flavor::MySql) => " FOR SHARE NOWAIT",
            (Locking::Wait, Flavor::MariaDb) => " LOCK IN SHARE MODE",
            (Locking::NoWait, Flavor::MariaDb) => " LOCK IN SHARE MODE NOWAIT",
        }
    }
}

/// Not NULL once a conflict was noted.
pub(super) const HIT: &str = "@alterego_hit";

/// Holds a key column of the row that could not be inserted.
fn own_variable(place: usize) -> String {
    format!("@alterego_own_{place}")
}

/// Holds a key column of the ghost row in its way.
fn other_variable(place: usize) -> String {
    format!("@alterego_other_{place}")
}
