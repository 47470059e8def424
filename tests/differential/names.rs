//! Names that need quoting, are reserved, or are as long as a name may be.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::literal::{chance, one};

/// Beginnings of names; a number behind them makes each its own.
const ODD: &[&str] = &[
    "select",
    "a`b",
    "50%",
    "with space",
    "é",
    "ключ",
    "x.y",
    "a'b",
    "a\"b",
    "a--b",
    "#c",
    "/*d*/",
    "Key",
    "ORDER",
    "1e5",
    "a\\b",
    "表",
    "values",
    "a,b",
    "(a)",
    "%s",
    "at row 1",
];

const LENGTH_MAX: usize = 64;

/// A name, unquoted. `number` is its own among the names of a case.
pub(crate) fn name(rng: &mut StdRng, prefix: &str, number: usize) -> String {
    if chance(rng, 70) {
        return format!("{prefix}{number}");
    }
    let mut name = format!("{}{number}", one(rng, ODD));
    if chance(rng, 15) {
        let missing = LENGTH_MAX - name.chars().count();
        name.extend(std::iter::repeat_n('x', missing));
    } else if rng.random_bool(0.1) {
        name.push('Z');
    }
    name
}

/// The name in back-quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The same name in the other case.
pub(crate) fn other_case(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if upper == name {
        name.to_ascii_lowercase()
    } else {
        upper
    }
}
