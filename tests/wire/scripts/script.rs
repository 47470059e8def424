//! How a script is written.
//!
//! A statement ends with a semicolon at the end of a line, and is sent without it. A line that begins with `--` is a remark
//! about the statement behind it:
//!
//! ```sql
//! -- mysql: only this server is asked (or mariadb:); the rest of the line is for people
//! -- prepared: sent by the protocol's own commands
//! -- differs in rows, tables: "the README's own words for it"
//! -- differs on mariadb in warnings: "the README's own words for it"
//! ```
//!
//! and anything else behind `--` is for people. What may differ is one of [`Aspect`].

use std::path::Path;

use alterego_testkit::Flavor;
use anyhow::{Context, Result, bail, ensure};

/// What is compared of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aspect {
    /// The OK packet: affected rows, last insert id, info text, number of warnings.
    Ok,
    /// Result sets: columns, rows, number of warnings.
    Rows,
    /// The error: number, SQLSTATE, text.
    Error,
    /// What `SHOW WARNINGS` lists afterwards.
    Warnings,
    /// All tables of the schema.
    Tables,
}

impl Aspect {
    pub(super) const ALL: [(Aspect, &str); 5] = [
        (Aspect::Ok, "ok"),
        (Aspect::Rows, "rows"),
        (Aspect::Error, "error"),
        (Aspect::Warnings, "warnings"),
        (Aspect::Tables, "tables"),
    ];

    fn parse(word: &str) -> Result<Aspect> {
        let found = Aspect::ALL.into_iter().find(|(_, name)| *name == word);
        Ok(found.with_context(|| format!("nothing is called `{word}`"))?.0)
    }
}

/// One statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// Where it is in its file.
    pub(super) line: usize,
    pub(super) sql: String,
    /// Whether it is prepared and executed by the protocol's own commands.
    pub(super) is_prepared: bool,
    /// What differs, and is known to.
    pub(super) known: Vec<Aspect>,
}

/// One family.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The file's name without its ending; its schema is called so, too.
    pub(super) name: String,
    pub(super) statements: Vec<Statement>,
}

impl Statement {
    /// The words it begins with, in upper case.
    fn begins(&self, words: &str) -> bool {
        let start = self.sql.split_whitespace().take(words.split(' ').count());
        let start: Vec<String> = start.map(str::to_uppercase).collect();
        start.join(" ") == words
    }

    /// Whether it may change a schema, so that its tables are looked at.
    pub(super) fn may_change_schema(&self) -> bool {
        const NEVER: [&str; 11] = [
            "SELECT",
            "SHOW",
            "SET",
            "DO",
            "INSERT",
            "UPDATE",
            "DELETE",
            "BEGIN",
            "PREPARE",
            "DEALLOCATE",
            "EXPLAIN",
        ];
        !NEVER.iter().any(|words| self.begins(words))
    }

    /// Whether it changes a table by a statement that may be caught.
    fn is_change(&self) -> bool {
        const CHANGES: [&str; 8] = [
            "ALTER TABLE",
            "ALTER IGNORE",
            "ALTER ONLINE",
            "CREATE INDEX",
            "CREATE UNIQUE",
            "CREATE FULLTEXT",
            "DROP INDEX",
            "CREATE OR",
        ];
        CHANGES.iter().any(|words| self.begins(words))
            || self.begins("EXECUTE")
            || self.sql.contains("'ALTER")
    }

    /// Whether it takes (`true`) or gives back locks on whole tables.
    pub(super) fn locks(&self) -> Option<bool> {
        match () {
            () if self.begins("LOCK TABLES") => Some(true),
            () if self.begins("UNLOCK TABLES") => Some(false),
            () => None,
        }
    }

    /// Whether it asks about the statement before it, so that nothing may come between.
    pub(super) fn asks_about_last(&self) -> bool {
        const ASKED: [&str; 8] = [
            "ROW_COUNT()",
            "FOUND_ROWS()",
            "WARNING_COUNT",
            "ERROR_COUNT",
            "DIAGNOSTICS",
            "SHOW WARNINGS",
            "SHOW ERRORS",
            "SHOW COUNT",
        ];
        let sql = self.sql.to_uppercase();
        ASKED.iter().any(|asked| sql.contains(asked))
    }
}

impl Script {
    /// All scripts, with what is for this server.
    pub(super) fn read_all(flavor: Flavor) -> Result<Vec<Script>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let readme = std::fs::read_to_string(root.join("README.md"))?;
        let mut scripts = Vec::new();
        for entry in std::fs::read_dir(root.join("tests/scripts"))? {
            let path = entry?.path();
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path)?;
            let read = read(&text, flavor, &one_line(&readme)).with_context(|| path.display().to_string());
            scripts.push(Script {
                name,
                statements: read?,
            });
        }
        ensure!(!scripts.is_empty(), "there are no scripts");
        scripts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(scripts)
    }

    /// How many statements of it change a table.
    pub(super) fn changes(&self) -> usize {
        self.statements
            .iter()
            .filter(|statement| statement.is_change())
            .count()
    }
}

/// The remarks in front of a statement.
#[derive(Clone, Debug, Default)]
struct Remarks {
    other_server: bool,
    is_prepared: bool,
    known: Vec<Aspect>,
}

impl Remarks {
    fn add(&mut self, remark: &str, flavor: Flavor, readme: &str) -> Result<()> {
        let is_other = |word: &str| word != flavor.name();
        if let Some(rest) = remark.strip_prefix("differs ") {
            let (head, words) = rest.split_once(": ").context("no words of the README's")?;
            let words = words.trim().trim_matches('"');
            ensure!(readme.contains(words), "the README does not say `{words}`");
            let (server, aspects) = head.rsplit_once("in ").context("in what?")?;
            let known: Result<Vec<Aspect>> = aspects.split(", ").map(Aspect::parse).collect();
            match server.trim().strip_prefix("on ") {
                Some(server) if is_other(server) => known.map(drop)?,
                _ => self.known.extend(known?),
            }
        } else if remark.starts_with("prepared:") {
            self.is_prepared = true;
        } else if let Some((server @ ("mysql" | "mariadb"), _)) = remark.split_once(':') {
            self.other_server |= is_other(server);
        }
        Ok(())
    }
}

fn read(text: &str, flavor: Flavor, readme: &str) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    let (mut remarks, mut sql, mut first) = (Remarks::default(), String::new(), 0);
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim_end();
        if sql.is_empty() && (content.is_empty() || content.starts_with("--")) {
            let remark = content.trim_start_matches('-').trim();
            remarks
                .add(remark, flavor, readme)
                .with_context(|| format!("line {line}"))?;
            continue;
        }
        if sql.is_empty() {
            first = line;
        } else {
            sql.push('\n');
        }
        sql.push_str(content);
        if let Some(whole) = sql.strip_suffix(';') {
            let Remarks {
                other_server,
                is_prepared,
                known,
            } = std::mem::take(&mut remarks);
            let whole = whole.to_owned();
            sql.clear();
            if !other_server {
                statements.push(Statement {
                    line: first,
                    sql: whole,
                    is_prepared,
                    known,
                });
            }
        }
    }
    if !sql.is_empty() {
        bail!("the last statement does not end");
    }
    Ok(statements)
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
