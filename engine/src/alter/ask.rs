//! The client's statement in the forms that are put to the server, and the same clauses on another table.
//!
//! # Invariant
//! Every form is the client's text with text of ours put in at one place or in place of the table's name; no
//! other byte changes.

use super::action::{Action, TableOption};
use super::statement::{Form, Statement};
use crate::{Flavor, TableName};

/// A form of the statement to put to the server on the client's own session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The statement.
    pub sql: String,
    /// The errors by which the server declines this form while accepting the change itself.
    pub declined_codes: Vec<u16>,
    /// A text the declining error must contain, too.
    pub declined_text: Option<String>,
}

/// A column no table has: dropping it fails after the server has checked privileges.
const IMPOSSIBLE_COLUMN: &str = "alterego: not a column";

/// 1091: can't drop a column, it does not exist.
const CANT_DROP: u16 = 1091;

/// The errors that say "not with this ALGORITHM or LOCK".
///
/// 1845 and 1846 are both families' plain answer; 4092 is MySQL's "too many row versions for INSTANT" and 4158 its
/// "the row would become too long for INSTANT".
const NOT_THIS_ALGORITHM: [u16; 4] = [1845, 1846, 4092, 4158];

impl Statement {
    /// "Do it if it takes no time": the statement with `ALGORITHM=INSTANT`.
    pub fn question(&self) -> Asked {
        self.asked(self.with_algorithm("ALGORITHM=INSTANT"))
    }

    /// Asks for privileges and definitions only; the server never carries it out.
    pub fn forced_question(&self) -> Asked {
        let Form::AlterTable { body, bare } = self.form else {
            // No server adds or drops an index instantly.
            return self.question();
        };
        let separator = if bare { "" } else { "," };
        Asked {
            sql: self.with(body, &format!("DROP COLUMN `{IMPOSSIBLE_COLUMN}`{separator} ")),
            declined_codes: vec![CANT_DROP],
            declined_text: Some(IMPOSSIBLE_COLUMN.to_owned()),
        }
    }

    /// What has MariaDB forget a declined form that renames columns. Each of these fails.
    ///
    /// Otherwise its table cache may keep the new names in CHECKs and generated columns, and the next ALTER that renames
    /// the columns is refused with 1054 (measured on 11.8). A declined form that is followed at once by a failing ALTER
    /// without names of its own leaves nothing behind.
    pub fn forgetting(&self) -> Vec<Asked> {
        let renames = |action: &Action| match action {
            Action::RenameColumn { .. } => true,
            Action::ChangeColumn { old, new, .. } => old.as_str() != new.as_str(),
            _ => false,
        };
        match self.form {
            Form::AlterTable { body, .. }
                if self.flavor == Flavor::MariaDb && self.actions.iter().any(renames) =>
            {
                let head = self.sql.get(..body).unwrap_or_default();
                let forced = self.forced_question();
                let alone = Asked {
                    sql: format!("{head}DROP COLUMN `{IMPOSSIBLE_COLUMN}`"),
                    ..forced.clone()
                };
                vec![forced, alone]
            }
            _ => Vec::new(),
        }
    }

    /// The statement as a change in place, if that only touches the table's description on this flavor.
    pub fn in_place(&self) -> Option<Asked> {
        if !self
            .actions
            .iter()
            .all(|action| is_metadata_only(action, self.flavor))
        {
            return None;
        }
        // MariaDB's NOCOPY also refuses to rebuild the clustered index.
        let clause = match self.flavor {
            Flavor::MySql => "ALGORITHM=INPLACE, LOCK=NONE",
            Flavor::MariaDb => "ALGORITHM=NOCOPY, LOCK=NONE",
        };
        Some(self.asked(self.with_algorithm(clause)))
    }

    /// The same clauses on another table, up to the last token of the client's text.
    pub fn on(&self, table: &TableName, algorithm: Option<&str>) -> String {
        let mut other = self.clone();
        let name = table.to_string();
        let grown = |offset: usize| {
            if offset >= self.table_span.end {
                offset - self.table_span.len() + name.len()
            } else {
                offset
            }
        };
        other.sql.truncate(self.end);
        other.sql.replace_range(self.table_span.clone(), &name);
        other.end = grown(self.end);
        other.table_span = self.table_span.start..self.table_span.start + name.len();
        if let Form::AlterTable { body, .. } = &mut other.form {
            *body = grown(*body);
        }
        match algorithm {
            Some(algorithm) => other.with_algorithm(&format!("ALGORITHM={algorithm}")),
            None => other.sql,
        }
    }

    fn asked(&self, sql: String) -> Asked {
        Asked {
            sql,
            declined_codes: NOT_THIS_ALGORITHM.to_vec(),
            declined_text: None,
        }
    }

    /// The statement with `clause` (`ALGORITHM=…` and perhaps `LOCK=…`).
    fn with_algorithm(&self, clause: &str) -> String {
        match &self.form {
            Form::AlterTable { body, bare } => {
                let separator = if *bare { "" } else { "," };
                self.with(*body, &format!("{clause}{separator} "))
            }
            Form::DropIndex { index } if self.flavor == Flavor::MariaDb => {
                // MariaDB's DROP INDEX takes no ALGORITHM.
                let part = |range: std::ops::Range<usize>| self.sql.get(range).unwrap_or_default();
                let (table, index) = (part(self.table_span.clone()), part(index.clone()));
                format!("ALTER TABLE {table} {clause}, DROP INDEX {index}")
            }
            Form::CreateIndex | Form::DropIndex { .. } => {
                // Behind an index definition the two stand without a comma.
                self.with(self.end, &format!(" {}", clause.replace(',', "")))
            }
        }
    }

    fn with(&self, offset: usize, text: &str) -> String {
        let mut sql = self.sql.clone();
        sql.insert_str(offset, text);
        sql
    }
}

/// Changes for which the server's in-place form reads and writes no row.
fn is_metadata_only(action: &Action, flavor: Flavor) -> bool {
    match action {
        Action::DropIndex { name } => !name.as_str().eq_ignore_ascii_case("PRIMARY"),
        Action::RenameIndex { .. } | Action::IndexVisibility { .. } | Action::AlterColumn { .. } => true,
        Action::Option(TableOption::Comment | TableOption::DefaultCharset | TableOption::AutoIncrement) => {
            true
        }
        Action::Option(TableOption::Statistics) => true,
        // Instant where it stands alone; among in-place clauses it goes along without a rebuild.
        Action::RenameColumn { .. } => flavor == Flavor::MySql,
        _ => false,
    }
}
