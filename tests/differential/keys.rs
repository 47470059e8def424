//! Keys, indexes and checks.

use alterego_testkit::Flavor;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::column::Column;
use crate::literal::{chance, one};
use crate::names::quoted;

/// An index or a check with its name.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Unquoted.
    pub(crate) name: String,
    /// As it is written in CREATE TABLE and behind ADD.
    pub(crate) definition: String,
    pub(crate) is_check: bool,
}

/// An index of some columns, unique or not; `None` where no column can be indexed.
pub(crate) fn index(rng: &mut StdRng, name: &str, columns: &[Column], unique: bool) -> Option<Key> {
    let can: Vec<&Column> = columns
        .iter()
        .filter(|column| column.data_type != crate::data_type::DataType::Json)
        .collect();
    if can.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    let mut used: Vec<&str> = Vec::new();
    for _ in 0..rng.random_range(1..=if unique { 2 } else { 3 }) {
        let column = one(rng, &can);
        if used.contains(&column.name.as_str()) {
            continue;
        }
        used.push(&column.name);
        let prefix =
            if column.data_type.needs_prefix() || (column.data_type.is_long_text() && chance(rng, 50)) {
                "(5)"
            } else {
                ""
            };
        let order = if !unique && chance(rng, 10) { " DESC" } else { "" };
        parts.push(format!("{}{prefix}{order}", quoted(&column.name)));
    }
    let word = if unique { "UNIQUE KEY" } else { "KEY" };
    let comment = if chance(rng, 8) { " COMMENT 'i; x'" } else { "" };
    Some(Key {
        name: name.to_owned(),
        definition: format!("{word} {} ({}){comment}", quoted(name), parts.join(", ")),
        is_check: false,
    })
}

/// A check that most rows pass.
pub(crate) fn check(rng: &mut StdRng, flavor: Flavor, name: &str, columns: &[Column]) -> Option<Key> {
    let can: Vec<&Column> = columns.iter().filter(|column| !column.auto_increment).collect();
    if can.is_empty() {
        return None;
    }
    let column = one(rng, &can);
    let read = quoted(&column.name);
    let expression = match rng.random_range(0..4) {
        0 if column.data_type.is_number() => format!("{read} < 1000000 OR {read} IS NOT NULL"),
        1 if column.data_type.is_number() => format!("{read} > -1000"),
        2 => format!("LENGTH({read}) < 1000"),
        _ => format!("{read} IS NOT NULL OR 1 = 1"),
    };
    let unenforced = if flavor == Flavor::MySql && chance(rng, 15) {
        " NOT ENFORCED"
    } else {
        ""
    };
    Some(Key {
        name: name.to_owned(),
        definition: format!("CONSTRAINT {} CHECK ({expression}){unenforced}", quoted(name)),
        is_check: true,
    })
}
