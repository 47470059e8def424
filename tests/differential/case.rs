//! A case as it was generated, and as the text it comes to.

use std::fmt;

use alterego_testkit::Flavor;
use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::literal::chance;
use crate::names::quoted;
use crate::table::Table;
use crate::{alter, session, workload};

/// Parts that can be taken away one by one.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Settings under which the table is made.
    pub(crate) before: Vec<String>,
    pub(crate) table: Table,
    pub(crate) session: Vec<String>,
    pub(crate) clauses: Vec<String>,
    pub(crate) writer: Vec<String>,
    pub(crate) transactions: Vec<Vec<String>>,
    /// How long the writer waits between transactions.
    pub(crate) pause_millis: u64,
}

impl Case {
    /// The case of a seed: the same for the same seed.
    pub(crate) fn of(seed: u64, flavor: Flavor) -> Case {
        let mut rng = StdRng::seed_from_u64(seed);
        let rng = &mut rng;
        let table = Table::any(rng, flavor);
        let hidden_key = flavor == Flavor::MySql && table.primary.is_empty() && chance(rng, 50);
        let mut case = Case {
            before: Vec::new(),
            session: session::of_alter(rng, flavor),
            clauses: alter::clauses(rng, &table),
            writer: session::of_writer(rng, flavor),
            transactions: Vec::new(),
            pause_millis: 0,
            table,
        };
        if hidden_key {
            case.before
                .push("SET sql_generate_invisible_primary_key = 1".to_owned());
        }
        if chance(rng, 60) {
            case.transactions = workload::transactions(rng, &case.table);
            // MariaDB keeps what such a session reserved, or not, by whether the counter it is told is lower.
            if flavor == Flavor::MariaDb
                && case
                    .clauses
                    .iter()
                    .any(|clause| clause.starts_with("AUTO_INCREMENT"))
            {
                case.writer
                    .retain(|set| !set.contains("auto_increment_increment"));
            }
            case.pause_millis = if chance(rng, 50) {
                rng.random_range(1..30)
            } else {
                0
            };
        }
        case
    }

    /// As it is played.
    pub(crate) fn script(&self) -> Script {
        Script {
            table: self.before.iter().cloned().chain(self.table.setup()).collect(),
            session: self.session.clone(),
            alter: format!(
                "ALTER TABLE {} {}",
                quoted(&self.table.name),
                self.clauses.join(", ")
            ),
            writer: self.writer.clone(),
            transactions: self.transactions.clone(),
            pause_millis: self.pause_millis,
        }
    }
}

/// A case in statements only.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Script {
    /// Makes the table, with its rows.
    pub(crate) table: Vec<String>,
    /// Prepares the session of the ALTER.
    pub(crate) session: Vec<String>,
    pub(crate) alter: String,
    /// Prepares the session of the writer.
    pub(crate) writer: Vec<String>,
    pub(crate) transactions: Vec<Vec<String>>,
    pub(crate) pause_millis: u64,
}

const TABLE: &str = "-- table";
const SESSION: &str = "-- session";
const ALTER: &str = "-- alter";
const WRITER: &str = "-- writer, pausing (ms) ";
const TRANSACTION: &str = "-- transaction";

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut part = |head: &str, statements: &[String]| {
            writeln!(f, "{head}")?;
            statements
                .iter()
                .try_for_each(|statement| writeln!(f, "{statement}"))
        };
        part(TABLE, &self.table)?;
        part(SESSION, &self.session)?;
        part(ALTER, std::slice::from_ref(&self.alter))?;
        if self.transactions.is_empty() {
            return Ok(());
        }
        part(&format!("{WRITER}{}", self.pause_millis), &self.writer)?;
        self.transactions
            .iter()
            .try_for_each(|statements| part(TRANSACTION, statements))
    }
}

impl Script {
    /// Reads what was printed. Each statement is one line; lines that begin with `#` are for readers.
    pub(crate) fn parse(text: &str) -> Result<Script> {
        let mut script = Script::default();
        let mut part = "";
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if line.starts_with("-- ") {
                part = line;
                if part == TRANSACTION {
                    script.transactions.push(Vec::new());
                }
                if let Some(pause) = part.strip_prefix(WRITER) {
                    script.pause_millis = pause.parse().with_context(|| line.to_owned())?;
                }
                continue;
            }
            let statement = line.to_owned();
            match part {
                TABLE => script.table.push(statement),
                SESSION => script.session.push(statement),
                ALTER => script.alter = statement,
                TRANSACTION => script
                    .transactions
                    .last_mut()
                    .context("no transaction")?
                    .push(statement),
                _ if part.starts_with(WRITER) => script.writer.push(statement),
                _ => bail!("in no part: {line}"),
            }
        }
        Ok(script)
    }
}

#[test]
fn a_case_is_read_as_it_is_printed() -> Result<()> {
    for seed in 0..200 {
        for flavor in Flavor::ALL {
            let mut script = Case::of(seed, flavor).script();
            if script.transactions.is_empty() {
                script.writer.clear();
            }
            assert_eq!(Script::parse(&script.to_string())?, script, "{script}");
        }
    }
    Ok(())
}
