//! How MySQL and MariaDB cut SQL text into tokens, in each of a session's reading modes.

use std::any::TypeId;

use sqlparser::dialect::{Dialect, MySqlDialect};

use super::ReadMode;

/// The tokenizer's rules for one session.
///
/// It says it is [`MySqlDialect`], so that `#` comments and `b''` literals are read, but version comments stay
/// comments: whether their content runs depends on the server's version.
#[derive(Debug)]
pub(super) struct SessionDialect(pub(super) ReadMode);

impl Dialect for SessionDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<MySqlDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_ascii_alphabetic() || ch == '_' || !ch.is_ascii()
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.is_identifier_start(ch) || ch.is_ascii_digit() || ch == '$'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || (self.0.ansi_quotes && ch == '"')
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        !self.0.no_backslash_escapes
    }

    fn supports_numeric_prefix(&self) -> bool {
        true
    }

    fn requires_single_line_comment_whitespace(&self) -> bool {
        true
    }
}
