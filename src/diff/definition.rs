//! How the definitions of one table differ, and what of it can be compared row by row all the same.

use alterego_engine::table::{ChosenKey, Column, Generated, Index, Table, same_definition};
use alterego_engine::{Flavor, Ident, ServerVersion, TableName};

use super::digest;

/// What the rows of both tables are compared by.
pub(super) struct Common {
    pub(super) table: TableName,
    /// The key, as A has it; B has the same columns in the same order.
    pub(super) key: ChosenKey,
    pub(super) key_names: Vec<Ident>,
    /// The index with that key, in A and in B.
    pub(super) indexes: (Ident, Ident),
    /// The value of each common column, as SQL, in A and in B.
    pub(super) values: Vec<(String, String)>,
    /// What is not compared, and why.
    pub(super) left_out: Vec<String>,
}

impl Common {
    /// What is common; why the rows cannot be matched, otherwise.
    pub(super) fn of(a: &Table, b: &Table, flavors: (Flavor, Flavor)) -> Result<Self, String> {
        let key = a.choose_key().map_err(|reason| reason.to_string())?;
        let other = b.choose_key().map_err(|reason| reason.to_string())?;
        let mut key_names = Vec::new();
        for (place, one) in key.columns.iter().enumerate() {
            let name = &one.name;
            let matches = other
                .columns
                .get(place)
                .is_some_and(|two| two.name.same_column(name));
            let (Some(one), Some(two)) = (a.column(name), b.column(name)) else {
                return Err(format!("the key column {name} is not found"));
            };
            // Chunks are cut by the server's own order, which depends on the collation.
            if !matches || type_of(one) != type_of(two) || one.collation != two.collation {
                return Err("its keys differ".to_owned());
            }
            key_names.push(name.clone());
        }
        if other.columns.len() != key.columns.len() {
            return Err("its keys differ".to_owned());
        }
        let (mut values, mut left_out) = (Vec::new(), Vec::new());
        for column in &a.columns {
            let Some(there) = b.column(&column.name) else {
                continue;
            };
            if column.generated == Some(Generated::Virtual) && there.generated == Some(Generated::Virtual) {
                continue;
            }
            let names = (qualified(a, column), qualified(b, there));
            match digest::values((column, &names.0), (there, &names.1), flavors) {
                Some(pair) => values.push(pair),
                None => left_out.push(format!(
                    "{} is not compared: {} and {}",
                    column.name.as_str(),
                    column.column_type,
                    there.column_type
                )),
            }
        }
        Ok(Self {
            table: a.name.clone(),
            indexes: (key.index.clone(), other.index),
            key,
            key_names,
            values,
            left_out,
        })
    }
}

fn qualified(table: &Table, column: &Column) -> String {
    format!("{}.{}", table.name, column.name)
}

/// The type without what only servers of another version or family write: `int(11)`, and MariaDB's JSON.
pub(super) fn type_of(column: &Column) -> String {
    let shown = column.column_type.to_lowercase();
    let integer = ["tinyint(", "smallint(", "mediumint(", "int(", "bigint(", "year("];
    match (
        integer.iter().find(|name| shown.starts_with(*name)),
        shown.find(')'),
    ) {
        (Some(name), Some(end)) => {
            let rest = shown.get(end + 1..).unwrap_or_default();
            format!("{}{rest}", name.trim_end_matches('('))
        }
        _ => shown,
    }
}

/// What differs, in words. Two servers of one version must agree on every word.
pub(super) fn differences(a: &Table, b: &Table, versions: (ServerVersion, ServerVersion)) -> Vec<String> {
    let mut found = Vec::new();
    for (one, other, side) in [(a, b, "A"), (b, a, "B")] {
        let lacking = one
            .columns
            .iter()
            .filter(|column| other.column(&column.name).is_none());
        found.extend(lacking.map(|column| format!("column {} is only in {side}", column.name.as_str())));
        let lacking = one
            .indexes
            .iter()
            .filter(|index| index_of(other, index).is_none());
        found.extend(lacking.map(|index| format!("index {} is only in {side}", index.name.as_str())));
    }
    for column in &a.columns {
        let Some(there) = b.column(&column.name) else {
            continue;
        };
        let name = column.name.as_str();
        if versions.0.flavor == versions.1.flavor || !is_json(column, there) {
            let (one, two) = (described(column), described(there));
            if one != two {
                found.push(format!("column {name} is {one} in A and {two} in B"));
            }
        }
    }
    for index in &a.indexes {
        if let Some(there) = index_of(b, index)
            && (index.unique != there.unique || index.parts != there.parts)
        {
            found.push(format!("index {} is not the same", index.name.as_str()));
        }
    }
    if found.is_empty() && versions.0 == versions.1 && !same_definition(&a.create, &b.create) {
        found.push("the texts of SHOW CREATE TABLE differ".to_owned());
    }
    found
}

fn is_json(a: &Column, b: &Column) -> bool {
    a.data_type == "json" || b.data_type == "json"
}

fn index_of<'t>(table: &'t Table, index: &Index) -> Option<&'t Index> {
    table
        .indexes
        .iter()
        .find(|other| other.name.same_column(&index.name))
}

fn described(column: &Column) -> String {
    let mut words = vec![type_of(column)];
    words.extend(column.collation.clone());
    words.push(if column.nullable { "NULL" } else { "NOT NULL" }.to_owned());
    if column.auto_increment {
        words.push("AUTO_INCREMENT".to_owned());
    }
    match column.generated {
        Some(Generated::Virtual) => words.push("VIRTUAL".to_owned()),
        Some(Generated::Stored) => words.push("STORED".to_owned()),
        None => {}
    }
    words.join(" ")
}
