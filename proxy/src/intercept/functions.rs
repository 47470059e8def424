//! Functions that tell of the statement before: `SELECT ROW_COUNT()` and its like, right after a schema change.
//!
//! The server would tell of the proxy's own statements there. A text that selects nothing but such functions is the client's
//! question all the same: the server is asked it, so that its columns are the server's, and what the client's last statement
//! left is put into the row. Anywhere else (in an expression, in a `SET`, in another statement) the server's own value stands.

use super::Kept;
use super::question::INTERRUPTED;
use super::words::tokens;
use crate::session::{Caught, End, Reply, Session};

/// A function that tells of the statement before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    RowCount,
    FoundRows,
    Warnings,
    Errors,
    /// One that no statement of the proxy's changes.
    Other,
}

/// A question of nothing but such functions, one a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Functions(Vec<Function>);

/// What a statement left, as far as the server would tell something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// `ROW_COUNT()`.
    pub(crate) rows: Option<String>,
    /// `FOUND_ROWS()`.
    pub(crate) found: Option<String>,
    /// `@@warning_count`, where there is no error.
    pub(crate) warnings: Option<u64>,
}

impl Functions {
    /// Reads a statement; `None` is anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        const LONGEST: usize = 64;
        // A version comment is code, or not.
        if text.windows(2).any(|pair| pair == b"/*") {
            return None;
        }
        let tokens = tokens(text, LONGEST)?;
        let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let words = words.strip_suffix(&[";"]).unwrap_or(&words);
        let ["SELECT", columns @ ..] = words else {
            return None;
        };
        let functions: Option<Vec<Function>> = columns.split(|word| *word == ",").map(function).collect();
        functions.map(Self)
    }

    fn asks_for_counts(&self) -> bool {
        let is_count = |function: &Function| matches!(function, Function::Warnings | Function::Errors);
        self.0.iter().any(is_count)
    }
}

/// One column.
fn function(words: &[&str]) -> Option<Function> {
    let (function, alias) = match words {
        ["ROW_COUNT", "(", ")", alias @ ..] => (Function::RowCount, alias),
        ["FOUND_ROWS", "(", ")", alias @ ..] => (Function::FoundRows, alias),
        [
            "LAST_INSERT_ID" | "DATABASE" | "CONNECTION_ID",
            "(",
            ")",
            alias @ ..,
        ] => (Function::Other, alias),
        ["@", "@", "SESSION" | "LOCAL", ".", name, alias @ ..] | ["@", "@", name, alias @ ..] => {
            match *name {
                "WARNING_COUNT" => (Function::Warnings, alias),
                "ERROR_COUNT" => (Function::Errors, alias),
                _ => return None,
            }
        }
        _ => return None,
    };
    let is_word = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match alias {
        [] => Some(function),
        ["AS", name] | [name] if is_word(name) => Some(function),
        _ => None,
    }
}

impl Left {
    /// The value of a function, where it is not the server's.
    fn value(&self, function: Function, of_its_own: u64) -> Option<String> {
        match function {
            Function::RowCount => self.rows.clone(),
            Function::FoundRows => self.found.clone(),
            Function::Warnings => self.warnings.map(|count| (count + of_its_own).to_string()),
            Function::Errors => self.warnings.map(|_| "0".to_owned()),
            Function::Other => None,
        }
    }

    /// What is left of it once something was selected or shown.
    pub(crate) fn counts_only(self) -> Option<Self> {
        self.warnings.is_some().then_some(Self {
            rows: None,
            found: None,
            ..self
        })
    }
}

impl Session {
    /// What the client's last statement left. To be asked before anything else is: MySQL warns of it, MariaDB has another
    /// `FOUND_ROWS()` beside a subquery. `None` if that was killed.
    pub(super) async fn left_before(&mut self) -> Result<Option<Left>, End> {
        let reply = self.ask("SELECT ROW_COUNT(), FOUND_ROWS() LIMIT 1").await?;
        if reply.error_code() == Some(INTERRUPTED) {
            return Ok(None);
        }
        let row = reply.into_first_row().unwrap_or_default();
        let mut values = row
            .into_iter()
            .map(|value| value.and_then(|value| String::from_utf8(value).ok()));
        let mut next = || values.next().flatten();
        Ok(Some(Left {
            rows: next(),
            found: next(),
            warnings: None,
        }))
    }

    /// Has the server answer the client's question, and puts in what the client's last statement left.
    pub(super) async fn tell(&mut self, caught: &Caught, text: &str, asked: &Functions) -> Result<(), End> {
        let left = self.left.take().unwrap_or_default();
        let kept = self.kept.take();
        let mut reader = self.send_aside(text).with_packets();
        let reply = self.answered(&mut reader).await?;
        let around = reader.into_packets();
        match reply {
            Reply::Rows(rows) => {
                // MySQL warns of FOUND_ROWS() before it counts the warnings.
                let of_its_own = u64::from(!self.server.is_mariadb && asked.0.contains(&Function::FoundRows));
                let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
                let put = |(value, function): (Option<Vec<u8>>, &Function)| {
                    left.value(*function, of_its_own).or_else(|| value.map(text))
                };
                let row = |row: Vec<Option<Vec<u8>>>| row.into_iter().zip(&asked.0).map(put).collect();
                let rows: Vec<Vec<Option<String>>> = rows.into_iter().map(row).collect();
                self.answer_rows(caught, &around, &rows);
                self.keep_behind(asked, left, kept);
            }
            Reply::Ok { payload, .. } | Reply::Err { payload, .. } => {
                self.answer(caught, caught.header.sequence.wrapping_add(1), &payload);
            }
        }
        Ok(())
    }

    /// MariaDB keeps all diagnostics where no table is read, MySQL their counts where these are asked for.
    fn keep_behind(&mut self, asked: &Functions, left: Left, kept: Option<Kept>) {
        if self.server.is_mariadb {
            (self.left, self.kept) = (left.counts_only(), kept);
        } else if asked.asks_for_counts() {
            self.left = left.counts_only();
            self.kept = kept.map(|kept| Kept {
                warnings: Vec::new(),
                ..kept
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_of_nothing_but_functions() {
        use Function::{Errors, FoundRows, Other, RowCount, Warnings};
        let check = |text: &str, expected: Option<&[Function]>| {
            let expected = expected.map(|functions| Functions(functions.to_vec()));
            assert_eq!(Functions::parse(text.as_bytes()), expected, "{text}");
        };
        check("SELECT ROW_COUNT()", Some(&[RowCount]));
        check(
            "select row_count() as n, found_rows() f, @@warning_count;",
            Some(&[RowCount, FoundRows, Warnings]),
        );
        check(
            "SELECT @@session.error_count, @@local.warning_count, LAST_INSERT_ID()",
            Some(&[Errors, Warnings, Other]),
        );
        for text in [
            "SELECT",
            "SELECT ROW_COUNT() + 1",
            "SELECT ROW_COUNT(), a FROM t",
            "SELECT ROW_COUNT() INTO @a",
            "SELECT @@global.warning_count",
            "SELECT /*!50000 ROW_COUNT(), */ 1",
            "SELECT ROW_COUNT(); SELECT 1",
            "SELECT LAST_INSERT_ID(3)",
            "SELECT 'ROW_COUNT()'",
            "SET @n = ROW_COUNT()",
        ] {
            check(text, None);
        }
    }
}
