//! Understands the client's statement and asks the server about it.
//!
//! The text is read by tokens and cut verbatim, never re-printed: what the server is sent differs from what the
//! client sent in one spliced-in clause, or in the table's name. A statement that is not understood whole is the
//! server's.

mod action;
mod ask;
mod clause;
mod cursor;
mod dialect;
mod lexeme;
mod options;
mod statement;

pub use action::{Action, IndexKind, TableOption};
pub use ask::Asked;
pub(crate) use lexeme::{Kind, Lexeme, lex};
pub use statement::{NotOurs, ReadMode, Statement, named, understand};

#[cfg(test)]
mod tests;
