//! Checks of the owner's: SQL that must give the same result on source and ghost before the tables are swapped.
//!
//! Verification compares what was copied with what it was copied from, so it finds right whatever the ALTER itself
//! makes of the values: a DECIMAL that is rounded to fewer digits is a faithful copy. Whether *that* is acceptable only
//! the owner knows, and says by a query: `SELECT SUM(balance) FROM {table}`. It comes from the configuration or, in a
//! comment of the ALTER, from the client.
//!
//! # Why a client's check cannot do what the client may not
//! The client may not read the ghost, so a check runs with alterego's account. Three things keep that harmless:
//! * **Nothing of the text reaches the server.** It is read into a tree (`grammar`) and written anew (`render`), with
//!   every name and literal quoted and every operation in parentheses. So it does not matter whether the server would have
//!   read the text otherwise, and what the tree has no node for cannot be said: no other table, no subquery, no
//!   variable, no INTO, no lock, no comment, no second statement.
//! * **Only listed functions,** all of them built in, free of side effects, and cheap for any argument. A stored
//!   function cannot have the name of one of these without being called by a qualified name, for which there is no node.
//! * **The client hears one bit:** equal or not. The values are in the log only. That bit tells it nothing new: who may
//!   ALTER a table may add a CHECK or a UNIQUE key to it, and the server's answer to those says whether any row meets
//!   a condition of the client's choice, and even the value (1062).
//!
//! The configuration's checks are held to the same rules, which need to be right only once.
//!
//! # Why one snapshot shows both tables alike
//! Source and ghost hold the same only when everything is applied, and on a busy table that is never so for long
//! enough to read them. So the moment is made as the cut-over makes its own: gate closed, tables locked, everything
//! drained; only, instead of renaming, a second session opens a snapshot, and the locks are given back
//! (`cut_over::snapshot`). The application has seen the pause of one attempt; the checks then take what time
//! they need, in the snapshot. What changes afterwards is the applier's, as after verification.

mod grammar;
mod hint;
mod render;
mod result;
mod run;

use self::grammar::Query;
use crate::{Error, Ident, ServerError, TableName};

pub(crate) use run::{rehearse, run};

/// 1644: the error of SIGNAL, whose text is the user's.
const USER_ERROR: u16 = 1644;

/// How much of a check's text an error repeats.
const SHOWN_CHARS: usize = 200;

/// One check, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerCheck {
    text: String,
    query: Query,
}

impl OwnerCheck {
    /// Reads a check: `SELECT … FROM {table} [WHERE …] [GROUP BY …]`.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let query = grammar::parse(text)
            .map_err(|why| format!("the check `{}` is not possible: {why}", shortened(text)))?;
        Ok(Self {
            text: text.to_owned(),
            query,
        })
    }

    /// Its text, or the beginning of a long one: the texts of errors are short.
    pub(crate) fn shown(&self) -> String {
        shortened(&self.text)
    }

    /// The checks in the comments of a statement.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn of_hints(hints: &[String]) -> Result<Vec<Self>, String> {
        let mut checks = Vec::new();
        for hint in hints {
            for text in hint::checks(hint)? {
                checks.push(Self::parse(&text)?);
            }
        }
        Ok(checks)
    }
}

/// A check of the configuration, and the table it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCheck {
    schema: Ident,
    table: Ident,
    check: OwnerCheck,
}

impl TableCheck {
    /// A check for `schema.table`.
    pub fn new(schema: &str, table: &str, check: OwnerCheck) -> Self {
        Self {
            schema: Ident::new(schema),
            table: Ident::new(table),
            check,
        }
    }

    /// The check, if it is about `table`. A server that ignores case in names spells them its own way.
    pub(crate) fn about(&self, table: &TableName) -> Option<OwnerCheck> {
        let same = self.schema.same_column(&table.schema) && self.table.same_column(&table.table);
        same.then(|| self.check.clone())
    }
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The client's answer where a check stands in the way.
pub(crate) fn objection(text: impl std::fmt::Display) -> Error {
    Error::Answer(ServerError {
        code: USER_ERROR,
        state: "45000".to_owned(),
        message: format!("alterego: {text}; the table is as it was"),
    })
}
