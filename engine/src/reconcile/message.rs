//! Server texts about the ghost, as they read when they are about the table itself.

use crate::TableName;
use crate::error::ServerError;
use crate::plan::Plan;

const AT_ROW: &str = " at row ";

/// `text` with the ordinal of its last `at row N` raised by `rows_before`: a statement counts its own rows, a native
/// ALTER all rows in key order.
pub(crate) fn shift_row(text: &str, rows_before: u64) -> String {
    let Some((head, tail)) = text.rsplit_once(AT_ROW) else {
        return text.to_owned();
    };
    let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    let (digits, rest) = tail.split_at(end);
    match digits.parse::<u64>() {
        Ok(row) => format!("{head}{AT_ROW}{}{rest}", row.saturating_add(rows_before)),
        Err(_) => text.to_owned(),
    }
}

/// `text` with `at row N` naming exactly `row`.
pub(super) fn name_row(text: &str, row: u64) -> String {
    match row_of(text) {
        Some(_) => {
            let head = text.rsplit_once(AT_ROW).map_or(text, |(head, _)| head);
            shift_row(&format!("{head}{AT_ROW}0"), row)
        }
        None => text.to_owned(),
    }
}

/// The ordinal in `at row N`.
pub(super) fn row_of(text: &str) -> Option<u64> {
    let (_, tail) = text.rsplit_once(AT_ROW)?;
    tail.parse().ok()
}

/// `text` with the source's name where the server wrote the ghost's (MariaDB names the table in 4025 and 1366, MySQL,
/// without quotes, in 1831).
pub(crate) fn rename_ghost(text: &str, plan: &Plan) -> String {
    let (ghost, source) = (plan.ghost_name(), plan.source_name());
    let plain = |name: &TableName| format!("{}.{}", name.schema.as_str(), name.table.as_str());
    text.replace(&ghost.to_string(), &source.to_string())
        .replace(&plain(ghost), &plain(source))
}

/// Applies [`shift_row`] to an error.
pub(super) fn shift_error(error: ServerError, rows_before: u64) -> ServerError {
    ServerError {
        message: shift_row(&error.message, rows_before),
        ..error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_over_the_whole_table() {
        let check = |text: &str, before, expected: &str| assert_eq!(shift_row(text, before), expected);
        check(
            "Out of range value for column 'c' at row 3",
            1000,
            "Out of range value for column 'c' at row 1003",
        );
        check(
            "Incorrect value: 'x at row 1' for column 'c' at row 2",
            5,
            "Incorrect value: 'x at row 1' for column 'c' at row 7",
        );
        check(
            "Check constraint 'k' is violated.",
            5,
            "Check constraint 'k' is violated.",
        );
        check("where at row x", 5, "where at row x");
    }

    #[test]
    fn a_row_is_named() {
        assert_eq!(
            name_row("Data truncated for column 'c' at row 9", 4),
            "Data truncated for column 'c' at row 4"
        );
        assert_eq!(
            name_row("Check constraint 'k' is violated.", 4),
            "Check constraint 'k' is violated."
        );
    }
}
