//! Reading lexemes one after the other.

use super::lexeme::{Kind, Lexeme};
use crate::Ident;

/// A place in a run of lexemes.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    lexemes: &'a [Lexeme],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(lexemes: &'a [Lexeme]) -> Self {
        Self { lexemes }
    }

    pub(super) fn peek(&self) -> Option<&'a Lexeme> {
        self.lexemes.first()
    }

    pub(super) fn rest(&self) -> &'a [Lexeme] {
        self.lexemes
    }

    pub(super) fn at_end(&self) -> bool {
        self.lexemes.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<&'a Lexeme> {
        let (first, rest) = self.lexemes.split_first()?;
        self.lexemes = rest;
        Some(first)
    }

    /// Whether the next lexemes are these keywords.
    pub(super) fn sees(&self, keywords: &[&str]) -> bool {
        self.lexemes.len() >= keywords.len()
            && keywords
                .iter()
                .zip(self.lexemes)
                .all(|(keyword, lexeme)| is_keyword(lexeme, keyword))
    }

    /// Takes these keywords if they come next.
    pub(super) fn accept(&mut self, keywords: &[&str]) -> bool {
        let seen = self.sees(keywords);
        if seen {
            self.lexemes = self.lexemes.get(keywords.len()..).unwrap_or_default();
        }
        seen
    }

    /// Takes the keyword if it is one of these.
    pub(super) fn accept_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.accept(&[keyword]))
    }

    pub(super) fn sees_symbol(&self, symbol: char) -> bool {
        self.peek()
            .is_some_and(|lexeme| lexeme.kind == Kind::Symbol(symbol))
    }

    pub(super) fn accept_symbol(&mut self, symbol: char) -> bool {
        let seen = self.sees_symbol(symbol);
        if seen {
            self.next();
        }
        seen
    }

    /// Takes a name, quoted or not.
    pub(super) fn name(&mut self) -> Option<Ident> {
        match &self.peek()?.kind {
            Kind::Word { value, .. } => {
                self.next();
                Some(Ident::new(value))
            }
            _ => None,
        }
    }

    /// Takes everything up to the parenthesis that closes the one just taken, without it.
    pub(super) fn until_closed(&mut self) -> Option<&'a [Lexeme]> {
        let mut depth = 1_usize;
        let inner = self.lexemes;
        for (i, lexeme) in inner.iter().enumerate() {
            match lexeme.kind {
                Kind::Symbol('(') => depth += 1,
                Kind::Symbol(')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.lexemes = inner.get(i + 1..).unwrap_or_default();
                return inner.get(..i);
            }
        }
        None
    }
}

/// Whether a lexeme is this keyword, given in capitals.
pub(super) fn is_keyword(lexeme: &Lexeme, keyword: &str) -> bool {
    matches!(&lexeme.kind, Kind::Word { value, quoted: false } if value.eq_ignore_ascii_case(keyword))
}

/// The lexemes outside all parentheses; `None` when the parentheses do not pair.
pub(super) fn outside_parentheses(lexemes: &[Lexeme]) -> Option<Vec<&Lexeme>> {
    let mut depth = 0_usize;
    let mut outside = Vec::new();
    for lexeme in lexemes {
        match lexeme.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.checked_sub(1)?,
            _ if depth == 0 => outside.push(lexeme),
            _ => {}
        }
    }
    (depth == 0).then_some(outside)
}

/// Splits at the commas outside all parentheses.
pub(super) fn split_at_commas(lexemes: &[Lexeme]) -> Option<Vec<&[Lexeme]>> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0_usize, 0);
    for (i, lexeme) in lexemes.iter().enumerate() {
        match lexeme.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.checked_sub(1)?,
            Kind::Symbol(',') if depth == 0 => {
                parts.push(lexemes.get(from..i)?);
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.push(lexemes.get(from..)?);
    (depth == 0).then_some(parts)
}
