//! Transactions of one client that writes while the table is altered.
//!
//! Statements touch rows one by one or in the order of the key, and compute nothing that depends on the moment: played
//! again one by one they do the same.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::column::Column;
use crate::literal::{chance, one};
use crate::names::quoted;
use crate::table::Table;

const TRANSACTIONS_MAX: usize = 40;
/// Numbers of new rows begin here.
const NEW_ROWS: u64 = 2000;

/// The transactions; one of a single statement has no BEGIN.
pub(crate) fn transactions(rng: &mut StdRng, table: &Table) -> Vec<Vec<String>> {
    let mut maker = Maker {
        table,
        new_rows: NEW_ROWS,
    };
    (0..rng.random_range(1..=TRANSACTIONS_MAX))
        .map(|_| maker.transaction(rng))
        .collect()
}

struct Maker<'a> {
    table: &'a Table,
    new_rows: u64,
}

impl Maker<'_> {
    fn transaction(&mut self, rng: &mut StdRng) -> Vec<String> {
        if chance(rng, 55) {
            return vec![self.statement(rng)];
        }
        let mut statements = vec![
            (one(
                rng,
                &[
                    "BEGIN",
                    "START TRANSACTION",
                    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
                ],
            ))
            .to_owned(),
        ];
        for _ in 0..rng.random_range(1..5) {
            if chance(rng, 12) {
                statements.push("SAVEPOINT s".to_owned());
                statements.push(self.statement(rng));
                statements.push((one(rng, &["ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"])).to_owned());
            } else {
                statements.push(self.statement(rng));
            }
        }
        statements.push((if chance(rng, 80) { "COMMIT" } else { "ROLLBACK" }).to_owned());
        statements
    }

    fn statement(&mut self, rng: &mut StdRng) -> String {
        let name = quoted(&self.table.name);
        match rng.random_range(0..20) {
            0..4 => self.insert(rng, "INSERT", ""),
            4 => self.insert(rng, "INSERT IGNORE", ""),
            5 | 6 => self.insert(rng, "REPLACE", ""),
            7 | 8 => {
                let set = self.assignment(rng);
                self.insert(rng, "INSERT", &format!(" ON DUPLICATE KEY UPDATE {set}"))
            }
            9..14 => format!(
                "UPDATE {name} SET {} WHERE {}",
                self.assignments(rng),
                self.some_row(rng)
            ),
            14 => format!(
                "UPDATE {name} SET {} ORDER BY {} LIMIT 5",
                self.assignments(rng),
                self.order()
            ),
            15 => self.move_key(rng),
            16 => self.swap(rng),
            17 => format!("DELETE FROM {name} ORDER BY {} LIMIT 2", self.order()),
            _ => format!("DELETE FROM {name} WHERE {}", self.some_row(rng)),
        }
    }

    /// Of a row that is new, or of one that is there.
    fn some_number(&mut self, rng: &mut StdRng) -> u64 {
        match rng.random_range(0..3) {
            0 => NEW_ROWS + rng.random_range(0..20),
            _ => rng.random_range(0..self.table.rows.len().max(3) as u64),
        }
    }

    fn insert(&mut self, rng: &mut StdRng, verb: &str, tail: &str) -> String {
        let mut rows = Vec::new();
        for _ in 0..one(rng, &[1, 1, 1, 2, 4]) {
            let number = match chance(rng, 60) {
                true => {
                    self.new_rows += 1;
                    self.new_rows
                }
                false => self.some_number(rng),
            };
            rows.push(format!("({})", self.table.row(rng, number).join(",")));
        }
        let (name, columns) = (quoted(&self.table.name), self.table.column_list());
        format!("{verb} INTO {name} ({columns}) VALUES {}{tail}", rows.join(","))
    }

    fn plain_column<'b>(&self, rng: &mut StdRng, table: &'b Table) -> Option<&'b Column> {
        let plain: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| column.takes_values() && !table.primary.contains(&quoted(&column.name)))
            .collect();
        plain.choose(rng).copied()
    }

    fn assignment(&mut self, rng: &mut StdRng) -> String {
        let Some(column) = self.plain_column(rng, self.table) else {
            let name = quoted(&self.table.columns[0].name);
            return format!("{name} = {name}");
        };
        let number = self.some_number(rng);
        let value = if chance(rng, 30) {
            column.data_type.nth(number)
        } else {
            column.value(rng)
        };
        format!("{} = {value}", quoted(&column.name))
    }

    fn assignments(&mut self, rng: &mut StdRng) -> String {
        let one = self.assignment(rng);
        if chance(rng, 25) {
            return format!("{one}, {}", self.assignment(rng));
        }
        one
    }

    fn key_columns(&self) -> Vec<&Column> {
        let is_key =
            |column: &&Column| self.table.primary.contains(&quoted(&column.name)) || column.name == "k1";
        let mut columns: Vec<&Column> = self.table.columns.iter().filter(is_key).collect();
        if columns.is_empty() {
            columns.extend(self.table.columns.first());
        }
        columns
    }

    fn order(&self) -> String {
        self.key_columns()
            .iter()
            .map(|column| quoted(&column.name))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn key_values(&self, number: u64) -> Vec<(String, String)> {
        let value = |column: &&Column| match column.auto_increment {
            true => (number + 1).to_string(),
            false => column.data_type.nth(number),
        };
        self.key_columns()
            .iter()
            .map(|column| (quoted(&column.name), value(column)))
            .collect()
    }

    fn row_of(&self, number: u64) -> String {
        let terms = self
            .key_values(number)
            .into_iter()
            .map(|(name, value)| format!("{name} = {value}"));
        terms.collect::<Vec<_>>().join(" AND ")
    }

    fn some_row(&mut self, rng: &mut StdRng) -> String {
        let number = self.some_number(rng);
        if chance(rng, 8) {
            return format!(
                "{} ORDER BY {} LIMIT 3",
                self.row_of(number).replace(" = ", " >= "),
                self.order()
            );
        }
        self.row_of(number)
    }

    fn move_key(&mut self, rng: &mut StdRng) -> String {
        let (from, to) = (self.some_number(rng), self.some_number(rng));
        let set = self
            .key_values(to)
            .into_iter()
            .map(|(name, value)| format!("{name} = {value}"));
        let set = set.collect::<Vec<_>>().join(", ");
        format!(
            "UPDATE {} SET {set} WHERE {}",
            quoted(&self.table.name),
            self.row_of(from)
        )
    }

    /// Two rows get each other's value.
    fn swap(&mut self, rng: &mut StdRng) -> String {
        let (one, other) = (self.some_number(rng), self.some_number(rng));
        let Some(column) = self.plain_column(rng, self.table) else {
            return self.move_key(rng);
        };
        format!(
            "UPDATE {} SET {} = CASE WHEN {} THEN {} ELSE {} END WHERE ({}) OR ({})",
            quoted(&self.table.name),
            quoted(&column.name),
            self.row_of(one),
            column.data_type.nth(other),
            column.data_type.nth(one),
            self.row_of(one),
            self.row_of(other),
        )
    }
}
