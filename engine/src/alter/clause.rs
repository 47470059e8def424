//! Reads one clause of an ALTER TABLE.

use super::action::{Action, IndexKind};
use super::cursor::{Cursor, is_keyword, outside_parentheses, split_at_commas};
use super::lexeme::Lexeme;
use super::options;
use crate::Ident;

/// The reason why a statement is left to the server.
pub(super) type Reason = &'static str;

/// Read by the server and not by us.
pub(super) const NOT_UNDERSTOOD: Reason = "it was not fully understood";
/// The user's own choice of how to do it.
pub(super) const OWN_ALGORITHM: Reason = "it sets ALGORITHM or LOCK itself";
const FOREIGN_KEY: Reason = "it adds or drops a foreign key";
const PARTITION: Reason = "it maintains partitions";
const VERSIONING: Reason = "it concerns system versioning or a time period";
const RENAME_TABLE: Reason = "it renames the table";

/// Appends what the clause `lexemes` does to `actions`.
pub(super) fn read(lexemes: &[Lexeme], actions: &mut Vec<Action>) -> Result<(), Reason> {
    let mut at = Cursor::new(lexemes);
    if let Some(reason) = server_only(&at) {
        return Err(reason);
    }
    if at.accept(&["ADD"]) {
        add(at, actions)
    } else if at.accept(&["DROP"]) {
        drop_something(at, actions)
    } else if at.accept(&["CHANGE"]) {
        at.accept(&["COLUMN"]);
        let if_exists = at.accept(&["IF", "EXISTS"]);
        let (old, new) = (name(&mut at)?, name(&mut at)?);
        column_definition(&at)?;
        actions.push(Action::ChangeColumn { old, new, if_exists });
        Ok(())
    } else if at.accept(&["MODIFY"]) {
        at.accept(&["COLUMN"]);
        let if_exists = at.accept(&["IF", "EXISTS"]);
        let name = name(&mut at)?;
        column_definition(&at)?;
        actions.push(Action::ModifyColumn { name, if_exists });
        Ok(())
    } else if at.accept(&["ALTER"]) {
        alter_something(at, actions)
    } else if at.accept(&["RENAME"]) {
        rename(at, actions)
    } else {
        options::read(at, actions)
    }
}

/// Clauses only the server can carry out, by their first words.
fn server_only(at: &Cursor<'_>) -> Option<Reason> {
    const TABLE: &[(&[&str], Reason)] = &[
        (&["ALGORITHM"], OWN_ALGORITHM),
        (&["LOCK"], OWN_ALGORITHM),
        (&["ORDER", "BY"], "ORDER BY sorts the table as it stands"),
        (&["ENABLE", "KEYS"], "it enables or disables keys"),
        (&["DISABLE", "KEYS"], "it enables or disables keys"),
        (&["DISCARD"], "it discards or imports a tablespace"),
        (&["IMPORT"], "it discards or imports a tablespace"),
        (&["TRUNCATE", "PARTITION"], PARTITION),
        (&["COALESCE", "PARTITION"], PARTITION),
        (&["REORGANIZE", "PARTITION"], PARTITION),
        (&["EXCHANGE", "PARTITION"], PARTITION),
        (&["ANALYZE", "PARTITION"], PARTITION),
        (&["CHECK", "PARTITION"], PARTITION),
        (&["OPTIMIZE", "PARTITION"], PARTITION),
        (&["REBUILD", "PARTITION"], PARTITION),
        (&["REPAIR", "PARTITION"], PARTITION),
        (&["CONVERT", "PARTITION"], PARTITION),
        (&["CONVERT", "TABLE"], PARTITION),
        (&["UPGRADE", "PARTITIONING"], PARTITION),
        (&["ADD", "PARTITION"], PARTITION),
        (&["DROP", "PARTITION"], PARTITION),
        (&["ADD", "SYSTEM", "VERSIONING"], VERSIONING),
        (&["DROP", "SYSTEM", "VERSIONING"], VERSIONING),
        (&["ADD", "PERIOD", "FOR"], VERSIONING),
        (&["DROP", "PERIOD", "FOR"], VERSIONING),
        (&["WITH", "SYSTEM"], VERSIONING),
        (&["WITH", "VALIDATION"], "it sets VALIDATION itself"),
        (&["WITHOUT", "VALIDATION"], "it sets VALIDATION itself"),
        (&["SECONDARY_LOAD"], "it concerns a secondary engine"),
        (&["SECONDARY_UNLOAD"], "it concerns a secondary engine"),
    ];
    TABLE
        .iter()
        .find(|(words, _)| at.sees(words))
        .map(|(_, reason)| *reason)
}

fn add(mut at: Cursor<'_>, actions: &mut Vec<Action>) -> Result<(), Reason> {
    let column = at.accept(&["COLUMN"]);
    let if_not_exists = column && at.accept(&["IF", "NOT", "EXISTS"]);
    if !at.accept_symbol('(') {
        return element(at, column, if_not_exists, actions);
    }
    let inner = at.until_closed().ok_or(NOT_UNDERSTOOD)?;
    for part in split_at_commas(inner).ok_or(NOT_UNDERSTOOD)? {
        element(Cursor::new(part), false, if_not_exists, actions)?;
    }
    if at.at_end() { Ok(()) } else { Err(NOT_UNDERSTOOD) }
}

/// A column, index or constraint that is added. `column` says that it can only be a column.
fn element(
    mut at: Cursor<'_>,
    column: bool,
    if_not_exists: bool,
    actions: &mut Vec<Action>,
) -> Result<(), Reason> {
    if !column && let Some(action) = index_or_constraint(&mut at)? {
        actions.push(action);
        return Ok(());
    }
    let if_not_exists = if_not_exists || at.accept(&["IF", "NOT", "EXISTS"]);
    let name = name(&mut at)?;
    column_definition(&at)?;
    actions.push(Action::AddColumn { name, if_not_exists });
    Ok(())
}

fn index_or_constraint(at: &mut Cursor<'_>) -> Result<Option<Action>, Reason> {
    if outside(at.rest())?.iter().any(|l| is_keyword(l, "REFERENCES")) {
        return Err(FOREIGN_KEY);
    }
    let mut constraint = None;
    let named = at.accept(&["CONSTRAINT"]);
    if named {
        at.accept(&["IF", "NOT", "EXISTS"]);
        let kinds = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"];
        if !kinds.iter().any(|kind| at.sees(&[kind])) {
            constraint = Some(name(at)?);
        }
    }
    if at.sees(&["FOREIGN"]) {
        return Err(FOREIGN_KEY);
    }
    if at.accept(&["CHECK"]) {
        return Ok(Some(Action::AddCheck));
    }
    let kind = if at.accept(&["PRIMARY", "KEY"]) {
        IndexKind::Primary
    } else if at.accept(&["UNIQUE"]) {
        at.accept_any(&["INDEX", "KEY"]);
        IndexKind::Unique
    } else if named {
        return Err(NOT_UNDERSTOOD);
    } else if at.accept_any(&["INDEX", "KEY"]) {
        IndexKind::Plain
    } else if at.accept(&["FULLTEXT"]) {
        at.accept_any(&["INDEX", "KEY"]);
        IndexKind::Fulltext
    } else if at.accept(&["SPATIAL"]) {
        at.accept_any(&["INDEX", "KEY"]);
        IndexKind::Spatial
    } else if at.accept(&["VECTOR", "INDEX"]) || at.accept(&["VECTOR", "KEY"]) {
        IndexKind::Vector
    } else {
        return Ok(None);
    };
    at.accept(&["IF", "NOT", "EXISTS"]);
    let name = if at.sees_symbol('(') || at.sees(&["USING"]) || at.sees(&["TYPE"]) {
        constraint
    } else {
        Some(name(at)?)
    };
    Ok(Some(Action::AddIndex { name, kind }))
}

fn drop_something(mut at: Cursor<'_>, actions: &mut Vec<Action>) -> Result<(), Reason> {
    let action = if at.accept(&["PRIMARY", "KEY"]) {
        Action::DropIndex {
            name: Ident::new("PRIMARY"),
        }
    } else if at.accept_any(&["INDEX", "KEY"]) {
        at.accept(&["IF", "EXISTS"]);
        Action::DropIndex { name: name(&mut at)? }
    } else if at.sees(&["FOREIGN"]) {
        return Err(FOREIGN_KEY);
    } else if at.accept_any(&["CONSTRAINT", "CHECK"]) {
        at.accept(&["IF", "EXISTS"]);
        Action::DropConstraint { name: name(&mut at)? }
    } else {
        at.accept(&["COLUMN"]);
        let if_exists = at.accept(&["IF", "EXISTS"]);
        let name = name(&mut at)?;
        at.accept_any(&["RESTRICT", "CASCADE"]);
        Action::DropColumn { name, if_exists }
    };
    finish(at, action, actions)
}

fn alter_something(mut at: Cursor<'_>, actions: &mut Vec<Action>) -> Result<(), Reason> {
    if at.accept_any(&["INDEX", "KEY"]) {
        at.accept(&["IF", "EXISTS"]);
        let name = name(&mut at)?;
        at.accept(&["NOT"]);
        if !at.accept_any(&["VISIBLE", "INVISIBLE", "IGNORED"]) {
            return Err(NOT_UNDERSTOOD);
        }
        return finish(at, Action::IndexVisibility { name }, actions);
    }
    if at.accept_any(&["CHECK", "CONSTRAINT"]) {
        let name = name(&mut at)?;
        at.accept(&["NOT"]);
        if !at.accept(&["ENFORCED"]) {
            return Err(NOT_UNDERSTOOD);
        }
        return finish(at, Action::AlterConstraint { name }, actions);
    }
    at.accept(&["COLUMN"]);
    at.accept(&["IF", "EXISTS"]);
    let name = name(&mut at)?;
    let known = at.accept(&["DROP", "DEFAULT"])
        || at.accept(&["SET", "VISIBLE"])
        || at.accept(&["SET", "INVISIBLE"])
        || at.sees(&["SET", "DEFAULT"]);
    if !known {
        return Err(NOT_UNDERSTOOD);
    }
    if at.accept(&["SET", "DEFAULT"]) {
        if at.at_end() {
            return Err(NOT_UNDERSTOOD);
        }
        at = Cursor::new(&[]);
    }
    finish(at, Action::AlterColumn { name }, actions)
}

fn rename(mut at: Cursor<'_>, actions: &mut Vec<Action>) -> Result<(), Reason> {
    let column = at.accept(&["COLUMN"]);
    if !column && !at.accept_any(&["INDEX", "KEY"]) {
        return Err(RENAME_TABLE);
    }
    let if_exists = at.accept(&["IF", "EXISTS"]);
    let old = name(&mut at)?;
    if !at.accept(&["TO"]) {
        return Err(NOT_UNDERSTOOD);
    }
    let new = name(&mut at)?;
    let action = if column {
        Action::RenameColumn { old, new, if_exists }
    } else {
        Action::RenameIndex { old, new }
    };
    finish(at, action, actions)
}

/// A clause that must have ended.
fn finish(at: Cursor<'_>, action: Action, actions: &mut Vec<Action>) -> Result<(), Reason> {
    if !at.at_end() {
        return Err(NOT_UNDERSTOOD);
    }
    actions.push(action);
    Ok(())
}

/// A name that is not qualified.
pub(super) fn name(at: &mut Cursor<'_>) -> Result<Ident, Reason> {
    let name = at.name().ok_or(NOT_UNDERSTOOD)?;
    if at.sees_symbol('.') {
        return Err(NOT_UNDERSTOOD);
    }
    Ok(name)
}

/// Everything behind a column's name: the server judges it, we only look for what must be left to it.
fn column_definition(at: &Cursor<'_>) -> Result<(), Reason> {
    let words = outside(at.rest())?;
    if words.is_empty() {
        return Err(NOT_UNDERSTOOD);
    }
    let has = |keyword: &str| words.iter().any(|lexeme| is_keyword(lexeme, keyword));
    if has("REFERENCES") {
        return Err(FOREIGN_KEY);
    }
    if has("VERSIONING") || (has("ROW") && (has("START") || has("END"))) {
        return Err(VERSIONING);
    }
    if has("ALGORITHM") || has("LOCK") {
        return Err(NOT_UNDERSTOOD);
    }
    Ok(())
}

fn outside(lexemes: &[Lexeme]) -> Result<Vec<&Lexeme>, Reason> {
    outside_parentheses(lexemes).ok_or(NOT_UNDERSTOOD)
}
