//! The significant tokens of a statement, each with the bytes it stands on.
//!
//! # Invariants
//! The lexemes are in text order and do not overlap. Where this reading could differ from the server's (odd
//! white space, control characters, dollar quotes, version comments) the text is not cut at all.

use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::ReadMode;
use super::dialect::SessionDialect;

/// What a lexeme is, as far as understanding an ALTER needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or a name.
    Word {
        /// The name without its quotes.
        value: String,
        /// Whether it was quoted; then it is no keyword.
        quoted: bool,
    },
    /// A number.
    Number,
    /// A string literal, unescaped.
    Text(String),
    /// `( ) , . = ;`
    Symbol(char),
    /// Anything else.
    Other,
}

/// One significant token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lexeme {
    pub(crate) kind: Kind,
    /// Offset of its first byte.
    pub(crate) start: usize,
    /// Offset behind its last byte.
    pub(crate) end: usize,
}

/// The lexemes read before the end of the text or before the first thing that cannot be read for sure.
pub(crate) struct Lexed {
    pub(crate) lexemes: Vec<Lexeme>,
    /// Why reading stopped early.
    pub(crate) trouble: Option<&'static str>,
    /// The content of a version comment that stands before the first lexeme.
    pub(crate) leading_version_comment: Option<String>,
    /// The comments that are addressed to alterego, without the address.
    pub(crate) hints: Vec<String>,
}

/// What a comment begins with that is meant for alterego.
const ADDRESS: &str = "alterego";

const ODD_TEXT: &str = "its text could not be read for sure";
const VERSION_COMMENT: &str = "it holds a version comment";

/// Cuts `sql` into lexemes.
pub(crate) fn lex(sql: &str, mode: ReadMode) -> Lexed {
    let dialect = SessionDialect(mode);
    let mut tokens = Vec::new();
    let complete = Tokenizer::new(&dialect, sql).tokenize_with_location_into_buf(&mut tokens);
    let mut lexed = Lexed {
        lexemes: Vec::new(),
        trouble: complete.err().map(|_| ODD_TEXT),
        leading_version_comment: None,
        hints: Vec::new(),
    };
    let starts = byte_offsets(sql, &tokens);
    for (i, token) in tokens.iter().enumerate() {
        let start = starts[i];
        let end = starts.get(i + 1).copied().unwrap_or(sql.len());
        let raw = sql.get(start..end).unwrap_or_default();
        match &token.token {
            Token::Whitespace(space) => {
                if let Some(reason) = space_trouble(space, raw) {
                    if let (Whitespace::MultiLineComment(comment), []) = (space, &lexed.lexemes[..]) {
                        lexed.leading_version_comment = Some(comment.clone());
                    }
                    lexed.trouble = Some(reason);
                    break;
                }
                lexed.hints.extend(hint(space));
            }
            // What `--` is without white space behind it depends on the character that follows.
            Token::Minus if sql.get(..start).is_some_and(|before| before.ends_with('-')) => {
                lexed.trouble = Some(ODD_TEXT);
                break;
            }
            token => match kind_of(token) {
                Some(kind) => lexed.lexemes.push(Lexeme { kind, start, end }),
                None => {
                    lexed.trouble = Some(ODD_TEXT);
                    break;
                }
            },
        }
    }
    lexed
}

/// What a comment says to alterego.
fn hint(space: &Whitespace) -> Option<String> {
    let Whitespace::MultiLineComment(comment) = space else {
        return None;
    };
    let said = comment.trim_start().strip_prefix(ADDRESS)?;
    said.starts_with(char::is_whitespace).then(|| said.to_owned())
}

/// Where each token begins: the tokenizer counts lines and characters.
fn byte_offsets(sql: &str, tokens: &[TokenWithSpan]) -> Vec<usize> {
    let (mut line, mut column, mut offset) = (1, 1, 0);
    let mut chars = sql.chars();
    tokens
        .iter()
        .map(|token| {
            let start = token.span.start;
            while (line, column) < (start.line, start.column) {
                let Some(ch) = chars.next() else { break };
                offset += ch.len_utf8();
                (line, column) = if ch == '\n' {
                    (line + 1, 1)
                } else {
                    (line, column + 1)
                };
            }
            offset
        })
        .collect()
}

/// Why white space or a comment may mean something else to the server.
fn space_trouble(space: &Whitespace, raw: &str) -> Option<&'static str> {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    match space {
        Whitespace::MultiLineComment(comment) => {
            (comment.starts_with('!') || comment.starts_with("M!")).then_some(VERSION_COMMENT)
        }
        Whitespace::SingleLineComment { prefix, .. } => {
            let dashes = prefix == "--";
            let third = raw.chars().nth(2);
            (dashes && !third.is_none_or(is_space)).then_some(ODD_TEXT)
        }
        Whitespace::Space | Whitespace::Tab | Whitespace::Newline => {
            (!raw.chars().all(is_space)).then_some(ODD_TEXT)
        }
    }
}

/// `None` for a token the server may cut differently.
fn kind_of(token: &Token) -> Option<Kind> {
    Some(match token {
        Token::Word(word) => {
            // Beyond the basic plane no identifier can go, and a server may see two tokens there.
            if word.value.chars().any(|c| c > '\u{ffff}' || c == '\0') {
                return None;
            }
            Kind::Word {
                value: word.value.clone(),
                quoted: word.quote_style.is_some(),
            }
        }
        Token::Number(..) | Token::HexStringLiteral(_) | Token::SingleQuotedByteStringLiteral(_) => {
            Kind::Number
        }
        Token::SingleQuotedString(text)
        | Token::NationalStringLiteral(text)
        | Token::DoubleQuotedString(text) => Kind::Text(text.clone()),
        Token::LParen => Kind::Symbol('('),
        Token::RParen => Kind::Symbol(')'),
        Token::Comma => Kind::Symbol(','),
        Token::Period => Kind::Symbol('.'),
        Token::Eq => Kind::Symbol('='),
        Token::SemiColon => Kind::Symbol(';'),
        // The server takes a NUL for the end of the text.
        Token::Char('\0') => Kind::Symbol('\0'),
        Token::DollarQuotedString(_)
        | Token::Placeholder(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::Char(_)
        | Token::Backslash
        | Token::LBracket
        | Token::RBracket
        | Token::CustomBinaryOperator(_) => return None,
        _ => Kind::Other,
    })
}
