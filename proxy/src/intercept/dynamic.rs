//! Statements that carry another statement's text, or stand for one: `PREPARE`, `EXECUTE`, `EXECUTE IMMEDIATE`, `DEALLOCATE`.
//!
//! They are read only as far as every server reads them in one way: a single statement, a name of ASCII letters, a text
//! that is one plain literal or one user variable. What is written otherwise (an expression, a literal with an introducer,
//! a version comment) is not understood, and the server's.

use super::words::{Opening, boundary, is_one_statement, mentions, opening_of_whole, starts_with_any};
use crate::hooks::ReadMode;

/// One of these statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dynamic<'a> {
    /// `PREPARE name FROM source`.
    Prepare { name: Name<'a>, source: Source<'a> },
    /// `EXECUTE name`, perhaps `USING` values.
    Execute { name: Name<'a>, has_values: bool },
    /// MariaDB's `EXECUTE IMMEDIATE source`.
    Immediate(Source<'a>),
    /// `DEALLOCATE PREPARE name`.
    Deallocate(Name<'a>),
}

/// The name of a prepared statement. Servers compare it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    /// Whether it stands in quotes, where it may be a word of the grammar's own.
    pub(crate) is_quoted: bool,
}

/// Where the carried text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    /// In a literal, which means this.
    Literal(String),
    /// In a user variable, here as it is written.
    Variable(&'a str),
}

impl<'a> Dynamic<'a> {
    /// Reads a whole text; `None` is none of these, or one that is not understood.
    pub(crate) fn parse(text: &'a [u8], mode: ReadMode) -> Option<Self> {
        let mut rest = Rest(str::from_utf8(text).ok()?);
        let verb = rest.word()?;
        let is = |word: &str| verb.eq_ignore_ascii_case(word);
        let found = if is("PREPARE") {
            let name = rest.name()?;
            rest.keyword("FROM")?;
            let source = rest.source(mode)?;
            Self::Prepare { name, source }
        } else if is("DEALLOCATE") || is("DROP") {
            rest.keyword("PREPARE")?;
            Self::Deallocate(rest.name()?)
        } else if is("EXECUTE") {
            let mut ahead = rest;
            if ahead.keyword("IMMEDIATE").is_some() {
                rest = ahead;
                Self::Immediate(rest.source(mode)?)
            } else {
                let name = rest.name()?;
                let mut ahead = rest;
                let has_values = ahead.keyword("USING").is_some();
                if has_values {
                    // Whatever the values are, nothing comes behind them.
                    let is_last = is_one_statement(ahead.0);
                    return is_last.then_some(Self::Execute { name, has_values });
                }
                Self::Execute { name, has_values }
            }
        } else {
            return None;
        };
        rest.end()?;
        Some(found)
    }
}

/// Whether executing `text` surely leaves every prepared statement of the session what it is. A procedure may prepare
/// statements, and so may several statements in one text.
pub(crate) fn keeps_names(text: &[u8]) -> bool {
    const HARMLESS: [&[u8]; 30] = [
        b"SELECT",
        b"INSERT",
        b"UPDATE",
        b"DELETE",
        b"REPLACE",
        b"SET",
        b"SHOW",
        b"ALTER",
        b"CREATE",
        b"DROP",
        b"TRUNCATE",
        b"RENAME",
        b"USE",
        b"DO",
        b"COMMIT",
        b"ROLLBACK",
        b"SAVEPOINT",
        b"RELEASE",
        b"START",
        b"WITH",
        b"TABLE",
        b"VALUES",
        b"EXPLAIN",
        b"DESCRIBE",
        b"DESC",
        b"ANALYZE",
        b"LOCK",
        b"UNLOCK",
        b"FLUSH",
        b"OPTIMIZE",
    ];
    let is_one = str::from_utf8(text).is_ok_and(is_one_statement);
    let is_harmless = starts_with_any(text, &HARMLESS)
        || opening_of_whole(text) == Opening::Boundary && boundary(text).is_some();
    let names_any = |words: [&[u8]; 3]| words.iter().any(|word| mentions(text, word));
    is_one && is_harmless && !names_any([b"PREPARE", b"EXECUTE", b"CALL"])
}

/// What is still to be read.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Skips spaces and comments; `None` at a comment that a server may read as code, or that does not end.
    fn skip(&mut self) -> Option<()> {
        loop {
            let rest = self.0.trim_start_matches(is_space);
            self.0 = if let Some(comment) = rest.strip_prefix("/*") {
                if comment.starts_with(['!', '+']) || comment.starts_with("M!") {
                    return None;
                }
                comment.split_once("*/")?.1
            } else if rest.starts_with('#')
                || rest
                    .strip_prefix("--")
                    .is_some_and(|rest| rest.starts_with([' ', '\t', '\n', '\r']))
            {
                rest.split_once('\n').map_or("", |(_, rest)| rest)
            } else {
                self.0 = rest;
                return Some(());
            };
        }
    }

    /// The next word, if there is one.
    fn word(&mut self) -> Option<&'a str> {
        self.skip()?;
        let (word, rest) = self
            .0
            .split_at(self.0.find(|c| !is_word(c)).unwrap_or(self.0.len()));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    fn keyword(&mut self, keyword: &str) -> Option<()> {
        self.word()?.eq_ignore_ascii_case(keyword).then_some(())
    }

    /// Letters that every server compares alike.
    fn name(&mut self) -> Option<Name<'a>> {
        self.skip()?;
        let (text, is_quoted) = match self.0.strip_prefix('`') {
            Some(quoted) => {
                let (text, rest) = quoted.split_once('`')?;
                // Another quote is one that was doubled.
                self.0 = Some(rest).filter(|rest| !rest.starts_with('`'))?;
                (text, true)
            }
            None => (self.word()?, false),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!text.is_empty() && text.chars().all(is_plain)).then_some(Name { text, is_quoted })
    }

    fn source(&mut self, mode: ReadMode) -> Option<Source<'a>> {
        self.skip()?;
        if self.0.starts_with('@') {
            self.variable().map(Source::Variable)
        } else {
            self.literal(mode).map(Source::Literal)
        }
    }

    /// `@name`, or the same in back-quotes.
    fn variable(&mut self) -> Option<&'a str> {
        let is_name = |c: char| is_word(c) || c == '.';
        let whole = self.0;
        let after_at = whole.strip_prefix('@')?;
        let rest = match after_at.strip_prefix('`') {
            Some(quoted) => {
                let rest = quoted.trim_start_matches(|c| is_name(c) || c == ' ');
                rest.strip_prefix('`')?
            }
            None => after_at.trim_start_matches(is_name),
        };
        let variable = whole.get(..whole.len() - rest.len())?;
        self.0 = rest;
        (variable.len() > 1 && variable.is_ascii()).then_some(variable)
    }

    /// A text in quotes, as the server reads it.
    fn literal(&mut self, mode: ReadMode) -> Option<String> {
        let mut characters = self.0.chars();
        let quote = characters.next()?;
        if !(quote == '\'' || quote == '"' && !mode.ansi_quotes) {
            return None;
        }
        let mut text = String::new();
        loop {
            match characters.next()? {
                '\\' if !mode.no_backslash_escapes => unescape(characters.next()?, &mut text),
                c if c == quote => {
                    let mut ahead = characters.clone();
                    if ahead.next() != Some(quote) {
                        self.0 = characters.as_str();
                        return Some(text);
                    }
                    characters = ahead;
                    text.push(quote);
                }
                c => text.push(c),
            }
        }
    }

    /// The statement's end: nothing but spaces, comments and the delimiter.
    fn end(&mut self) -> Option<()> {
        self.skip()?;
        let is_delimiter = |c| c == ';' || is_space(c);
        self.0.trim_start_matches(is_delimiter).is_empty().then_some(())
    }
}

/// Appends what an escaped character means.
fn unescape(escaped: char, text: &mut String) {
    // Two mean themselves in a pattern only.
    if matches!(escaped, '%' | '_') {
        text.push('\\');
    }
    text.push(match escaped {
        '0' => '\0',
        'b' => '\x08',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\x1a',
        other => other,
    });
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '\u{80}'..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: ReadMode = ReadMode {
        ansi_quotes: false,
        no_backslash_escapes: false,
    };
    const ANSI: ReadMode = ReadMode {
        ansi_quotes: true,
        ..PLAIN
    };
    const BACKSLASHES: ReadMode = ReadMode {
        no_backslash_escapes: true,
        ..PLAIN
    };

    fn parse(text: &str, mode: ReadMode) -> Option<Dynamic<'_>> {
        Dynamic::parse(text.as_bytes(), mode)
    }

    #[test]
    fn the_four_statements() {
        let name = |text, is_quoted| Name { text, is_quoted };
        let check = |text, expected| assert_eq!(parse(text, PLAIN), Some(expected), "{text}");
        let from = |source: &str| Source::Literal(source.to_owned());
        let prepare = |name, source| Dynamic::Prepare { name, source };
        check("PREPARE s FROM 'DO 1'", prepare(name("s", false), from("DO 1")));
        check(
            " /* a */ prepare`My_1`from\n'DO 1' -- done\n;; ",
            prepare(name("My_1", true), from("DO 1")),
        );
        check(
            "prepare s from 'DO 1' # done",
            prepare(name("s", false), from("DO 1")),
        );
        check(
            "PREPARE s FROM @v",
            prepare(name("s", false), Source::Variable("@v")),
        );
        check(
            "PREPARE s FROM @`a b.c`;",
            prepare(name("s", false), Source::Variable("@`a b.c`")),
        );
        check(
            "PREPARE s FROM @a.$_1",
            prepare(name("s", false), Source::Variable("@a.$_1")),
        );
        let execute = |name, has_values| Dynamic::Execute { name, has_values };
        check("EXECUTE s", execute(name("s", false), false));
        check("execute `s`;", execute(name("s", true), false));
        check("EXECUTE s USING @a, @b;", execute(name("s", false), true));
        check("EXECUTE IMMEDIATE 'DO 1'", Dynamic::Immediate(from("DO 1")));
        check("execute immediate@v;", Dynamic::Immediate(Source::Variable("@v")));
        check("DEALLOCATE PREPARE s", Dynamic::Deallocate(name("s", false)));
        check("drop prepare `S`;", Dynamic::Deallocate(name("S", true)));
    }

    #[test]
    fn what_is_not_understood() {
        for text in [
            "",
            "SELECT 1",
            "PREPARE",
            "PREPARE s FROM",
            "PREPARE s FROM 'DO 1",
            "PREPARE s FROM 'DO 1\\'",
            "PREPARE s FROM 'DO' ' 1'",
            "PREPARE s FROM _utf8'DO 1'",
            "PREPARE s FROM N'DO 1'",
            "PREPARE s FROM 0x444f2031",
            "PREPARE s FROM CONCAT('DO', ' 1')",
            "PREPARE s FROM @v || ''",
            "PREPARE s FROM @",
            "PREPARE s FROM @@v",
            "PREPARE s FROM @é",
            "PREPARE s FROM @'v'",
            "PREPARE é FROM 'DO 1'",
            "PREPARE a$b FROM 'DO 1'",
            "PREPARE \"s\" FROM 'DO 1'",
            "PREPARE `a``b` FROM 'DO 1'",
            "PREPARE `s FROM 'DO 1'",
            "PREPARE s /*! FROM */ 'DO 1'",
            "PREPARE s FROM 'DO 1' /*+ x */",
            "PREPARE s FROM 'DO 1' /* never ends",
            "PREPARE s FROM 'DO 1'; EXECUTE s",
            "PREPARE s FROM 'DO 1'; -- another, which is empty",
            "PREPARE s FROM 'DO 1'\0",
            "EXECUTE s; SELECT 1",
            "EXECUTE s USING @a; SELECT 1",
            "EXECUTE IMMEDIATE",
            "EXECUTE IMMEDIATE 'DO ?' USING 1",
            "EXECUTE IMMEDIATE s",
            "/*!50000 EXECUTE s */",
            "DEALLOCATE s",
            "DROP TABLE s",
        ] {
            assert_eq!(parse(text, PLAIN), None, "{text}");
        }
        assert_eq!(parse("PREPARE s FROM \"DO 1\"", ANSI), None);
        assert_eq!(Dynamic::parse(b"EXECUTE \xff", PLAIN), None);
    }

    #[test]
    fn a_literal_is_read_as_the_server_reads_it() {
        let check = |literal: &str, mode, expected: Option<&str>| {
            let text = format!("PREPARE s FROM {literal}");
            let read = match parse(&text, mode) {
                Some(Dynamic::Prepare {
                    source: Source::Literal(text),
                    ..
                }) => Some(text),
                _ => None,
            };
            assert_eq!(read.as_deref(), expected, "{literal} {mode:?}");
        };
        for (literal, plain, ansi, backslashes) in [
            ("''", Some(""), Some(""), Some("")),
            ("'a''b'", Some("a'b"), Some("a'b"), Some("a'b")),
            ("'a\"b'", Some("a\"b"), Some("a\"b"), Some("a\"b")),
            ("\"a\"\"b'c\"", Some("a\"b'c"), None, Some("a\"b'c")),
            (r"'a\'b'", Some("a'b"), Some("a'b"), None),
            (r"'a\\'", Some(r"a\"), Some(r"a\"), Some(r"a\\")),
            (r"'a\'", None, None, Some(r"a\")),
            (
                r"'\n\t\r\b\0\Z'",
                Some("\n\t\r\x08\0\x1a"),
                Some("\n\t\r\x08\0\x1a"),
                Some(r"\n\t\r\b\0\Z"),
            ),
            (r"'\%\_\x\é'", Some(r"\%\_xé"), Some(r"\%\_xé"), Some(r"\%\_\x\é")),
            (r#"'\"'"#, Some("\""), Some("\""), Some("\\\"")),
        ] {
            check(literal, PLAIN, plain);
            check(literal, ANSI, ansi);
            check(literal, BACKSLASHES, backslashes);
        }
    }

    #[test]
    fn what_may_prepare_statements() {
        for (text, expected) in [
            ("SELECT * FROM t", true),
            ("  /* x */ update t SET a = 1;", true),
            ("SET @sql = 'ALTER TABLE t ADD a INT'", true),
            ("BEGIN", true),
            ("COMMIT;", true),
            ("BEGIN NOT ATOMIC p; END", false),
            ("BEGIN p; END", false),
            ("CALL p()", false),
            ("/*!50000 call p() */", false),
            ("SET STATEMENT max_statement_time=1 FOR CALL p()", false),
            ("SELECT 1; SELECT 2", false),
            ("EXECUTE s", false),
            ("DROP PREPARE s", false),
            ("IF 1 THEN DO 1; END IF", false),
            ("HANDLER t OPEN", false),
            ("", false),
        ] {
            assert_eq!(keeps_names(text.as_bytes()), expected, "{text}");
        }
    }

    /// The text as a literal of this mode.
    fn quoted(text: &str, quote: char, mode: ReadMode) -> String {
        let doubled = text.replace(quote, &format!("{quote}{quote}"));
        if mode.no_backslash_escapes {
            format!("{quote}{doubled}{quote}")
        } else {
            format!("{quote}{}{quote}", doubled.replace('\\', "\\\\"))
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in r#"[a-z'"\\%_;é\n -]{0,20}"#, double: bool, ansi_quotes: bool, no_backslash_escapes: bool) {
            let mode = ReadMode { ansi_quotes, no_backslash_escapes };
            let quote = if double && !ansi_quotes { '"' } else { '\'' };
            let statement = format!("EXECUTE IMMEDIATE {};", quoted(&text, quote, mode));
            prop_assert_eq!(parse(&statement, mode), Some(Dynamic::Immediate(Source::Literal(text))));
        }

        #[test]
        fn no_text_panics(text in r#"(PREPARE |EXECUTE |s |FROM |IMMEDIATE |['"\\@`/*#!; -]|[a-zé\n])*"#) {
            for mode in [PLAIN, ANSI, BACKSLASHES] {
                let _ = parse(&text, mode);
            }
        }
    }
}
