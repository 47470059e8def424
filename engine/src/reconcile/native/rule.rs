//! What becomes of one remark of INSERT.

use super::value::{Numeral, as_ascii, as_text, numeral, temporal_word};
use crate::conversion::{is_integer, is_text};
use crate::plan::Plan;
use crate::reconcile::Warning;
use crate::reconcile::message::row_of;
use crate::table::Column;
use crate::{Flavor, Ident};

pub(super) const TRUNCATED: u16 = 1265;
pub(super) const NULL_REFUSED: u16 = 1138;
pub(super) const WRONG_VALUE: u16 = 1292;
const NULL_IN_INSERT: u16 = 1048;
const OUT_OF_RANGE: u16 = 1264;
const WRONG_VALUE_FOR_COLUMN: u16 = 1366;
const TOO_LONG: u16 = 1406;

/// What to do with a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// ALTER says the same.
    Keep,
    /// ALTER says this.
    Say(Vec<Warning>),
    /// ALTER says `Data truncated` and names the row, whose NULL is in this source column.
    NameNull { source: Ident, ghost: Ident },
    /// ALTER quotes the value this row has in this source column.
    Quote { source: Ident, row: u64, how: How },
}

/// How ALTER speaks of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// MariaDB: no number of this type.
    Number(&'static str),
    /// MariaDB: no date; `None` for one that is taken for what it resembles.
    Temporal {
        word: Option<&'static str>,
        ghost: Ident,
    },
    /// MySQL: no DECIMAL.
    Decimal,
}

/// A pair of columns one remark is about.
struct Pair<'a> {
    source: &'a Column,
    ghost: &'a Column,
}

pub(super) fn rule(plan: &Plan, flavor: Flavor, said: &Warning) -> Rule {
    let Some(pair) = pair(plan, &said.message) else {
        return Rule::Keep;
    };
    if said.code == NULL_IN_INSERT {
        return of_null(plan, flavor, said, &pair);
    }
    if truncates_as_such(flavor, &pair) {
        if said.code == TOO_LONG {
            return Rule::Say(vec![
                said.as_(TRUNCATED, said.message.replace("Data too long", "Data truncated")),
            ]);
        }
        // ALTER minds spaces that are cut off, INSERT does not.
        if said.code == TRUNCATED && said.level == "Note" {
            let level = if is_strict(plan) { "Error" } else { "Warning" };
            return Rule::Say(vec![Warning {
                level: level.to_owned(),
                ..said.clone()
            }]);
        }
    }
    match flavor {
        Flavor::MariaDb => of_mariadb(plan, said, &pair),
        Flavor::MySql => of_mysql(said, &pair),
    }
}

/// The words ALTER has for a value that was read.
pub(super) fn quoted(plan: &Plan, how: &How, said: &Warning, value: &[u8]) -> Vec<Warning> {
    match how {
        How::Number(word) => vec![said.as_(WRONG_VALUE, no_number(word, &as_text(value)))],
        How::Temporal { word, ghost } => {
            let word = word.unwrap_or_else(|| temporal_word(&String::from_utf8_lossy(value)));
            let row = row_of(&said.message).unwrap_or_default();
            let value = as_ascii(value);
            let table = plan.source_name();
            let text = format!("Incorrect {word} value: '{value}' for column {table}.{ghost} at row {row}");
            vec![Warning {
                level: "Warning".to_owned(),
                ..said.as_(WRONG_VALUE, text)
            }]
        }
        How::Decimal => decimal(said, &String::from_utf8_lossy(value)),
    }
}

/// The row a message names, and where in the ghost its column is.
pub(super) fn place(plan: &Plan, message: &str) -> Option<(u64, usize)> {
    let name = Ident::new(column_of(message)?);
    let columns = &plan.ghost.columns;
    let column = columns.iter().position(|column| column.name.same_column(&name))?;
    Some((row_of(message)?, column))
}

fn of_null(plan: &Plan, flavor: Flavor, said: &Warning, pair: &Pair<'_>) -> Rule {
    if flavor == Flavor::MySql && !plan.native_copies && said.level == "Error" {
        return Rule::Say(vec![
            said.as_(NULL_REFUSED, "Invalid use of NULL value".to_owned()),
        ]);
    }
    Rule::NameNull {
        source: pair.source.name.clone(),
        ghost: pair.ghost.name.clone(),
    }
}

fn of_mariadb(plan: &Plan, said: &Warning, pair: &Pair<'_>) -> Rule {
    let (from, to) = (pair.source.data_type.as_str(), pair.ghost.data_type.as_str());
    let row = row_of(&said.message);
    let quote = |how| match row {
        Some(row) => Rule::Quote {
            source: pair.source.name.clone(),
            row,
            how,
        },
        None => Rule::Keep,
    };
    if let Some(word) = number_word(to).filter(|_| is_string(from)) {
        return match (said.code, value_of(&said.message)) {
            (WRONG_VALUE_FOR_COLUMN, Some(value)) => {
                Rule::Say(vec![said.as_(WRONG_VALUE, no_number(word, value))])
            }
            // A Note on a DECIMAL tells of digits that were rounded away.
            (TRUNCATED, _) if to != "decimal" || said.level != "Note" => quote(How::Number(word)),
            (OUT_OF_RANGE, _) if to == "double" => quote(How::Number(word)),
            _ => Rule::Keep,
        };
    }
    let ghost = pair.ghost.name.clone();
    let readable = is_text(from) || is_integer(from);
    match (to, said.code) {
        ("date" | "datetime", WRONG_VALUE) if readable => {
            let Some(value) = value_of(&said.message) else {
                return Rule::Keep;
            };
            let how = How::Temporal { word: None, ghost };
            let lines = quoted(plan, &how, said, value.as_bytes());
            Rule::Say(
                lines
                    .into_iter()
                    .map(|line| Warning {
                        level: said.level.clone(),
                        ..line
                    })
                    .collect(),
            )
        }
        ("date" | "datetime" | "timestamp", TRUNCATED) if readable && said.level == "Warning" => {
            quote(How::Temporal { word: None, ghost })
        }
        ("time", TRUNCATED | OUT_OF_RANGE) if readable && said.level == "Warning" => quote(How::Temporal {
            word: Some("time"),
            ghost,
        }),
        _ => Rule::Keep,
    }
}

fn of_mysql(said: &Warning, pair: &Pair<'_>) -> Rule {
    if pair.ghost.data_type != "decimal" || !is_text(&pair.source.data_type) {
        return Rule::Keep;
    }
    match (said.code, value_of(&said.message), row_of(&said.message)) {
        (WRONG_VALUE_FOR_COLUMN, Some(value), _) => Rule::Say(decimal(said, value)),
        (TRUNCATED, _, Some(row)) => Rule::Quote {
            source: pair.source.name.clone(),
            row,
            how: How::Decimal,
        },
        _ => Rule::Keep,
    }
}

/// MySQL's words for a text that is no DECIMAL; the row is its own, wrong one.
fn decimal(said: &Warning, value: &str) -> Vec<Warning> {
    let level = if said.level == "Note" {
        "Warning"
    } else {
        said.level.as_str()
    };
    let said_as = |code, text| Warning {
        level: level.to_owned(),
        ..said.as_(code, text)
    };
    let truncated = said_as(WRONG_VALUE, no_number("DECIMAL", value));
    let nothing = "Incorrect DECIMAL value: '0' for column '' at row -1".to_owned();
    match numeral(value) {
        Numeral::None => vec![said_as(WRONG_VALUE_FOR_COLUMN, nothing), truncated],
        Numeral::Leading => vec![truncated],
        Numeral::Whole => vec![said.clone()],
    }
}

fn no_number(word: &str, value: &str) -> String {
    format!("Truncated incorrect {word} value: '{value}'")
}

/// Whether ALTER copies the bytes of such a pair and truncates what is too long, where INSERT stores a value.
fn truncates_as_such(flavor: Flavor, pair: &Pair<'_>) -> bool {
    let kind = pair.source.data_type.as_str();
    let kinds: &[&str] = match flavor {
        Flavor::MySql => &["char", "binary"],
        Flavor::MariaDb => &["char", "varchar", "binary", "varbinary"],
    };
    kind == pair.ghost.data_type && pair.source.charset == pair.ghost.charset && kinds.contains(&kind)
}

fn is_string(data_type: &str) -> bool {
    is_text(data_type) || data_type == "varbinary" || data_type.ends_with("blob")
}

fn number_word(data_type: &str) -> Option<&'static str> {
    match data_type {
        "decimal" => Some("DECIMAL"),
        "float" | "double" => Some("DOUBLE"),
        _ if is_integer(data_type) => Some("INTEGER"),
        _ => None,
    }
}

fn is_strict(plan: &Plan) -> bool {
    plan.settings.sql_mode.contains("STRICT_")
}

/// The columns a remark is about, where the ghost's is filled from the source's.
fn pair<'a>(plan: &'a Plan, message: &str) -> Option<Pair<'a>> {
    let name = Ident::new(column_of(message)?);
    let pairs = &plan.mapping.columns;
    let mapped = pairs.iter().find(|mapped| mapped.ghost.same_column(&name))?;
    Some(Pair {
        source: plan.source.column(&mapped.source)?,
        ghost: plan.ghost.column(&mapped.ghost)?,
    })
}

/// The column a message names: `Column 'a' cannot be null`, `… for column 'a' at row 5` or, on MariaDB,
/// `… for column `schema`.`table`.`a` at row 5`.
fn column_of(message: &str) -> Option<&str> {
    if let Some(rest) = message.strip_prefix("Column '") {
        return rest.strip_suffix("' cannot be null");
    }
    let (_, column) = message.rsplit_once(" for column ")?;
    let (column, _) = column.rsplit_once(" at row ")?;
    match column.strip_prefix('\'') {
        Some(name) => name.strip_suffix('\''),
        None => Some(column.strip_suffix('`')?.rsplit_once("`.`")?.1),
    }
}

/// The value a message quotes.
fn value_of(message: &str) -> Option<&str> {
    let (_, behind) = message.split_once(" value: '")?;
    Some(behind.rsplit_once("' for column ")?.0)
}

impl Warning {
    /// The same remark as another error.
    fn as_(&self, code: u16, message: String) -> Self {
        Self {
            level: self.level.clone(),
            code,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_apart() {
        let check = |text: &str, column: Option<&str>, value: Option<&str>| {
            assert_eq!((column_of(text), value_of(text)), (column, value), "{text}");
        };
        check("Column 'a' cannot be null", Some("a"), None);
        check("Data too long for column 'it's' at row 5", Some("it's"), None);
        check(
            "Incorrect integer value: 'x' for column `s`.`t`.`a` at row 5",
            Some("a"),
            Some("x"),
        );
        check(
            "Incorrect date value: '' for column 'y' for column 'a' at row 5",
            Some("a"),
            Some("' for column 'y"),
        );
        check("Check constraint 'k' is violated.", None, None);
        check("Duplicate entry '1' for key 't.PRIMARY'", None, None);
    }

    #[test]
    fn mysql_has_its_own_words_for_decimals() {
        let said = Warning {
            level: "Note".to_owned(),
            code: TRUNCATED,
            message: "Data truncated for column 'v' at row 6".to_owned(),
        };
        let check = |value: &str, expected: &[(&str, u16)]| {
            let lines = decimal(&said, value);
            let lines: Vec<_> = lines
                .iter()
                .map(|line| (line.level.as_str(), line.code))
                .collect();
            assert_eq!(lines, expected, "{value}");
        };
        check("one", &[("Warning", 1366), ("Warning", 1292)]);
        check("1one", &[("Warning", 1292)]);
        check("1.555", &[("Note", 1265)]);
    }
}
