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

/// Where the ghost of a table with triggers waits for the swap, under the locks: triggers cannot go from schema to schema.
pub fn next(source: &TableName) -> TableName {
    beside(source, "next")
}

/// Where the replaced table of one with triggers stays until the new one has them all.
pub fn last(source: &TableName) -> TableName {
    beside(source, "last")
}

/// The trigger that stands in for the `nth` one of the table until that is there again.
pub fn stand_in(source: &TableName, nth: usize) -> Ident {
    Ident::new(format!("alterego_{}_{nth}", digest(&source.table)))
}

/// The empty table on which the triggers of `source` are tried out.
pub fn rehearsal(source: &TableName) -> TableName {
    TableName {
        schema: ghost(source).schema,
        table: Ident::new(format!("alterego_triggers_{}", digest(&source.table))),
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

/// A table of the source's own schema, which shows for milliseconds only.
fn beside(source: &TableName, role: &str) -> TableName {
    TableName {
        schema: source.schema.clone(),
        table: Ident::new(format!("alterego_{role}_{}", digest(&source.table))),
    }
}

/// Sixteen digits that tell the tables of a schema apart, and stay the same for ever (FNV-1a).
fn digest(name: &Ident) -> String {
    let mixed = name
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{mixed:016x}")
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
    fn names_beside_the_source_fit_and_stay() {
        let source = TableName::new("app", "t".repeat(64));
        for name in [&next(&source), &last(&source), &rehearsal(&source)] {
            assert!(name.table.as_str().len() <= MAX_IDENT_CHARS);
        }
        let next = next(&TableName::new("app", "t"));
        assert_eq!(next.to_string(), "`app`.`alterego_next_af63e94c860202a3`");
    }

    #[test]
    fn long_schemas_do_not_fit() {
        assert!(fit(&TableName::new("a".repeat(57), "t")));
        assert!(!fit(&TableName::new("a".repeat(58), "t")));
    }
}
