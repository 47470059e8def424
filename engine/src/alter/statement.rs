//! The head of a statement: which table, in which form.

use std::ops::Range;

use super::action::{Action, IndexKind};
use super::clause::{self, NOT_UNDERSTOOD, OWN_ALGORITHM, Reason};
use super::cursor::{Cursor, is_keyword, outside_parentheses, split_at_commas};
use super::lexeme::{Kind, Lexed, Lexeme, lex};
use crate::{Flavor, Ident, Refusal};

/// How a session reads SQL text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadMode {
    /// `"x"` is an identifier (`ANSI_QUOTES`).
    pub ansi_quotes: bool,
    /// `\` is an ordinary character (`NO_BACKSLASH_ESCAPES`).
    pub no_backslash_escapes: bool,
}

/// Why a statement is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// It is no ALTER TABLE, CREATE INDEX or DROP INDEX.
    Unrelated,
    /// It is one, and the server must do it.
    Native(Refusal),
}

/// The three forms of a schema change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    AlterTable {
        /// Where the first clause begins.
        body: usize,
        /// Whether a clause spliced in before it needs no comma: PARTITION BY and REMOVE PARTITIONING stand so.
        bare: bool,
    },
    CreateIndex,
    DropIndex {
        /// The index's name with its IF EXISTS.
        index: Range<usize>,
    },
}

/// A schema change of one table, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub(super) flavor: Flavor,
    pub(super) sql: String,
    pub(super) form: Form,
    pub(super) schema: Option<String>,
    pub(super) table: String,
    /// The bytes of the table's name with its schema.
    pub(super) table_span: Range<usize>,
    /// Offset behind the last significant token.
    pub(super) end: usize,
    pub(super) actions: Vec<Action>,
    /// The comments in it that are addressed to alterego.
    pub(super) hints: Vec<String>,
    /// The number of its last `AUTO_INCREMENT=n`.
    pub(super) counter: Option<u64>,
}

impl Statement {
    /// The server it was read for.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The client's text.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The schema it names, unquoted.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The table it names, unquoted.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// What its comments say to alterego, each behind the word `alterego`.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// What it does, clause by clause.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Where it says that the numbering goes on: the last `AUTO_INCREMENT=n`.
    pub fn counter(&self) -> Option<u64> {
        self.counter
    }
}

/// Reads a client's statement.
///
/// # Errors
/// [`NotOurs`] for every statement that goes to the server as it is.
pub fn understand(sql: &str, mode: ReadMode, flavor: Flavor) -> Result<Statement, NotOurs> {
    let mut lexed = lex(sql, mode);
    if let Some(comment) = &lexed.leading_version_comment {
        return Err(in_version_comment(comment, mode));
    }
    strip_end(&mut lexed.lexemes);
    let Some(head) = Head::of(&lexed.lexemes) else {
        return Err(NotOurs::Unrelated);
    };
    read(sql, head, &lexed, flavor).map_err(|reason| NotOurs::Native(Refusal(reason.to_owned())))
}

/// The table that a schema change names, with its schema where it names one, however little else of it is understood.
pub fn named(sql: &str, mode: ReadMode) -> Option<(Option<String>, String)> {
    let lexed = lex(sql, mode);
    let lexemes = &lexed.lexemes[..];
    let mut at = Cursor::new(lexemes);
    match Head::of(lexemes)? {
        Head::Alter => {
            while at.accept_any(&["ALTER", "ONLINE", "OFFLINE", "IGNORE"]) {}
            at.accept(&["TABLE"]);
            at.accept(&["IF", "EXISTS"]);
        }
        Head::Create | Head::Drop => while !at.accept(&["ON"]) && at.next().is_some() {},
    }
    let table = table(&mut at).ok()?;
    Some((table.schema, table.name))
}

/// A statement inside `/*! … */`: ours to name, the server's to do.
fn in_version_comment(comment: &str, mode: ReadMode) -> NotOurs {
    let content = comment.trim_start_matches(['M', '!']);
    let content = content.trim_start_matches(|c: char| c.is_ascii_digit());
    match Head::of(&lex(content, mode).lexemes) {
        Some(_) => NotOurs::Native(Refusal("it holds a version comment".to_owned())),
        None => NotOurs::Unrelated,
    }
}

/// Takes the NULs and the semicolons off the end.
fn strip_end(lexemes: &mut Vec<Lexeme>) {
    while lexemes
        .last()
        .is_some_and(|l| matches!(l.kind, Kind::Symbol(';' | '\0')))
    {
        lexemes.pop();
    }
}

/// Which form a statement begins like.
enum Head {
    Alter,
    Create,
    Drop,
}

impl Head {
    fn of(lexemes: &[Lexeme]) -> Option<Self> {
        let mut at = Cursor::new(lexemes);
        if at.accept(&["ALTER"]) {
            while at.accept_any(&["ONLINE", "OFFLINE", "IGNORE"]) {}
            return at.accept(&["TABLE"]).then_some(Self::Alter);
        }
        if at.accept(&["CREATE"]) {
            at.accept(&["OR", "REPLACE"]);
            while at.accept_any(&["ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]) {}
            return at.accept(&["INDEX"]).then_some(Self::Create);
        }
        at.accept(&["DROP"]);
        while at.accept_any(&["ONLINE", "OFFLINE"]) {}
        (is_first(lexemes, "DROP") && at.accept(&["INDEX"])).then_some(Self::Drop)
    }
}

fn is_first(lexemes: &[Lexeme], keyword: &str) -> bool {
    lexemes.first().is_some_and(|lexeme| is_keyword(lexeme, keyword))
}

fn read(sql: &str, head: Head, lexed: &Lexed, flavor: Flavor) -> Result<Statement, Reason> {
    if let Some(reason) = lexed.trouble {
        return Err(reason);
    }
    let lexemes = &lexed.lexemes[..];
    if lexemes.iter().any(|l| matches!(l.kind, Kind::Symbol(';'))) {
        return Err("it is one of several statements");
    }
    if lexemes.iter().any(|l| matches!(l.kind, Kind::Symbol('\0'))) {
        return Err(NOT_UNDERSTOOD);
    }
    let at = Cursor::new(lexemes);
    let parts = match head {
        Head::Alter => alter_table(at)?,
        Head::Create => create_index(at)?,
        Head::Drop => drop_index(at, flavor)?,
    };
    Ok(Statement {
        flavor,
        sql: sql.to_owned(),
        form: parts.form,
        schema: parts.table.schema,
        table: parts.table.name,
        table_span: parts.table.span,
        end: lexemes.last().map_or(sql.len(), |l| l.end),
        counter: counter(sql, lexemes),
        actions: parts.actions,
        hints: lexed.hints.clone(),
    })
}

/// The number of the last `AUTO_INCREMENT=n`; a column's own AUTO_INCREMENT is followed by none.
fn counter(sql: &str, lexemes: &[Lexeme]) -> Option<u64> {
    let number_after = |place: usize| {
        let mut at = Cursor::new(lexemes.get(place..)?);
        if !at.accept(&["AUTO_INCREMENT"]) {
            return None;
        }
        at.accept_symbol('=');
        let number = at.next().filter(|lexeme| lexeme.kind == Kind::Number)?;
        sql.get(number.start..number.end)?.trim().parse().ok()
    };
    (0..lexemes.len()).rev().find_map(number_after)
}

struct Parts {
    form: Form,
    table: NamedTable,
    actions: Vec<Action>,
}

struct NamedTable {
    schema: Option<String>,
    name: String,
    span: Range<usize>,
}

/// `[schema.]table`
fn table(at: &mut Cursor<'_>) -> Result<NamedTable, Reason> {
    let start = at.peek().ok_or(NOT_UNDERSTOOD)?.start;
    let mut end = at.peek().ok_or(NOT_UNDERSTOOD)?.end;
    let mut schema = None;
    let mut name = at.name().ok_or(NOT_UNDERSTOOD)?;
    if at.accept_symbol('.') {
        end = at.peek().ok_or(NOT_UNDERSTOOD)?.end;
        schema = Some(name.as_str().to_owned());
        name = at.name().ok_or(NOT_UNDERSTOOD)?;
    }
    if at.sees_symbol('.') {
        return Err(NOT_UNDERSTOOD);
    }
    Ok(NamedTable {
        schema,
        name: name.as_str().to_owned(),
        span: start..end,
    })
}

fn alter_table(mut at: Cursor<'_>) -> Result<Parts, Reason> {
    at.accept(&["ALTER"]);
    if at.accept_any(&["ONLINE", "OFFLINE"]) {
        return Err(OWN_ALGORITHM);
    }
    if at.accept(&["IGNORE"]) {
        return Err("it is an ALTER IGNORE");
    }
    at.accept(&["TABLE"]);
    at.accept(&["IF", "EXISTS"]);
    let table = table(&mut at)?;
    refuse_wait(&at)?;
    let body = at.peek().ok_or("it changes nothing")?.start;
    let (clauses, partitioning) = cut_partitioning(at.rest())?;
    let mut actions = Vec::new();
    if !clauses.is_empty() {
        for part in split_at_commas(clauses).ok_or(NOT_UNDERSTOOD)? {
            clause::read(part, &mut actions)?;
        }
    }
    actions.extend(partitioning);
    Ok(Parts {
        form: Form::AlterTable {
            body,
            bare: clauses.is_empty(),
        },
        table,
        actions,
    })
}

fn refuse_wait(at: &Cursor<'_>) -> Result<(), Reason> {
    if at.sees(&["WAIT"]) || at.sees(&["NOWAIT"]) {
        return Err("it sets WAIT or NOWAIT itself");
    }
    Ok(())
}

/// Cuts off the partition clause, which stands last and without a comma.
fn cut_partitioning(lexemes: &[Lexeme]) -> Result<(&[Lexeme], Option<Action>), Reason> {
    let outside = outside_parentheses(lexemes).ok_or(NOT_UNDERSTOOD)?;
    let pair = |i: usize, first: &str, second: &str| {
        outside.get(i).is_some_and(|l| is_keyword(l, first))
            && outside.get(i + 1).is_some_and(|l| is_keyword(l, second))
    };
    for (i, lexeme) in outside.iter().enumerate() {
        let action = if pair(i, "PARTITION", "BY") {
            Action::PartitionBy
        } else if pair(i, "REMOVE", "PARTITIONING") {
            Action::RemovePartitioning
        } else {
            continue;
        };
        let before = lexemes.partition_point(|l| l.start < lexeme.start);
        let clauses = lexemes.get(..before).unwrap_or_default();
        let rest = lexemes.get(before..).unwrap_or_default();
        // Something behind a comma would be a clause that follows, which the grammar does not have.
        let one_clause = split_at_commas(rest).is_some_and(|parts| parts.len() == 1);
        let ends_clean = !clauses.last().is_some_and(|l| l.kind == Kind::Symbol(','));
        let versioned = outside.iter().any(|l| is_keyword(l, "SYSTEM_TIME"));
        if !one_clause
            || !ends_clean
            || versioned
            || (action == Action::RemovePartitioning && rest.len() != 2)
        {
            return Err(NOT_UNDERSTOOD);
        }
        return Ok((clauses, Some(action)));
    }
    Ok((lexemes, None))
}

fn create_index(mut at: Cursor<'_>) -> Result<Parts, Reason> {
    at.accept(&["CREATE"]);
    let replace = at.accept(&["OR", "REPLACE"]);
    if at.accept_any(&["ONLINE", "OFFLINE"]) {
        return Err(OWN_ALGORITHM);
    }
    let kind = [
        ("UNIQUE", IndexKind::Unique),
        ("FULLTEXT", IndexKind::Fulltext),
        ("SPATIAL", IndexKind::Spatial),
        ("VECTOR", IndexKind::Vector),
    ]
    .into_iter()
    .find(|(keyword, _)| at.accept(&[keyword]))
    .map_or(IndexKind::Plain, |(_, kind)| kind);
    if !at.accept(&["INDEX"]) {
        return Err(NOT_UNDERSTOOD);
    }
    at.accept(&["IF", "NOT", "EXISTS"]);
    let name = clause::name(&mut at)?;
    if at.accept_any(&["USING", "TYPE"]) {
        at.name().ok_or(NOT_UNDERSTOOD)?;
    }
    if !at.accept(&["ON"]) {
        return Err(NOT_UNDERSTOOD);
    }
    let table = table(&mut at)?;
    refuse_wait(&at)?;
    if !at.accept_symbol('(') {
        return Err(NOT_UNDERSTOOD);
    }
    at.until_closed().ok_or(NOT_UNDERSTOOD)?;
    index_options(at)?;
    let mut actions = Vec::new();
    if replace {
        actions.push(Action::DropIndex { name: name.clone() });
    }
    actions.push(Action::AddIndex {
        name: Some(name),
        kind,
    });
    Ok(Parts {
        form: Form::CreateIndex,
        table,
        actions,
    })
}

/// What may follow an index's columns, in which only ALGORITHM, LOCK and the like concern us.
fn index_options(at: Cursor<'_>) -> Result<(), Reason> {
    let outside = outside_parentheses(at.rest()).ok_or(NOT_UNDERSTOOD)?;
    let has = |keyword: &str| outside.iter().any(|l| is_keyword(l, keyword));
    if has("ALGORITHM") || has("LOCK") {
        return Err(OWN_ALGORITHM);
    }
    if has("WAIT") || has("NOWAIT") || outside.iter().any(|l| l.kind == Kind::Symbol(',')) {
        return Err(NOT_UNDERSTOOD);
    }
    Ok(())
}

fn drop_index(mut at: Cursor<'_>, flavor: Flavor) -> Result<Parts, Reason> {
    at.accept(&["DROP"]);
    if at.accept_any(&["ONLINE", "OFFLINE"]) {
        return Err(OWN_ALGORITHM);
    }
    at.accept(&["INDEX"]);
    let start = at.peek().ok_or(NOT_UNDERSTOOD)?.start;
    if at.accept(&["IF", "EXISTS"]) && flavor == Flavor::MySql {
        return Err(NOT_UNDERSTOOD);
    }
    let end = at.peek().ok_or(NOT_UNDERSTOOD)?.end;
    let name: Ident = clause::name(&mut at)?;
    if !at.accept(&["ON"]) {
        return Err(NOT_UNDERSTOOD);
    }
    let table = table(&mut at)?;
    refuse_wait(&at)?;
    index_options(at.clone())?;
    if !at.at_end() {
        return Err(NOT_UNDERSTOOD);
    }
    Ok(Parts {
        form: Form::DropIndex { index: start..end },
        table,
        actions: vec![Action::DropIndex { name }],
    })
}
