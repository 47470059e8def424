//! A text of several statements, cut where the server cuts it.
//!
//! The server reads such a text one statement at a time: up to a delimiter outside of quotes and comments, at which the
//! statement is complete. It carries that one out, and only then reads on. So the parts of a text may be sent one by one, if it is
//! certain where each of them ends.
//!
//! *Why it is:* only statements are cut off in which no delimiter can stand (`is_plain`): no compound statement, no routine.
//! Quotes and comments are read as the server reads them, and where it could read them in another way (a control
//! character, a dollar quote, a backslash outside of quotes, a version comment that is not the same as code and as a comment, a
//! byte that another character set may take for a character's second one) the text is not cut any more: what is left of it is
//! the last part, and the server's to read. So is what may be no statement at all: a comment alone is none within a text, and
//! none that anybody minds in a text of its own. What is cut off too early (it was no statement to begin with) is a syntax
//! error, for which nothing has been done; the server then gets the rest of the text from there on (`session::series`).
//!
//! What quotes hold depends on the session's mode, as far as there are backslashes in them. [`Split::in_any_mode`] says whether the
//! text is cut alike in every mode: then a mode that is set by one of its own statements does not matter.

use std::ops::Range;

use super::words::word;
use crate::hooks::ReadMode;

/// More parts than that are not counted; what is left is the last one.
const PARTS_MAX: usize = 4096;

/// The parts of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// Where each one stands, without the spaces around it and the delimiter.
    pub(crate) parts: Vec<Range<usize>>,
    /// The last one is not understood: it may be more than one statement, or none.
    pub(crate) has_rest: bool,
}

impl Split {
    /// Cuts a text as it is read in this mode.
    pub(crate) fn new(text: &str, mode: ReadMode) -> Self {
        let mut split = Self::default();
        let end = trimmed(text).len();
        let text = text.as_bytes().get(..end).unwrap_or_default();
        let mut at = 0;
        loop {
            let start = at + spaces(text.get(at..).unwrap_or_default());
            let (stop, is_last) = match Scan::new(text, start, mode).delimiter() {
                Some(Some(delimiter)) => (delimiter, false),
                Some(None) => (end, true),
                None => return split.with_rest(start..end),
            };
            let statement = text.get(start..stop).unwrap_or_default();
            if !is_plain(statement) || split.parts.len() + 1 == PARTS_MAX {
                return split.with_rest(start..end);
            }
            split.parts.push(start..start + statement.trim_ascii_end().len());
            if is_last {
                return split;
            }
            at = stop + 1;
        }
    }

    /// Cuts a text, if it is cut alike in every mode.
    pub(crate) fn in_any_mode(text: &str) -> Option<Self> {
        let mut splits = ReadMode::of_text(text).map(|mode| Self::new(text, mode));
        let first = splits.next()?;
        splits.all(|split| split == first).then_some(first)
    }

    /// The parts that are one statement each.
    pub(crate) fn statements(&self) -> &[Range<usize>] {
        let (_, but_last) = self.parts.split_last().unwrap_or((&(0..0), &[]));
        if self.has_rest { but_last } else { &self.parts }
    }

    fn with_rest(mut self, rest: Range<usize>) -> Self {
        self.parts.push(rest);
        self.has_rest = true;
        self
    }
}

/// Whether a delimiter may stand within the text: all that is asked most of the time.
pub(crate) fn may_be_several(text: &[u8]) -> bool {
    // The end is looked at first, where most delimiters are.
    let end = text.len() - trailing(text);
    text.get(..end).is_some_and(|text| text.contains(&b';'))
}

/// The text without what every server takes off its end.
pub(crate) fn trimmed(text: &str) -> &str {
    text.get(..text.len() - trailing(text.as_bytes())).unwrap_or(text)
}

fn trailing(text: &[u8]) -> usize {
    let is_end = |byte: &&u8| **byte == b';' || is_space(**byte);
    text.iter().rev().take_while(is_end).count()
}

fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_space(**byte)).count()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Reads over one statement.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    mode: ReadMode,
}

impl<'a> Scan<'a> {
    fn new(text: &'a [u8], at: usize, mode: ReadMode) -> Self {
        Self { text, at, mode }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn before(&self) -> Option<u8> {
        self.text.get(self.at.checked_sub(1)?).copied()
    }

    /// Where the statement's delimiter is, or that there is none up to the end; `None` where that is not certain.
    fn delimiter(mut self) -> Option<Option<usize>> {
        loop {
            match self.rest() {
                [] => return Some(None),
                [b';', ..] => return Some(Some(self.at)),
                [quote @ (b'\'' | b'"' | b'`'), ..] => self.quoted(*quote)?,
                [b'#', ..] | [b'-', b'-', ..] if self.is_line_comment()? => self.line(),
                [b'/', b'*', ..] => self.comment()?,
                [b'$', ..] if !self.before().is_some_and(is_word) => return None,
                [b'\\', ..] => return None,
                [byte, ..] if is_control(*byte) => return None,
                [_, ..] => self.at += 1,
            }
        }
    }

    /// Whether a comment begins with the dashes, or the hash, that come next.
    fn is_line_comment(&self) -> Option<bool> {
        match self.rest() {
            [b'-', _, third, ..] if is_space(*third) => Some(true),
            // Another character set may take it for a space.
            [b'-', _, third, ..] if is_control(*third) || !third.is_ascii() => None,
            [b'-', _, _, ..] => Some(false),
            [b'-', ..] => None,
            _ => Some(true),
        }
    }

    fn line(&mut self) {
        // To the server, a NUL ends it, too.
        let length = self.rest().iter().position(|byte| matches!(byte, b'\n' | 0));
        self.at += length.unwrap_or(self.rest().len());
    }

    /// Over a name or a text in quotes.
    fn quoted(&mut self, quote: u8) -> Option<()> {
        let has_escapes = !self.mode.no_backslash_escapes
            && match quote {
                b'\'' => true,
                b'"' => !self.mode.ansi_quotes,
                _ => false,
            };
        self.unshared()?;
        self.at += 1;
        loop {
            self.unshared()?;
            match self.rest() {
                [b'\\', _, ..] if has_escapes => self.at += 2,
                // One that is doubled opens the quotes again: the same, as far as the end is concerned.
                [byte, ..] if *byte == quote => {
                    self.at += 1;
                    return Some(());
                }
                [0, ..] | [] => return None,
                [_, ..] => self.at += 1,
            }
        }
    }

    /// `None` if the next byte may be the second one of a character that begins with the byte before it. Of those that mean
    /// something here, only these two can be.
    fn unshared(&self) -> Option<()> {
        let is_meant = matches!(self.rest().first(), Some(b'\\' | b'`'));
        let is_shared = is_meant && self.before().is_some_and(|byte| !byte.is_ascii());
        (!is_shared).then_some(())
    }

    fn comment(&mut self) -> Option<()> {
        let rest = self.rest();
        let length = rest.windows(2).skip(2).position(|window| window == b"*/")? + 4;
        let content = rest.get(2..length - 2)?;
        let is_certain = match content {
            // A version comment may be code, and hints are read as code is.
            [b'!' | b'+', content @ ..] | [b'M', b'!', content @ ..] => self.reads_alike(content),
            content => !content.contains(&0),
        };
        self.at += length;
        is_certain.then_some(())
    }

    /// Whether a comment's content, if it is code, ends where the comment does, and no statement ends in it.
    fn reads_alike(&self, content: &[u8]) -> bool {
        let has = |mark: &[u8]| content.windows(mark.len()).any(|window| window == mark);
        let is_plain = !has(b"/*") && !has(b"#") && !has(b"--");
        is_plain && Scan::new(content, 0, self.mode).delimiter() == Some(None)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !is_space(byte)
}

/// Statements in which no delimiter can stand, by their first word.
const PLAIN: [&str; 35] = [
    "ANALYZE",
    "CALL",
    "CHECK",
    "CHECKSUM",
    "COMMIT",
    "DEALLOCATE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DO",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "FLUSH",
    "GRANT",
    "INSERT",
    "LOCK",
    "OPTIMIZE",
    "PREPARE",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SHOW",
    "TABLE",
    "TRUNCATE",
    "UNLOCK",
    "UPDATE",
    "USE",
    "VALUES",
    "WITH",
];

/// Whether no delimiter can stand within the statement.
fn is_plain(statement: &[u8]) -> bool {
    let mut words = Words(statement);
    let Some(first) = words.next() else {
        return skip(statement).is_some_and(|text| text.starts_with(b"("));
    };
    match &*first {
        "ALTER" => {
            let next = words.next_but(&["ONLINE", "OFFLINE", "IGNORE"]);
            matches!(&*next, "TABLE" | "DATABASE" | "SCHEMA" | "USER")
        }
        "CREATE" => {
            let kinds = ["OR", "REPLACE", "TEMPORARY", "ONLINE", "OFFLINE"];
            let indexes = ["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"];
            let next = words.next_but(&[&kinds[..], &indexes].concat());
            matches!(
                &*next,
                "TABLE" | "INDEX" | "VIEW" | "DATABASE" | "SCHEMA" | "USER" | "ROLE"
            )
        }
        "BEGIN" => match words.next() {
            None => true,
            Some(word) => word == "WORK" && words.next().is_none(),
        },
        "START" => words.next().is_some_and(|word| word == "TRANSACTION"),
        // `SET STATEMENT … FOR` stands before any statement.
        "SET" => words.next().is_none_or(|word| word != "STATEMENT"),
        first => PLAIN.contains(&first),
    }
}

/// Skips spaces, comments, and the marks of version comments that are code to every server; `None` at one that is not: without
/// it the statement may be another one, or none at all.
fn skip(mut text: &[u8]) -> Option<&[u8]> {
    const CODE_BELOW: &[u8] = b"50700";
    let after = |text: &'_ [u8], mark: &[u8]| {
        let at = text.windows(mark.len()).position(|window| window == mark);
        at.map_or(text.len(), |at| at + mark.len())
    };
    loop {
        let skipped = match text {
            [byte, ..] if is_space(*byte) => 1,
            [b'#', ..] => after(text, b"\n"),
            [b'-', b'-', third, ..] if is_space(*third) => after(text, b"\n"),
            [b'/', b'*', b'!', content @ ..] => {
                let digits = content.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let version = content.get(..digits)?;
                let is_code = digits == 0 || digits == CODE_BELOW.len() && version < CODE_BELOW;
                is_code.then_some(3 + digits)?
            }
            [b'/', b'*', b'+', ..] | [b'/', b'*', b'M', b'!', ..] => return None,
            [b'/', b'*', content @ ..] => 2 + after(content, b"*/"),
            // The end of one whose mark was skipped.
            [b'*', b'/', ..] => 2,
            _ => return Some(text),
        };
        text = text.get(skipped..)?;
    }
}

/// A statement's words up to the first thing that is none, in upper case.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Option<String> {
        let (found, rest) = word(skip(self.0)?);
        self.0 = rest;
        (!found.is_empty()).then(|| String::from_utf8_lossy(found).to_ascii_uppercase())
    }

    /// The next word that is none of these, or an empty one.
    fn next_but(&mut self, skipped: &[&str]) -> String {
        loop {
            match self.next() {
                Some(word) if skipped.contains(&&*word) => {}
                word => return word.unwrap_or_default(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN_MODE: ReadMode = ReadMode {
        ansi_quotes: false,
        no_backslash_escapes: false,
    };

    fn parts(text: &str, mode: ReadMode) -> (Vec<&str>, bool) {
        let split = Split::new(text, mode);
        let parts = split.parts.iter().map(|part| &text[part.clone()]).collect();
        (parts, split.has_rest)
    }

    fn check(text: &str, expected: &[&str], has_rest: bool) {
        let expected = (expected.to_vec(), has_rest);
        assert_eq!(parts(text, PLAIN_MODE), expected, "{text}");
    }

    #[test]
    fn statements_are_cut_at_their_delimiters() {
        check("ALTER TABLE t ADD a INT", &["ALTER TABLE t ADD a INT"], false);
        check("DO 1;DO 2", &["DO 1", "DO 2"], false);
        check(" \n do 1 ;\n\tDO 2 ; ; \n", &["do 1", "DO 2"], false);
        check("SELECT ';' ; DO 2", &["SELECT ';'", "DO 2"], false);
        check("SELECT 'a''; b'; DO 2", &["SELECT 'a''; b'", "DO 2"], false);
        check(r"SELECT 'a\'; b'; DO 2", &[r"SELECT 'a\'; b'", "DO 2"], false);
        check("SELECT \"it's;\"; DO 2", &["SELECT \"it's;\"", "DO 2"], false);
        check("DROP TABLE `a;``b`; DO 2", &["DROP TABLE `a;``b`", "DO 2"], false);
        check("DO 1 /* ; */; DO 2", &["DO 1 /* ; */", "DO 2"], false);
        check("DO 1 -- ;\n; DO 2", &["DO 1 -- ;", "DO 2"], false);
        check("DO 1 # ; it's\n; DO 2", &["DO 1 # ; it's", "DO 2"], false);
        check("DO 1--2; DO 2", &["DO 1--2", "DO 2"], false);
        check("/* a */ DO 1; -- b\nDO 2", &["/* a */ DO 1", "-- b\nDO 2"], false);
        check("(SELECT 1); DO 2", &["(SELECT 1)", "DO 2"], false);
        check("SELECT a$b, '$'; DO 2", &["SELECT a$b, '$'", "DO 2"], false);
        check("DO 'é'; DO 2", &["DO 'é'", "DO 2"], false);
    }

    #[test]
    fn version_comments_are_cut_around() {
        check(
            "/*!40101 SET NAMES utf8mb4 */; DO 2",
            &["/*!40101 SET NAMES utf8mb4 */", "DO 2"],
            false,
        );
        check(
            "SET @a = 1 /*M!100000 , @b = '*' */; DO 2",
            &["SET @a = 1 /*M!100000 , @b = '*' */", "DO 2"],
            false,
        );
        for text in [
            "DO 1 /*! ; DO 2 */",
            "DO 1 /*! + '*/'; DO 2",
            "DO 1 /*! /* */ */; DO 2",
            "DO 1 /*! -- */\n */; DO 2",
            "DO 1 /*! # */\n */; DO 2",
            "SELECT /*+ QB_NAME(`*/`) */ 1; DO 2",
            // Each of them may be nothing, or something else.
            "/*!99999 DO 1 */; DO 2",
            "/*!80000 DO 1 */; DO 2",
            "/*!050000 DO 1 */; DO 2",
            "/*M!100000 DO 1 */; DO 2",
            "/* */ /*!40101 */ /*!80000 DO */ ; DO 2",
            "CREATE /*!99999 TABLE */ PROCEDURE p() BEGIN DO 1; END",
        ] {
            check(text, &[text], true);
        }
    }

    #[test]
    fn what_is_not_certain_is_the_last_part() {
        for rest in [
            "",
            ";DO 2",
            "-- done",
            "BEGIN NOT ATOMIC DO 1; END",
            "CREATE PROCEDURE p() BEGIN DO 1; END",
            "CREATE DEFINER=a@b TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN DO 1; END",
            "CREATE OR REPLACE FUNCTION f() RETURNS INT RETURN 1; DO 2",
            "ALTER EVENT e DO BEGIN DO 1; END",
            "IF 1 THEN DO 1; END IF",
            "label: LOOP LEAVE label; END LOOP",
            "SET STATEMENT max_statement_time=1 FOR BEGIN NOT ATOMIC DO 1; END",
            "LOAD DATA LOCAL INFILE 'f' INTO TABLE t; DO 2",
            "DELIMITER //",
            "DO 'never ends; DO 2",
            "DO 1 /* never ends; DO 2",
            "DO 1 --\u{1}; DO 2",
            "DO 1 --\u{a0}; DO 2",
            "DO 1 --",
            "DO $$ ; $$; DO 2",
            r"DO \N; DO 2",
            "DO 1\0; DO 2",
            "DO '\0'; DO 2",
            "DO 1 # \0; DO 2\n; DO 3",
            "DO /* \0 */ 1; DO 2",
            // In GBK the backslash belongs to the letter before it.
            r"DO 'é\'; DO 2 -- '; DO 3",
            "DROP TABLE `é`; DO 2",
            "`é`; DO 2",
        ] {
            let text = format!("DO 1; {rest}");
            if rest.is_empty() {
                check(&text, &["DO 1"], false);
            } else {
                check(&text, &["DO 1", rest], true);
            }
        }
    }

    #[test]
    fn which_statements_are_plain() {
        for (statement, expected) in [
            ("ALTER ONLINE TABLE t ADD a INT", true),
            ("ALTER DATABASE d CHARSET utf8mb4", true),
            ("ALTER EVENT e COMMENT ''", false),
            ("alter procedure p comment ''", false),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", true),
            ("create unique index i on t (a)", true),
            ("CREATE TEMPORARY TABLE t (a INT)", true),
            ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DO 1", false),
            ("DROP PROCEDURE p", true),
            ("BEGIN", true),
            ("begin /* x */ work", true),
            ("BEGIN DO 1", false),
            ("BEGIN WORK DO 1", false),
            ("START TRANSACTION READ ONLY", true),
            ("START SLAVE", false),
            ("SET @a = 1", true),
            ("SET STATEMENT a=1 FOR DO 1", false),
            ("KILL 1", false),
            ("", false),
            ("/* x */", false),
            ("1", false),
        ] {
            assert_eq!(is_plain(statement.as_bytes()), expected, "{statement}");
        }
    }

    #[test]
    fn a_mode_matters_where_it_makes_a_difference() {
        let count = |text: &str| Split::in_any_mode(text).map(|split| split.parts.len());
        assert_eq!(count(r"DO 'a\n\\b'; DO 2"), Some(2));
        assert_eq!(count("DO \"it's\"; DO 2"), Some(2));
        assert_eq!(count(r"DO 'it\'s'; DO 2"), None);
        assert_eq!(count(r#"DO "a\"b"; DO 2"#), None);
        let backslashes = ReadMode {
            no_backslash_escapes: true,
            ..PLAIN_MODE
        };
        let text = r"DO 'a\'; DO 2 # '";
        assert_eq!(parts(text, backslashes), (vec![r"DO 'a\'", "DO 2 # '"], false));
        assert_eq!(parts(text, PLAIN_MODE).0.len(), 1);
    }

    #[test]
    fn delimiters_at_the_end_make_no_several() {
        for (text, expected) in [
            ("", false),
            (";", false),
            ("DO 1", false),
            ("DO 1; ;\n", false),
            ("DO 1; DO 2", true),
            ("DO ';'", true),
        ] {
            assert_eq!(may_be_several(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn parts_are_bounded() {
        let text = "DO 1;".repeat(PARTS_MAX + 10);
        let split = Split::new(&text, PLAIN_MODE);
        assert_eq!((split.parts.len(), split.has_rest), (PARTS_MAX, true));
        assert_eq!(split.statements().len(), PARTS_MAX - 1);
    }

    /// Pieces of statements that are put together to texts: what ends a statement stands in none of them.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("a".to_owned()),
            Just("1".to_owned()),
            Just(",".to_owned()),
            Just("(".to_owned()),
            Just("--1".to_owned()),
            "'[a-z;#`\" -]{0,6}'",
            "\"[a-z;#`' -]{0,6}\"",
            "`[a-z;#'\" -]{0,6}`",
            r"'[a-z;]{0,3}\\\\'",
            "/\\*[a-z;#'\"` -]{0,6}\\*/",
            "/\\*![0-9]{5} [a-z' ]{0,4} ?\\*/"
                .prop_filter("quotes pair", |text| text.matches('\'').count().is_multiple_of(2)),
            "-- [a-z;#'\"` -]{0,6}\n",
            "#[a-z;'\"` -]{0,6}\n",
        ]
    }

    fn statement() -> impl Strategy<Value = String> {
        let pieces = prop::collection::vec(piece(), 0..6);
        pieces.prop_map(|pieces| format!("DO {}", pieces.join(" ")))
    }

    proptest! {
        #[test]
        fn what_was_joined_is_cut_again(mut statements in prop::collection::vec(statement(), 1..6)) {
            // What a comment ends with at the end of a text is taken off with it.
            statements.push("DO 0".to_owned());
            let text = statements.join(" ;\n");
            let (found, has_rest) = parts(&text, PLAIN_MODE);
            let expected: Vec<&str> = statements.iter().map(|statement| statement.trim_ascii_end()).collect();
            prop_assert_eq!((found, has_rest), (expected, false), "{}", text);
            prop_assert!(Split::in_any_mode(&text).is_some());
        }

        #[test]
        fn any_text_is_covered(text in ".{0,60}", ansi_quotes: bool, no_backslash_escapes: bool) {
            crate::fuzzing::check_split(&text, ReadMode { ansi_quotes, no_backslash_escapes });
        }
    }
}
