//! What may differ between alterego's ALTER and the server's own, each rule with its reason. README lists what users see.

use alterego_testkit::Flavor;

use crate::case::Script;
use crate::outcome::Outcome;

/// A level, a code and a text.
type Line = (String, u16, String);

/// `ER_DUP_ENTRY`.
const DUPLICATE: u16 = 1062;
/// `WARN_DATA_TRUNCATED`.
const TRUNCATED: u16 = 1265;
/// `ER_WARN_DATA_OUT_OF_RANGE`.
const OUT_OF_RANGE: u16 = 1264;

/// What differs in the answers to the ALTER, and is not known to.
pub(crate) fn difference(
    flavor: Flavor,
    script: &Script,
    ours: &Outcome,
    native: &Outcome,
) -> Option<String> {
    let quiet = script.transactions.is_empty();
    let spoken = overflow_told_once(flavor, script, native.clone());
    let equal = ours.code().is_some() == native.code().is_some()
        && as_spelt(script, normal(flavor, script, ours.clone(), quiet))
            == as_spelt(script, normal(flavor, script, spoken, quiet));
    let equal = equal
        || computed_anew(script, ours, native)
        || another_reason(ours, native)
        || (flavor == Flavor::MySql && set_emptied(script, ours, native))
        || (flavor == Flavor::MySql && instant_only(script, ours, native))
        || overflow_of_decimal(script, ours, native);
    (!equal).then(|| format!("the ALTER is answered otherwise\n  ours:   {ours:?}\n  native: {native:?}"))
}

fn normal(flavor: Flavor, script: &Script, outcome: Outcome, quiet: bool) -> Outcome {
    let outcome = value_of_duplicate(outcome);
    let mut outcome = match flavor {
        Flavor::MySql => own_table_unnamed(outcome),
        Flavor::MariaDb => rounding_unsaid(script, outcome),
    };
    if let Outcome::Err { code, shown, .. } = &mut outcome {
        // An error packet holds one line; further lines that some servers add before or behind an error are not told.
        shown.retain(|(level, shown, _)| level == "Error" && shown == code);
        // MariaDB keeps even the error out of a list of no lines; ours is signalled, and stays.
        if script
            .session
            .iter()
            .any(|set| set.contains("max_error_count = 0"))
        {
            shown.clear();
        }
    }
    if quiet {
        return outcome;
    }
    // Rows come and go while the table is copied: how many were counted, and what was remarked on those that were read
    // before they changed, is of another moment than the swap.
    match &mut outcome {
        Outcome::Ok {
            affected,
            info,
            warnings,
            shown,
        } => {
            *affected = u64::from(*affected > 0);
            info.clear();
            *warnings = 0;
            shown.clear();
        }
        Outcome::Err { message, shown, .. } => {
            *message = without_numbers(message);
            shown.clear();
        }
    }
    outcome
}

/// Where the data is in the way for several reasons, a duplicate of a new unique key may be told before or behind a value
/// that does not fit: the server goes row by row, alterego chunk by chunk, and may build the index at the end.
fn another_reason(ours: &Outcome, native: &Outcome) -> bool {
    let misfits = [1264, 1265, 1292, 1366, 1406, 1138, 1916];
    match (ours.code(), native.code()) {
        (Some(DUPLICATE), Some(other)) | (Some(other), Some(DUPLICATE)) => misfits.contains(&other),
        _ => false,
    }
}

/// MySQL empties a SET that is converted to a character set of two or four bytes, and says nothing. INSERT, and so
/// alterego, says 1265.
fn set_emptied(script: &Script, ours: &Outcome, native: &Outcome) -> bool {
    let create = script.table.first().map_or("", String::as_str);
    let wide = ["utf16", "ucs2", "utf32"].map(|set| format!("CONVERT TO CHARACTER SET {set}"));
    let told = |(_, code, _): &Line| *code == TRUNCATED;
    create.contains(" SET(")
        && wide.iter().any(|convert| script.alter.contains(convert))
        && matches!(native, Outcome::Ok { shown, .. } if shown.is_empty())
        && match ours {
            Outcome::Ok { shown, .. } => !shown.is_empty() && shown.iter().all(told),
            Outcome::Err { code, .. } => *code == TRUNCATED,
        }
}

/// MySQL counts no rows where it adds plain and VIRTUAL columns at once, in an instant, which it cannot do in place; what
/// it would have done shows in the empty ghost, where alterego does not ask for an instant. Without `--strategy ghost` the
/// server is asked, and does it.
fn instant_only(script: &Script, ours: &Outcome, native: &Outcome) -> bool {
    let adds = |word: &str| script.alter.contains("ADD COLUMN") && script.alter.contains(word);
    match (ours, native) {
        (
            Outcome::Ok {
                warnings: 0, shown, ..
            },
            Outcome::Ok {
                affected: 0,
                warnings: 0,
                ..
            },
        ) => adds(" VIRTUAL") && shown.is_empty(),
        _ => false,
    }
}

/// A DECIMAL beyond BIGINT: as with a DOUBLE, ALTER speaks of a value and INSERT of the column.
fn overflow_of_decimal(script: &Script, ours: &Outcome, native: &Outcome) -> bool {
    let create = script.table.first().map_or("", String::as_str);
    let about_value = |outcome: &Outcome| match outcome {
        Outcome::Err { code, message, .. } => {
            (*code == 1292 && message.starts_with("Truncated incorrect DECIMAL value"))
                || (*code == 1916 && message.starts_with("Got overflow when converting"))
        }
        Outcome::Ok { .. } => false,
    };
    create.contains(" DECIMAL(") && ours.code() == Some(OUT_OF_RANGE) && about_value(native)
}

/// A STORED generated column is computed anew, as by an ALTER that copies. One that MariaDB does in place keeps what is
/// there, also what the session could not store.
fn computed_anew(script: &Script, ours: &Outcome, native: &Outcome) -> bool {
    let create = script.table.first().map_or("", String::as_str);
    let (Outcome::Err { code, message, .. }, Outcome::Ok { affected: 0, .. }) = (ours, native) else {
        return false;
    };
    let named = |definition: &str| {
        let name = definition.trim_start().split('`').nth(1);
        definition.contains(" STORED") && name.is_some_and(|name| message.contains(name))
    };
    matches!(code, 1264 | 1265 | 1366 | 1406) && create.split(", `").any(|rest| named(&format!("`{rest}")))
}

/// Where a new unique key meets several duplicates, the one that is named goes by the order in which chunks are copied. The
/// key is the same.
fn value_of_duplicate(outcome: Outcome) -> Outcome {
    if outcome.code() != Some(DUPLICATE) {
        return outcome;
    }
    outcome.map_texts(|text| match text.rsplit_once("' for key '") {
        Some((_, key)) if text.starts_with("Duplicate entry '") => format!("Duplicate entry for key '{key}"),
        _ => text,
    })
}

/// Where a column changes the case of its name only, MariaDB's errors have the old name and INSERT's the new one.
fn as_spelt(script: &Script, outcome: Outcome) -> Outcome {
    match script.alter.contains("CHANGE") || script.alter.contains("RENAME COLUMN") {
        true => outcome.map_texts(|text| text.to_lowercase()),
        false => outcome,
    }
}

/// MySQL's ALTER names the table it copies into where a text is no JSON; nobody else can know that name.
fn own_table_unnamed(outcome: Outcome) -> Outcome {
    outcome.map_texts(|text| match text.split_once(" in value for column '") {
        Some((head, place)) if text.starts_with("Invalid JSON text") => {
            let column = place.split_once('.').map_or(place, |(_, column)| column);
            format!("{head} in value for column '{column}")
        }
        _ => text,
    })
}

/// MariaDB's ALTER rounds a FLOAT or DOUBLE to nothing without a Note, where INSERT has one.
fn rounding_unsaid(script: &Script, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Ok {
            affected,
            info,
            warnings,
            mut shown,
        } if script.alter.contains("DECIMAL") && has_floats(script) => {
            let before = shown.len();
            shown.retain(|(level, code, _)| level != "Note" || *code != TRUNCATED);
            let after = warnings.saturating_sub(u16::try_from(before - shown.len()).unwrap_or_default());
            Outcome::Ok {
                affected,
                info: info.replace(&format!("Warnings: {warnings}"), &format!("Warnings: {after}")),
                warnings: after,
                shown,
            }
        }
        other => other,
    }
}

fn has_floats(script: &Script) -> bool {
    let create = script.table.first().map_or("", String::as_str);
    create.contains(" DOUBLE") || create.contains(" FLOAT")
}

/// A FLOAT or DOUBLE beyond any DECIMAL or BIGINT: the server's own ALTER says so twice, first in words about no value and
/// no column. INSERT, and so alterego, says what comes second.
fn overflow_told_once(flavor: Flavor, script: &Script, native: Outcome) -> Outcome {
    if !has_floats(script) {
        return native;
    }
    let is_first = |line: &Line| match flavor {
        Flavor::MariaDb => line.1 == 1916 && line.2.starts_with("Got overflow when converting '"),
        Flavor::MySql => line.1 == 1292 && line.2.starts_with("Truncated incorrect "),
    };
    let is_second = |line: Option<&Line>| line.is_some_and(|line| line.1 == OUT_OF_RANGE);
    match native {
        Outcome::Ok {
            affected,
            info,
            warnings,
            shown,
        } => {
            let (mut kept, mut left_out) = (Vec::new(), 0);
            for (place, line) in shown.iter().enumerate() {
                match is_first(line) && is_second(shown.get(place + 1)) {
                    true => left_out += 1,
                    false => kept.push(line.clone()),
                }
            }
            let (before, after) = (format!("Warnings: {warnings}"), warnings.saturating_sub(left_out));
            Outcome::Ok {
                affected,
                info: info.replace(&before, &format!("Warnings: {after}")),
                warnings: after,
                shown: kept,
            }
        }
        Outcome::Err { shown, .. }
            if shown.iter().any(is_first) && shown.last().is_some_and(|line| is_second(Some(line))) =>
        {
            let message = shown.last().map_or_else(String::new, |line| line.2.clone());
            Outcome::Err {
                code: OUT_OF_RANGE,
                state: "22003".to_owned(),
                message,
                shown,
            }
        }
        other => other,
    }
}

/// Whether MariaDB's own ALTER may forget numbers that were given to nobody: it does where it changes a table in place
/// without building it anew, and reads it again. alterego's table goes on where the source would have.
pub(crate) fn may_forget_numbers(flavor: Flavor, script: &Script, native: &Outcome) -> bool {
    flavor == Flavor::MariaDb
        && matches!(native, Outcome::Ok { affected: 0, .. })
        && !script.alter.contains("AUTO_INCREMENT=")
}

/// The place of a row moves with the rows before it.
fn without_numbers(message: &str) -> String {
    match message.rsplit_once(" at row ") {
        Some((head, _)) => head.to_owned(),
        None => message.to_owned(),
    }
}
