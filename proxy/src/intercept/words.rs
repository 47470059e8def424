//! The first words of a statement, found without parsing it.
//!
//! This is on the path of every query: a few bytes are looked at, nothing is allocated. A statement taken for a
//! candidate wrongly costs a closer look; version comments are therefore always read as code.

/// What a statement's first word makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It may change a schema: `ALTER`, `CREATE`, `DROP`, `OPTIMIZE`.
    Change,
    /// It may change a schema, and is always the server's: `RENAME`, `TRUNCATE`.
    Definition,
    /// `SHOW`: it may be one of the proxy's own.
    Show,
    /// It may take or release locks that outlive it: `LOCK`, `UNLOCK`, `FLUSH`, `BACKUP`.
    Locks,
    /// `SET`: it may have the session's transactions tracked.
    Setting,
    /// `KILL`: it may be by an id of the proxy's.
    Kill,
    /// It carries another statement's text, or stands for one: `PREPARE`, `EXECUTE`.
    Dynamic,
    /// It may begin or end a transaction, which its last word decides: `BEGIN`, `START`, `COMMIT`, `ROLLBACK`.
    Boundary,
    /// None of these.
    Other,
}

const OPENINGS: [(&[u8], Opening); 19] = [
    (b"ALTER", Opening::Change),
    (b"CREATE", Opening::Change),
    (b"DROP", Opening::Change),
    (b"OPTIMIZE", Opening::Change),
    (b"RENAME", Opening::Definition),
    (b"TRUNCATE", Opening::Definition),
    (b"SHOW", Opening::Show),
    (b"LOCK", Opening::Locks),
    (b"UNLOCK", Opening::Locks),
    (b"FLUSH", Opening::Locks),
    (b"BACKUP", Opening::Locks),
    (b"SET", Opening::Setting),
    (b"KILL", Opening::Kill),
    (b"PREPARE", Opening::Dynamic),
    (b"EXECUTE", Opening::Dynamic),
    (b"BEGIN", Opening::Boundary),
    (b"START", Opening::Boundary),
    (b"COMMIT", Opening::Boundary),
    (b"ROLLBACK", Opening::Boundary),
];

/// Reads the first word; `None` when the text ends before or within it, so that more text could change the answer.
pub(crate) fn opening(text: &[u8]) -> Option<Opening> {
    let text = skip_space(text)?;
    // What may become the beginning, or the end, of a comment.
    if matches!(text, b"/" | b"-" | b"--" | b"*") {
        return None;
    }
    let (word, rest) = word(text);
    if rest.is_empty() {
        return None;
    }
    Some(find(word))
}

/// As `opening`, for a text that is whole.
pub(crate) fn opening_of_whole(text: &[u8]) -> Opening {
    skip_space(text).map_or(Opening::Other, |text| find(word(text).0))
}

/// Whether the statement may change a schema.
pub(crate) fn changes_schemas(text: &[u8]) -> bool {
    matches!(opening_of_whole(text), Opening::Change | Opening::Definition)
}

fn find(word: &[u8]) -> Opening {
    let mut openings = OPENINGS.iter();
    openings
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map_or(Opening::Other, |(_, opening)| *opening)
}

/// Where a statement puts the boundary of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// Nothing has been read after it.
    Plain,
    /// `START TRANSACTION WITH CONSISTENT SNAPSHOT`.
    WithSnapshot,
}

/// The boundary, if the text is nothing but one: `BEGIN`, `START TRANSACTION`, `COMMIT`, `ROLLBACK` with their options.
/// `ROLLBACK TO` a savepoint is none.
pub(crate) fn boundary(text: &[u8]) -> Option<Boundary> {
    const LONGEST: usize = 12;
    let text = skip_space(text)?;
    if !matches!(text.first()?.to_ascii_uppercase(), b'B' | b'S' | b'C' | b'R') {
        return None;
    }
    let first = word(text).0;
    let is = |name: &str| first.eq_ignore_ascii_case(name.as_bytes());
    if !(is("BEGIN") || is("START") || is("COMMIT") || is("ROLLBACK")) {
        return None;
    }
    let tokens = tokens(text, LONGEST)?;
    let has = |word: &str| tokens.iter().any(|token| token == word);
    // More than one statement: what follows may read.
    let is_one = tokens
        .iter()
        .position(|token| token == ";")
        .is_none_or(|at| at + 1 == tokens.len());
    match () {
        () if !is_one || (is("START") && !has("TRANSACTION")) || has("TO") || has("NOT") => None,
        () if has("SNAPSHOT") => Some(Boundary::WithSnapshot),
        () => Some(Boundary::Plain),
    }
}

/// Whether the text is nothing but a savepoint's, or a question about diagnostics: it reads no table.
pub(crate) fn reads_nothing(text: &[u8]) -> bool {
    const LONGEST: usize = 8;
    let Some(text) = skip_space(text) else {
        return false;
    };
    if !matches!(text.first().map(u8::to_ascii_uppercase), Some(b'S' | b'R')) {
        return false;
    }
    let first = word(text).0;
    let is = |name: &str| first.eq_ignore_ascii_case(name.as_bytes());
    if !(is("SAVEPOINT") || is("RELEASE") || is("ROLLBACK") || is("SHOW")) {
        return false;
    }
    let tokens = tokens(text, LONGEST).unwrap_or_default();
    let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let words = words.strip_suffix(&[";"]).unwrap_or(&words);
    let is_name = |name: &[&str]| !name.is_empty() && !name.contains(&";");
    match words {
        ["SAVEPOINT", name @ ..] | ["RELEASE", "SAVEPOINT", name @ ..] | ["ROLLBACK", "TO", name @ ..] => {
            is_name(name)
        }
        ["SHOW", "WARNINGS" | "ERRORS"] | ["SHOW", "COUNT", "(", "*", ")", "WARNINGS" | "ERRORS"] => true,
        _ => false,
    }
}

/// Whether the text begins with `INSERT` or `REPLACE` and reads no table: it adds rows whatever its snapshot is.
pub(crate) fn only_adds(text: &[u8]) -> bool {
    let Some(text) = skip_space(text) else {
        return false;
    };
    let first = word(text).0;
    let selects = |window: &[u8]| window.eq_ignore_ascii_case(b"SELECT");
    (first.eq_ignore_ascii_case(b"INSERT") || first.eq_ignore_ascii_case(b"REPLACE"))
        && !text.windows(6).any(selects)
}

/// Whether the text begins with `EXECUTE`.
pub(crate) fn executes(text: &[u8]) -> bool {
    // Most texts are told by their first byte.
    let Some(text) = skip_space(text) else {
        return false;
    };
    matches!(text.first(), Some(b'E' | b'e')) && word(text).0.eq_ignore_ascii_case(b"EXECUTE")
}

/// Whether the text begins with one of these words.
pub(crate) fn starts_with_any(text: &[u8], words: &[&[u8]]) -> bool {
    let first = skip_space(text).map_or(&[][..], |text| word(text).0);
    words.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Whether these letters stand anywhere in the text, in any case, in quotes and comments too.
pub(super) fn mentions(text: &[u8], letters: &[u8]) -> bool {
    text.windows(letters.len())
        .any(|window| window.eq_ignore_ascii_case(letters))
}

/// Whether nothing can follow the statement in its text: then it has one answer.
pub(super) fn is_one_statement(sql: &str) -> bool {
    let end = |c: char| c == ';' || c == '\0' || c.is_ascii_whitespace();
    !sql.trim_end_matches(end).contains(';')
}

/// Splits off the letters, digits and underscores at the front.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text.iter().position(|byte| !is_word(byte)).unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or((text, &[]))
}

/// Skips spaces and comments; `None` when the text ends within a comment.
fn skip_space(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, rest @ ..] => rest,
            [b'#', rest @ ..] => after(rest, b"\n")?,
            [b'-', b'-', rest @ ..] if matches!(rest.first(), Some(b' ' | b'\t' | b'\n' | b'\r')) => {
                after(rest, b"\n")?
            }
            [b'/', b'*', b'!', rest @ ..] | [b'/', b'*', b'M', b'!', rest @ ..] => {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                rest.get(digits..)?
            }
            [b'/', b'*', rest @ ..] => after(rest, b"*/")?,
            // The end of a version comment whose beginning was skipped.
            [b'*', b'/', rest @ ..] => rest,
            _ => return Some(text),
        }
    }
}

fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    text.get(at + mark.len()..)
}

/// The tokens of a short statement: words in upper case, other characters one by one. `None` when there are more
/// than `limit` of them, or bytes that are not ASCII.
pub(crate) fn tokens(text: &[u8], limit: usize) -> Option<Vec<String>> {
    let mut tokens = Vec::new();
    let mut text = skip_space(text)?;
    while let Some((first, after_first)) = text.split_first() {
        if tokens.len() == limit || !first.is_ascii() {
            return None;
        }
        let (word, rest) = word(text);
        if word.is_empty() {
            tokens.push(char::from(*first).to_string());
            text = skip_space(after_first)?;
        } else {
            tokens.push(String::from_utf8_lossy(word).to_ascii_uppercase());
            text = skip_space(rest)?;
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words() {
        let check = |text: &str, expected| assert_eq!(opening_of_whole(text.as_bytes()), expected, "{text}");
        check("ALTER TABLE t", Opening::Change);
        check(" \n\t/* a */ -- b\n# c\nalter table t", Opening::Change);
        check("--\nalter table t", Opening::Change);
        check("/*!80000 alter table t add a int */", Opening::Change);
        check("/*!ALTER*/ TABLE t", Opening::Change);
        check("/*M!100000 CREATE INDEX i ON t(a) */", Opening::Change);
        check("Optimize table t", Opening::Change);
        check("truncate t", Opening::Definition);
        check("/* x */ RENAME TABLE t TO u", Opening::Definition);
        check("alter", Opening::Change);
        check("alterego", Opening::Other);
        check("select 'alter'", Opening::Other);
        check("(select 1)", Opening::Other);
        check("/* never ends", Opening::Other);
        check("--alter", Opening::Other);
        check("show migrations", Opening::Show);
        check("FLUSH TABLES", Opening::Locks);
        check("set autocommit=0", Opening::Setting);
        check("KILL 7", Opening::Kill);
        check("prepare s FROM 'DO 1'", Opening::Dynamic);
        check("/* x */ Execute s", Opening::Dynamic);
        check("executes", Opening::Other);
        check("start transaction with consistent snapshot", Opening::Boundary);
        check("", Opening::Other);
    }

    #[test]
    fn a_beginning_is_answered_when_no_more_text_could_change_it() {
        assert_eq!(opening(b"INSERT INTO"), Some(Opening::Other));
        assert_eq!(opening(b"ALTER TAB"), Some(Opening::Change));
        for unclear in [
            "", "  ", "ALT", "INSERT", "/* x", "/*! ", "# x", "/", " -", "--", "/*", "/*M", "/*! *",
        ] {
            assert_eq!(opening(unclear.as_bytes()), None, "{unclear}");
        }
    }

    #[test]
    fn boundaries_of_transactions() {
        let check = |text: &str, expected| assert_eq!(boundary(text.as_bytes()), expected, "{text}");
        for text in [
            "BEGIN",
            " /* x */ begin work;",
            "START TRANSACTION READ ONLY",
            "commit and chain",
            "ROLLBACK",
        ] {
            check(text, Some(Boundary::Plain));
        }
        check(
            "start transaction with consistent snapshot, read only",
            Some(Boundary::WithSnapshot),
        );
        for text in [
            "ROLLBACK TO SAVEPOINT a",
            "BEGIN; SELECT 1",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "START SLAVE",
            "SELECT 1",
            "",
            "begins",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn statements_that_read_nothing() {
        let check = |text: &str, expected| assert_eq!(reads_nothing(text.as_bytes()), expected, "{text}");
        for text in [
            "SAVEPOINT a",
            " /* x */ savepoint `a b`;",
            "RELEASE SAVEPOINT a",
            "ROLLBACK TO a",
            "rollback to savepoint a",
            "SHOW WARNINGS",
            "show count(*) errors;",
        ] {
            check(text, true);
        }
        for text in [
            "SAVEPOINT a; SELECT 1",
            "ROLLBACK",
            "SHOW TABLES",
            "SHOW WARNINGS; SELECT 1",
            "SELECT 1",
            "RELEASE",
            "",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn texts_of_one_statement() {
        for (sql, expected) in [
            ("TRUNCATE t", true),
            ("DROP TABLE t; \n", true),
            ("DROP TABLE t; SELECT 1", false),
            ("DROP TABLE `a;b`", false),
        ] {
            assert_eq!(is_one_statement(sql), expected, "{sql}");
        }
    }

    #[test]
    fn statements_that_only_add() {
        let check = |text: &str, expected| assert_eq!(only_adds(text.as_bytes()), expected, "{text}");
        check("insert into t values (1)", true);
        check("REPLACE t SET a = 1", true);
        check("INSERT INTO t SELECT * FROM t", false);
        check("UPDATE t SET a = 1", false);
        check("SELECT * FROM t", false);
    }

    #[test]
    fn tokens_of_short_statements() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let expected = expected.map(|tokens| tokens.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(tokens(text.as_bytes(), 5), expected, "{text}");
        };
        check("show count(*)", Some(&["SHOW", "COUNT", "(", "*", ")"]));
        check(" Show /* x */ Warnings ;", Some(&["SHOW", "WARNINGS", ";"]));
        check("a b c d e f", None);
        check("é", None);
    }
}
