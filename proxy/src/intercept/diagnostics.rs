//! `SHOW WARNINGS` after a schema change the server knows nothing of.

use super::words::tokens;
use crate::hooks::{Grid, Warning};

/// The proxy's own statements among the `SHOW`s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// `SHOW MIGRATIONS`.
    Migrations,
    /// `SHOW ROUTES`.
    Routes,
    /// `SHOW UPSTREAMS`.
    Upstreams,
    /// `SHOW WARNINGS` or `SHOW ERRORS`, or their count.
    Diagnostics(Diagnostics),
}

/// A question about the diagnostics area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostics {
    errors_only: bool,
    count: bool,
    offset: usize,
    limit: usize,
}

impl Show {
    /// Reads a statement; `None` is none of these, and the server's.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut tokens = tokens(text, 12)?;
        while tokens.last().is_some_and(|token| token == ";") {
            tokens.pop();
        }
        let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let (count, subject, limits) = match words.as_slice() {
            ["SHOW", "MIGRATIONS"] => return Some(Self::Migrations),
            ["SHOW", "ROUTES"] => return Some(Self::Routes),
            ["SHOW", "UPSTREAMS"] => return Some(Self::Upstreams),
            ["SHOW", "COUNT", "(", "*", ")", subject] => (true, *subject, &[][..]),
            ["SHOW", subject, limits @ ..] => (false, *subject, limits),
            _ => return None,
        };
        let errors_only = match subject {
            "WARNINGS" => false,
            "ERRORS" => true,
            _ => return None,
        };
        let number = |word: &str| word.parse::<usize>().ok();
        let (offset, limit) = match limits {
            [] => (0, usize::MAX),
            ["LIMIT", limit] => (0, number(limit)?),
            ["LIMIT", offset, ",", limit] | ["LIMIT", limit, "OFFSET", offset] => {
                (number(offset)?, number(limit)?)
            }
            _ => return None,
        };
        Some(Self::Diagnostics(Diagnostics {
            errors_only,
            count,
            offset,
            limit,
        }))
    }
}

impl Diagnostics {
    /// The server's own statement for it, all rows.
    pub(crate) fn statement(&self) -> &'static str {
        match (self.count, self.errors_only) {
            (false, false) => "SHOW WARNINGS",
            (false, true) => "SHOW ERRORS",
            (true, false) => "SHOW COUNT(*) WARNINGS",
            (true, true) => "SHOW COUNT(*) ERRORS",
        }
    }
}

/// The diagnostics a caught statement left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What `SHOW WARNINGS` lists.
    pub(crate) warnings: Vec<Warning>,
    /// How many there were; the list may hold fewer.
    pub(crate) count: u64,
}

impl Kept {
    /// What an error leaves: itself.
    pub(crate) fn error(code: u16, message: String) -> Self {
        Self {
            warnings: vec![Warning {
                level: "Error".to_owned(),
                code,
                message,
            }],
            count: 1,
        }
    }

    /// The answer to a question about them.
    pub(crate) fn answer(&self, asked: &Diagnostics) -> Grid {
        let lines = || {
            self.warnings
                .iter()
                .filter(|line| !asked.errors_only || line.level == "Error")
        };
        if asked.count {
            let (name, count) = if asked.errors_only {
                ("@@session.error_count", lines().count() as u64)
            } else {
                ("@@session.warning_count", self.count)
            };
            return Grid {
                columns: vec![name.to_owned()],
                rows: vec![vec![Some(count.to_string())]],
            };
        }
        let row = |line: &Warning| {
            vec![
                Some(line.level.clone()),
                Some(line.code.to_string()),
                Some(line.message.clone()),
            ]
        };
        Grid {
            columns: ["Level", "Code", "Message"].map(str::to_owned).to_vec(),
            rows: lines().skip(asked.offset).take(asked.limit).map(row).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_our_own() {
        let asked = |errors_only, count, offset, limit| {
            Some(Show::Diagnostics(Diagnostics {
                errors_only,
                count,
                offset,
                limit,
            }))
        };
        let check = |text: &str, expected| assert_eq!(Show::parse(text.as_bytes()), expected, "{text}");
        check("show Migrations ;", Some(Show::Migrations));
        check("SHOW MIGRATIONS", Some(Show::Migrations));
        check("show routes;", Some(Show::Routes));
        check("Show /* all */ Upstreams", Some(Show::Upstreams));
        check("SHOW UPSTREAMS LIKE 'x'", None);
        check("show warnings", asked(false, false, 0, usize::MAX));
        check("SHOW WARNINGS LIMIT 2;", asked(false, false, 0, 2));
        check("SHOW WARNINGS LIMIT 1, 2", asked(false, false, 1, 2));
        check("SHOW WARNINGS LIMIT 2 OFFSET 1", asked(false, false, 1, 2));
        check("SHOW COUNT(*) WARNINGS", asked(false, true, 0, usize::MAX));
        check("SHOW ERRORS", asked(true, false, 0, usize::MAX));
        check("SHOW TABLES", None);
        check("SHOW WARNINGS; SELECT 1", None);
        check("SHOW MIGRATIONS LIKE 'x'", None);
    }

    #[test]
    fn kept_diagnostics_are_listed_and_counted() {
        let line = |level: &str, code| Warning {
            level: level.to_owned(),
            code,
            message: "m".to_owned(),
        };
        let kept = Kept {
            warnings: vec![line("Warning", 1265), line("Error", 1062)],
            count: 70,
        };
        let rows = |text: &str| match Show::parse(text.as_bytes()) {
            Some(Show::Diagnostics(asked)) => kept
                .answer(&asked)
                .rows
                .iter()
                .map(|row| row[0].clone().unwrap())
                .collect(),
            _ => vec![],
        };
        assert_eq!(rows("show warnings"), ["Warning", "Error"]);
        assert_eq!(rows("show warnings limit 1,5"), ["Error"]);
        assert_eq!(rows("show errors"), ["Error"]);
        assert_eq!(rows("show count(*) warnings"), ["70"]);
        assert_eq!(rows("show count(*) errors"), ["1"]);
    }
}
