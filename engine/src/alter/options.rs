//! Reads a run of table options, CONVERT TO and FORCE.

use super::action::{Action, TableOption};
use super::clause::{NOT_UNDERSTOOD, OWN_ALGORITHM, Reason};
use super::cursor::Cursor;
use super::lexeme::Kind;

/// The servers take it from the session's current schema, which need not be the table's.
const DEFAULT_CHARSET: Reason = "its character set is DEFAULT, that of the session's current schema";
const OTHER_ENGINE: Reason = "it moves the table to another storage engine";

/// Appends what the options do; they may stand one behind the other without commas.
pub(super) fn read(mut at: Cursor<'_>, actions: &mut Vec<Action>) -> Result<(), Reason> {
    if at.accept(&["FORCE"]) {
        actions.push(Action::Force);
        return if at.at_end() { Ok(()) } else { Err(NOT_UNDERSTOOD) };
    }
    if at.accept(&["CONVERT", "TO"]) {
        actions.push(Action::ConvertCharset);
        return convert(at);
    }
    if at.at_end() {
        return Err(NOT_UNDERSTOOD);
    }
    while !at.at_end() {
        actions.push(Action::Option(option(&mut at)?));
    }
    Ok(())
}

fn convert(mut at: Cursor<'_>) -> Result<(), Reason> {
    if !at.accept(&["CHARACTER", "SET"]) && !at.accept(&["CHARSET"]) {
        return Err(NOT_UNDERSTOOD);
    }
    charset(&mut at)?;
    if at.accept(&["COLLATE"]) {
        charset(&mut at)?;
    }
    if at.at_end() { Ok(()) } else { Err(NOT_UNDERSTOOD) }
}

fn option(at: &mut Cursor<'_>) -> Result<TableOption, Reason> {
    if at.sees(&["ALGORITHM"]) || at.sees(&["LOCK"]) {
        return Err(OWN_ALGORITHM);
    }
    if at.accept(&["ENGINE"]) {
        return match value(at)? {
            Kind::Word { value, .. } | Kind::Text(value) if value.eq_ignore_ascii_case("innodb") => {
                Ok(TableOption::Engine)
            }
            _ => Err(OTHER_ENGINE),
        };
    }
    let charset_default = at.accept(&["DEFAULT"]);
    if at.accept(&["CHARACTER", "SET"]) || at.accept_any(&["CHARSET", "COLLATE"]) {
        charset(at)?;
        return Ok(TableOption::DefaultCharset);
    }
    if charset_default {
        return Err(NOT_UNDERSTOOD);
    }
    let kinds: [(TableOption, &[&str]); 4] = [
        (TableOption::Comment, &["COMMENT"]),
        (TableOption::AutoIncrement, &["AUTO_INCREMENT"]),
        (
            TableOption::Statistics,
            &["STATS_PERSISTENT", "STATS_AUTO_RECALC", "STATS_SAMPLE_PAGES"],
        ),
        (
            TableOption::Storage,
            &[
                "ROW_FORMAT",
                "KEY_BLOCK_SIZE",
                "CHECKSUM",
                "AVG_ROW_LENGTH",
                "MAX_ROWS",
                "MIN_ROWS",
                "PACK_KEYS",
                "DELAY_KEY_WRITE",
                "COMPRESSION",
                "ENCRYPTION",
                "AUTOEXTEND_SIZE",
                "ENGINE_ATTRIBUTE",
                "SECONDARY_ENGINE_ATTRIBUTE",
                "PAGE_COMPRESSED",
                "PAGE_COMPRESSION_LEVEL",
                "ENCRYPTED",
                "ENCRYPTION_KEY_ID",
                "TRANSACTIONAL",
            ],
        ),
    ];
    for (option, keywords) in kinds {
        if at.accept_any(keywords) {
            value(at)?;
            return Ok(option);
        }
    }
    Err(NOT_UNDERSTOOD)
}

/// `[=] name` of a character set or collation.
fn charset(at: &mut Cursor<'_>) -> Result<(), Reason> {
    match value(at)? {
        Kind::Word { value, quoted: false } if value.eq_ignore_ascii_case("default") => Err(DEFAULT_CHARSET),
        Kind::Word { .. } | Kind::Text(_) => Ok(()),
        _ => Err(NOT_UNDERSTOOD),
    }
}

/// `[=] value`.
fn value(at: &mut Cursor<'_>) -> Result<Kind, Reason> {
    at.accept_symbol('=');
    match at.next().map(|lexeme| lexeme.kind.clone()) {
        Some(kind @ (Kind::Word { .. } | Kind::Text(_) | Kind::Number)) => Ok(kind),
        _ => Err(NOT_UNDERSTOOD),
    }
}
