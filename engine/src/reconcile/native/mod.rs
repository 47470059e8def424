//! Errors and warnings of INSERT, as the server's own ALTER words them.
//!
//! The client sent an ALTER, so it is answered as one. What differs, as measured on MySQL 9.7 and MariaDB 11.8:
//!
//! | data | INSERT says | ALTER says |
//! |---|---|---|
//! | NULL for NOT NULL, MySQL, in place, strict | 1048 | 1138 `Invalid use of NULL value` |
//! | NULL for NOT NULL, anything else | 1048 (lax, MySQL: once a column) | 1265 `Data truncated for column 'a' at row N` |
//! | a too long CHAR or BINARY that stays one, strict | 1406 | 1265 with the same row |
//! | the same for VARCHAR and VARBINARY, MariaDB | 1406 | 1265 with the same row |
//! | spaces cut off a shorter VARCHAR, MariaDB | Note 1265 | 1265: a Warning, or in strict mode the error |
//! | a text that is no number, MariaDB | 1366, 1265 | 1292 `Truncated incorrect INTEGER value: '1one'` |
//! | a text or integer that is no date, MariaDB, strict | 1292 `Incorrect date value` | `date` or `datetime`, by the value |
//! | the same, lax | 1265 | 1292 `Incorrect datetime value: '…' for column … at row N` |
//! | a text or integer that is no TIME, MariaDB, lax | 1265, 1264 | 1292 `Incorrect time value: '…'` |
//! | a text that is no DECIMAL, MySQL | 1366, Note 1265 | 1292 and, for no number at all, 1366 with `row -1` |
//!
//! A row or a value that INSERT does not tell is read from the source once the write is over, so a client whose row
//! changes in that moment may be told of the newer value. Nothing is read unless something was remarked.
//!
//! # What stays different
//! - The extra lines of `SHOW WARNINGS` behind an error: an error packet holds one line.
//! - MySQL, 3140: a native ALTER names its own temporary table (`#sql-….v`), which nobody can know.
//! - MySQL, lax, an integer that is no date: 1265 where ALTER says 1264 for a day that does not exist.
//! - An integer 0 for ENUM: MySQL's ALTER takes it for the empty value, INSERT refuses it or warns.
//! - MySQL, lax, NULL for TIMESTAMP NOT NULL: ALTER stores the present time and does not warn.
//! - MariaDB, lax, NULL for JSON NOT NULL: ALTER stores an empty text, INSERT is refused by the CHECK.
//! - Both, a DOUBLE beyond BIGINT for an integer: ALTER says 1292 (MariaDB 1916) in front of the 1264.
//! - MariaDB, a text with an integer beyond BIGINT: INSERT says 1264, ALTER 1292.
//! - MariaDB, a DATE of a text with a time of day and more behind it: ALTER adds a second line.

mod rule;
mod value;

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use self::rule::{How, NULL_REFUSED, Rule, TRUNCATED, WRONG_VALUE, place, quoted, rule};
use super::sql::{RowSet, Sql};
use super::written::{Warning, Written};
use crate::error::ServerError;
use crate::{Error, Flavor, Ident, Result};

/// More lines of one set than any client is told.
const LISTED_MAX: usize = 1024;

/// The outcome of writing `set`, in ALTER's words; rows are counted from the first of the set.
///
/// # Errors
/// `outcome`'s, and [`Error::Answer`] for what only ALTER takes for an error; [`Error::Transient`] when the connection
/// is lost.
pub(super) async fn worded(
    conn: &mut Conn,
    sql: &Sql,
    set: &RowSet,
    outcome: Result<Written>,
) -> Result<Written> {
    match outcome {
        Ok(written) if !written.warnings.is_empty() => of_warnings(conn, sql, set, written).await,
        Err(Error::Answer(server)) => Err(of_error(conn, sql, set, server).await),
        other => other,
    }
}

async fn of_warnings(conn: &mut Conn, sql: &Sql, set: &RowSet, mut written: Written) -> Result<Written> {
    let said = std::mem::take(&mut written.warnings);
    let listed = said.len() as u64;
    let lines = reworded(conn, sql, set, said).await?;
    if let Some(refused) = lines.iter().find(|line| line.level == "Error") {
        return Err(Error::Answer(answer(refused, "HY000")));
    }
    written.warning_count = (written.warning_count + lines.len() as u64).saturating_sub(listed);
    written.warnings = lines;
    written.warnings.truncate(LISTED_MAX);
    Ok(written)
}

/// The error is what matters: where nothing more can be read, it stays in INSERT's words.
async fn of_error(conn: &mut Conn, sql: &Sql, set: &RowSet, server: ServerError) -> Error {
    let said = Warning {
        level: "Error".to_owned(),
        code: server.code,
        message: server.message.clone(),
    };
    let lines = reworded(conn, sql, set, vec![said]).await.unwrap_or_default();
    Error::Answer(match lines.first() {
        Some(line) => answer(line, &server.state),
        None => server,
    })
}

fn answer(line: &Warning, state: &str) -> ServerError {
    let state = match line.code {
        TRUNCATED => "01000",
        NULL_REFUSED => "22004",
        WRONG_VALUE => "22007",
        _ => state,
    };
    ServerError {
        code: line.code,
        state: state.to_owned(),
        message: line.message.clone(),
    }
}

async fn reworded(conn: &mut Conn, sql: &Sql, set: &RowSet, said: Vec<Warning>) -> Result<Vec<Warning>> {
    let plan = sql.plan();
    let rules: Vec<Rule> = said.iter().map(|line| rule(plan, sql.flavor(), line)).collect();
    let mut nulls = nulls(conn, sql, set, &rules).await?;
    let values = values(conn, sql, set, &rules).await?;
    let refused = said.iter().any(|line| line.level == "Error");
    let mut lines = Vec::with_capacity(said.len());
    for (line, rule) in said.into_iter().zip(rules) {
        match rule {
            Rule::Keep => lines.push(line),
            Rule::Say(instead) => lines.extend(instead),
            // The remarks on one column come in the order of its rows.
            Rule::NameNull { source, ghost } => {
                let nulls = nulls.get_mut(source.as_str());
                lines.push(match nulls.and_then(|nulls| nulls.places.next()) {
                    Some(row) => null_truncated(&line.level, &ghost, row),
                    None => line,
                });
            }
            Rule::Quote { source, row, how } => {
                match values.get(source.as_str()).and_then(|read| read.get(&row)) {
                    Some(value) if needs_words(&how, &line, value) => {
                        lines.extend(quoted(plan, &how, &line, value))
                    }
                    _ => lines.push(line),
                }
            }
        }
    }
    if sql.flavor() == Flavor::MySql && !refused {
        add_nulls(sql, nulls, &mut lines);
    }
    Ok(lines)
}

/// A Note about a number tells of spaces around it, if there are any.
fn needs_words(how: &How, line: &Warning, value: &[u8]) -> bool {
    !matches!(how, How::Number(_)) || line.level != "Note" || value.trim_ascii() != value
}

/// Lines for the NULLs that are left: MySQL's INSERT remarks only on the first of a column.
fn add_nulls(sql: &Sql, nulls: BTreeMap<String, Nulls>, lines: &mut Vec<Warning>) {
    let told = lines.len();
    for nulls in nulls.into_values() {
        let line = |row| null_truncated("Warning", &nulls.ghost, row);
        lines.extend(nulls.places.map(line));
    }
    if lines.len() > told {
        in_row_order(sql, lines);
    }
}

/// Orders lines as a copy of row after row says them. A line that names no row stays behind the one before it.
fn in_row_order(sql: &Sql, lines: &mut Vec<Warning>) {
    let mut last = (0, 0);
    let keyed = lines.drain(..).map(|line| {
        last = place(sql.plan(), &line.message).unwrap_or(last);
        (last, line)
    });
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_by_key(|(place, _)| *place);
    lines.extend(keyed.into_iter().map(|(_, line)| line));
}

fn null_truncated(level: &str, ghost: &Ident, row: u64) -> Warning {
    Warning {
        level: level.to_owned(),
        code: TRUNCATED,
        message: format!("Data truncated for column '{}' at row {row}", ghost.as_str()),
    }
}

/// The rows of the set with a NULL for one column of the ghost.
struct Nulls {
    ghost: Ident,
    places: std::vec::IntoIter<u64>,
}

/// The ordinals of the rows with a NULL, for each column of which NULLs were remarked.
async fn nulls(conn: &mut Conn, sql: &Sql, set: &RowSet, rules: &[Rule]) -> Result<BTreeMap<String, Nulls>> {
    let mut found = BTreeMap::new();
    for rule in rules {
        let Rule::NameNull { source, ghost } = rule else {
            continue;
        };
        if !found.contains_key(source.as_str()) {
            let read = read(conn, sql, set, source, "value IS NULL").await?;
            let places: Vec<u64> = read.into_iter().map(|(place, _)| place).collect();
            let nulls = Nulls {
                ghost: ghost.clone(),
                places: places.into_iter(),
            };
            found.insert(source.as_str().to_owned(), nulls);
        }
    }
    Ok(found)
}

/// The values to be quoted, by column and row.
async fn values(
    conn: &mut Conn,
    sql: &Sql,
    set: &RowSet,
    rules: &[Rule],
) -> Result<BTreeMap<String, BTreeMap<u64, Vec<u8>>>> {
    let mut wanted: BTreeMap<&str, (&Ident, Vec<String>)> = BTreeMap::new();
    for rule in rules {
        if let Rule::Quote { source, row, .. } = rule {
            let entry = wanted
                .entry(source.as_str())
                .or_insert_with(|| (source, Vec::new()));
            entry.1.push(row.to_string());
        }
    }
    let mut found = BTreeMap::new();
    for (name, (column, rows)) in wanted {
        let rows = format!("place IN ({})", rows.join(","));
        let read = read(conn, sql, set, column, &rows).await?;
        let values = read
            .into_iter()
            .filter_map(|(place, value)| Some((place, value?)));
        found.insert(name.to_owned(), values.collect());
    }
    Ok(found)
}

async fn read(
    conn: &mut Conn,
    sql: &Sql,
    set: &RowSet,
    column: &Ident,
    wanted: &str,
) -> Result<Vec<(u64, Option<Vec<u8>>)>> {
    Ok(conn.query(sql.numbered(set, column, wanted)).await?)
}
