//! The words of a statement in the binary log, as far as telling tables takes it.
//!
//! The statement is bytes in the client's character set. Words are compared in ASCII; a word that is not ASCII and
//! not UTF-8 could be any name, and is taken for the one that is looked for.

/// `NO_BACKSLASH_ESCAPES` in the `sql_mode` of a query event.
pub(super) const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword or a bare name.
    Word(Vec<u8>),
    /// A name in back-quotes or double quotes; the latter may be a string instead.
    Quoted(Vec<u8>),
    /// Any other character.
    Symbol(u8),
}

impl Token {
    /// Whether this is the keyword `word` (upper case).
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(bytes) if bytes.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The name this may be.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Word(bytes) | Self::Quoted(bytes) => Some(bytes),
            Self::Symbol(_) => None,
        }
    }
}

/// The tokens of `sql`. Strings and comments are left out, the code in version comments is not.
pub(crate) fn tokens(sql: &[u8], sql_mode: u64) -> Vec<Token> {
    let escapes = sql_mode & NO_BACKSLASH_ESCAPES == 0;
    let mut rest = sql;
    let mut tokens = Vec::new();
    while let Some(first) = rest.first().copied() {
        let after = rest.get(1..).unwrap_or_default();
        rest = match first {
            b'\'' => quoted(after, b'\'', escapes).1,
            b'"' | b'`' => {
                let (name, rest) = quoted(after, first, escapes && first == b'"');
                tokens.push(Token::Quoted(name));
                rest
            }
            b'#' => after_line(after),
            b'-' if rest.starts_with(b"-- ") || rest == b"--" => after_line(after),
            b'/' if rest.starts_with(b"/*") => comment(rest),
            // The end of a version comment, whose code has been read.
            b'*' if rest.starts_with(b"*/") => rest.get(2..).unwrap_or_default(),
            _ if is_word(first) => {
                let length = rest.iter().take_while(|byte| is_word(**byte)).count();
                let (word, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                tokens.push(Token::Word(word.to_vec()));
                rest
            }
            _ => {
                if !first.is_ascii_whitespace() {
                    tokens.push(Token::Symbol(first));
                }
                after
            }
        };
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The contents up to the closing `quote`, and what follows it.
fn quoted(text: &[u8], quote: u8, escapes: bool) -> (Vec<u8>, &[u8]) {
    let mut contents = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'\\' && escapes {
            contents.extend(rest.first());
            rest = rest.get(1..).unwrap_or_default();
        } else if *first != quote {
            contents.push(*first);
        } else if rest.first() == Some(&quote) {
            contents.push(quote);
            rest = rest.get(1..).unwrap_or_default();
        } else {
            break;
        }
    }
    (contents, rest)
}

fn after_line(text: &[u8]) -> &[u8] {
    let length = text.iter().take_while(|byte| **byte != b'\n').count();
    text.get(length..).unwrap_or_default()
}

/// What follows a comment, or the code of a version comment (`/*!80000 code */`, `/*M!100100 code */`).
fn comment(text: &[u8]) -> &[u8] {
    for head in [&b"/*!"[..], b"/*M!"] {
        if let Some(code) = text.strip_prefix(head) {
            let digits = code.iter().take_while(|byte| byte.is_ascii_digit()).count();
            return code.get(digits..).unwrap_or_default();
        }
    }
    let body = text.get(2..).unwrap_or_default();
    let end = body.windows(2).position(|pair| pair == b"*/");
    end.and_then(|end| body.get(end + 2..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut() {
        let check = |sql: &str, expected: &str| {
            let shown = tokens(sql.as_bytes(), 0)
                .iter()
                .map(|token| match token {
                    Token::Word(word) => String::from_utf8_lossy(word).into_owned(),
                    Token::Quoted(name) => format!("<{}>", String::from_utf8_lossy(name)),
                    Token::Symbol(symbol) => char::from(*symbol).to_string(),
                })
                .collect::<Vec<_>>();
            assert_eq!(shown.join(" "), expected, "{sql}");
        };
        check("ALTER TABLE `a``b`.t", "ALTER TABLE <a`b> . t");
        check("x 'it''s t' y", "x y");
        check(r"x 'a\' t' y", "x y");
        check("x -- t\ny # t\nz", "x y z");
        check("x /* t */ y /*!80000 z */ w", "x y z w");
        check("DROP /*!40005 TEMPORARY */ TABLE t", "DROP TEMPORARY TABLE t");
        check("\"a\\\"b\" t", "<a\"b> t");
        check("a-1", "a - 1");
        check("/* open", "");
        check("'open", "");
        check("été.t", "été . t");
    }

    #[test]
    fn backslashes_may_be_ordinary() {
        let check = |mode, expected: usize| assert_eq!(tokens(br"x 'a\' y ' z", mode).len(), expected);
        check(0, 2);
        check(NO_BACKSLASH_ESCAPES, 2);
        assert_eq!(tokens(br"x 'a\' y", NO_BACKSLASH_ESCAPES).len(), 2);
        assert_eq!(tokens(br"x 'a\' y", 0).len(), 1);
    }
}
