//! Which source column fills which ghost column.
//!
//! # Why this is correct
//! Every clause speaks of the source's columns as they were, so renames take effect all at once and two names can be
//! swapped. What the statement makes of the column names is predicted and compared with the ghost the server
//! itself has built: a clause read differently than the server reads it shows as a difference, and the change is
//! refused.

use crate::alter::{Action, Statement};
use crate::table::{Column, Table};
use crate::{Error, Ident, Refusal, Result};

/// A source column and the ghost column that takes its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedColumn {
    /// The name in the source.
    pub source: Ident,
    /// The name in the ghost.
    pub ghost: Ident,
}

/// A new NOT NULL column without a default, which a native rebuild fills with its type's zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstantColumn {
    /// The name in the ghost.
    pub ghost: Ident,
    /// The value as an SQL literal.
    pub value: &'static str,
}

/// All columns whose values are copied, in the ghost's column order. Generated ghost columns are absent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mapping {
    /// The pairs.
    pub columns: Vec<MappedColumn>,
    /// New columns that need a value of ours: a strict INSERT that leaves them out is error 1364.
    pub constants: Vec<ConstantColumn>,
}

impl Mapping {
    /// The ghost column that takes the values of `source`.
    pub fn ghost_of(&self, source: &Ident) -> Option<&Ident> {
        self.columns
            .iter()
            .find(|pair| pair.source.same_column(source))
            .map(|pair| &pair.ghost)
    }
}

/// Pairs the columns of the source with those of the altered, empty ghost.
///
/// # Errors
/// [`Error::Refused`] where the ghost is not what the statement was understood to make, or where a new column's
/// values depend on when and how often its row is written.
pub fn derive(statement: &Statement, source: &Table, ghost: &Table) -> Result<Mapping> {
    let predicted = predict(statement, source).map_err(Error::Refused)?;
    let mut mapping = Mapping::default();
    if predicted.len() != ghost.columns.len() {
        return Err(misread());
    }
    for column in &ghost.columns {
        let origin = predicted
            .iter()
            .find(|(name, _)| name.same_column(&column.name))
            .map(|(_, origin)| origin)
            .ok_or_else(misread)?;
        match origin {
            _ if column.generated.is_some() => {}
            Some(source) => mapping.columns.push(MappedColumn {
                source: source.clone(),
                ghost: column.name.clone(),
            }),
            None => mapping.constants.extend(fill(column).map_err(Error::Refused)?),
        }
    }
    Ok(mapping)
}

fn misread() -> Error {
    Error::refused("the altered table does not have the columns the statement was understood to give it")
}

/// The columns the statement leaves, each with the source column it comes from.
fn predict(statement: &Statement, source: &Table) -> Result<Vec<(Ident, Option<Ident>)>, Refusal> {
    let mut predicted = Vec::new();
    for column in &source.columns {
        let mut name = Some(column.name.clone());
        for action in statement.actions() {
            match action {
                Action::DropColumn { name: dropped, .. } if dropped.same_column(&column.name) => name = None,
                Action::ChangeColumn { old, new, .. } | Action::RenameColumn { old, new, .. }
                    if old.same_column(&column.name) =>
                {
                    name = Some(new.clone());
                }
                _ => {}
            }
        }
        predicted.extend(name.map(|name| (name, Some(column.name.clone()))));
    }
    for action in statement.actions() {
        let Action::AddColumn { name, if_not_exists } = action else {
            continue;
        };
        let existed = source.column(name).is_some();
        let exists = predicted.iter().any(|(other, _)| other.same_column(name));
        match (*if_not_exists, existed, exists) {
            (true, true, true) => {}
            (true, false, false) | (false, _, _) => predicted.push((name.clone(), None)),
            _ => {
                return Err(Refusal(format!(
                    "whether the column {name} exists depends on the order of its clauses"
                )));
            }
        }
    }
    Ok(predicted)
}

/// What a new column is filled with, if its own default does not do it.
fn fill(column: &Column) -> Result<Option<ConstantColumn>, Refusal> {
    let name = &column.name;
    if column.auto_increment {
        return Err(Refusal(format!(
            "the new column {name} numbers the rows in the order they are written"
        )));
    }
    if column.computed_default {
        let text = column.default.as_deref().unwrap_or_default();
        return match is_deterministic(text) {
            true => Ok(None),
            false => Err(Refusal(format!(
                "the default of the new column {name} depends on when its row is written"
            ))),
        };
    }
    if column.nullable || column.default.is_some() {
        return Ok(None);
    }
    let value = zero(column).ok_or_else(|| {
        Refusal(format!(
            "the new column {name} is NOT NULL without a default and of type {}",
            column.data_type
        ))
    })?;
    Ok(Some(ConstantColumn {
        ghost: name.clone(),
        value,
    }))
}

/// The value a native rebuild gives to a NOT NULL column without a default. Dates have none that every `sql_mode`
/// takes.
fn zero(column: &Column) -> Option<&'static str> {
    Some(match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "bit"
        | "year" => "0",
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "set" => "''",
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => "''",
        // The number of its first member.
        "enum" => "1",
        "time" => "'00:00:00'",
        _ => return None,
    })
}

/// Whether an expression has the same value whenever it is computed: it must be made of columns, literals,
/// operators and a few functions known to be so.
fn is_deterministic(expression: &str) -> bool {
    const KNOWN: [&str; 22] = [
        "concat",
        "concat_ws",
        "upper",
        "lower",
        "ucase",
        "lcase",
        "trim",
        "left",
        "right",
        "substr",
        "json_object",
        "json_array",
        "abs",
        "coalesce",
        "ifnull",
        "if",
        "null",
        "true",
        "false",
        "greatest",
        "least",
        "round",
    ];
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        if c == '`' || c == '\'' || c == '"' {
            let Some((_, behind)) = rest.get(1..).unwrap_or_default().split_once(c) else {
                return false;
            };
            rest = behind;
        } else if c.is_alphabetic() || c == '_' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            // A word that begins with an underscore introduces a literal's character set.
            if !word.starts_with('_') && !KNOWN.contains(&word.to_lowercase().as_str()) {
                return false;
            }
            rest = behind;
        } else {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_deterministic_or_not() {
        let check = |expression: &str, expected: bool| {
            assert_eq!(is_deterministic(expression), expected, "{expression}");
        };
        check("`a` + 1", true);
        check("(`now` + 1.5)", true);
        check("concat(`a`,_utf8mb4'uuid()')", true);
        check("json_array()", true);
        check("current_timestamp()", false);
        check("CURRENT_TIMESTAMP", false);
        check("uuid()", false);
        check("(rand() * 5)", false);
        check("nextval(`s`)", false);
        check("concat(`a`,'open", false);
    }
}
