//! Every name the engine gives to a thing it creates in the upstream.
//!
//! # Why these names
//! The ghost of `app.t` is `app__ghost.t` and the replaced table goes to `app__old.t`. The table name stays, so
//! constraint, key and CHECK names, error texts and `SHOW CREATE TABLE` come out as a native ALTER leaves them.
//! `app` sorts before `app__ghost` and `app__ghost` before `app__old`: `RENAME TABLE` takes metadata locks in
//! name order, and the MariaDB cut-over is only free of loss when the first lock it queues on is the source's.

use crate::{Ident, TableName};

/// The schema in the upstream where the engine keeps its own state.
pub const STATE_SCHEMA: &str = "alterego";

/// The longest identifier a server takes, in characters.
const MAX_IDENT_CHARS: usize = 64;

/// Where the ghost table of `source` lives.
pub fn ghost(source: &TableName) -> TableName {
    TableName {
        schema: suffixed(&source.schema, "__ghost"),
        table: source.table.clone(),
    }
}

/// Where the replaced table goes at the cut-over.
pub fn old(source: &TableName) -> TableName {
    TableName {
        schema: suffixed(&source.schema, "__old"),
        table: source.table.clone(),
    }
}

/// The table with the records of all migrations.
pub fn record() -> TableName {
    TableName::new(STATE_SCHEMA, "migrations")
}

/// The table that the rows of a migration's ghost are in for a moment, by the migration's number.
pub fn aside(migration: u64) -> TableName {
    TableName::new(STATE_SCHEMA, format!("aside_{migration}"))
}

/// The name under which statistics of a migration's ghost are kept; there is no such table.
pub fn kept_statistics(migration: u64) -> TableName {
    TableName::new(STATE_SCHEMA, format!("statistics_{migration}"))
}

/// The temporary table in which verification has the server convert values; only its own session sees it.
pub fn scratch(source: &TableName) -> TableName {
    TableName {
        schema: ghost(source).schema,
        table: Ident::new("alterego_verify"),
    }
}

/// Whether the names derived from `source` fit the server's limit.
pub fn fit(source: &TableName) -> bool {
    ghost(source).schema.as_str().chars().count() <= MAX_IDENT_CHARS
}

/// Whether a schema's name is one that is derived from another's.
pub fn is_derived(schema: &Ident) -> bool {
    let name = schema.as_str().to_lowercase();
    name.ends_with("__ghost") || name.ends_with("__old")
}

fn suffixed(schema: &Ident, suffix: &str) -> Ident {
    Ident::new(format!("{}{suffix}", schema.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_sorts_first() {
        for schema in ["app", "a", "z_", "app__", "été"] {
            let source = TableName::new(schema, "t");
            assert!(source < ghost(&source) && ghost(&source) < old(&source));
        }
    }

    #[test]
    fn long_schemas_do_not_fit() {
        assert!(fit(&TableName::new("a".repeat(57), "t")));
        assert!(!fit(&TableName::new("a".repeat(58), "t")));
    }
}
