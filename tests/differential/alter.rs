//! An ALTER of one to four clauses.

use alterego_testkit::Flavor;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::column::{Column, default_value};
use crate::data_type::CharSet;
use crate::keys;
use crate::literal::{chance, one};
use crate::names::{name, other_case, quoted};
use crate::table::Table;

const CLAUSES_MAX: usize = 4;

/// The clauses of an ALTER of the table. Most of them make sense; the server says what does not.
pub(crate) fn clauses(rng: &mut StdRng, table: &Table) -> Vec<String> {
    let mut maker = Maker {
        table,
        used: Vec::new(),
        number: 0,
    };
    let mut clauses = Vec::new();
    let wanted = one(rng, &[1, 1, 1, 2, 2, 3, CLAUSES_MAX]);
    while clauses.len() < wanted {
        maker.put(rng, &mut clauses);
    }
    clauses
}

struct Maker<'a> {
    table: &'a Table,
    /// Columns some clause speaks of: another that does would often be refused.
    used: Vec<String>,
    number: usize,
}

impl Maker<'_> {
    fn put(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        self.number += 1;
        match rng.random_range(0..40) {
            0..5 => self.put_add(rng, out),
            5..7 => self.put_drop(rng, out),
            7..15 => self.put_modify(rng, out),
            15..18 => self.put_change(rng, out),
            18..20 => self.put_rename(rng, out),
            20 => self.put_swap(rng, out),
            21 => self.put_replace(rng, out),
            22..24 => self.put_default(rng, out),
            24..28 => self.put_add_key(rng, out),
            28..30 => self.put_drop_key(rng, out),
            30 => self.put_primary_key(rng, out),
            31..33 => self.put_convert(rng, out),
            33 => self.put_generated(rng, out),
            34 => self.put_visibility(rng, out),
            _ => out.push(self.option(rng)),
        }
    }

    fn fresh(&mut self, rng: &mut StdRng) -> String {
        self.number += 1;
        name(rng, "n", 100 + self.number)
    }

    /// A column no clause has spoken of yet, most of the time.
    fn column(&mut self, rng: &mut StdRng) -> Option<Column> {
        for _ in 0..10 {
            let column = self.table.columns.choose(rng)?;
            if !self.used.contains(&column.name) || chance(rng, 5) {
                // A key that is changed is mostly left to the server.
                if self.table.primary.contains(&quoted(&column.name)) && chance(rng, 75) {
                    continue;
                }
                self.used.push(column.name.clone());
                return Some(column.clone());
            }
        }
        None
    }

    fn place(&self, rng: &mut StdRng) -> String {
        match rng.random_range(0..10) {
            0 => " FIRST".to_owned(),
            1 | 2 => match self.table.columns.choose(rng) {
                Some(column) if !self.used.contains(&column.name) => {
                    format!(" AFTER {}", quoted(&column.name))
                }
                _ => String::new(),
            },
            _ => String::new(),
        }
    }

    fn put_add(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let name = self.fresh(rng);
        let column = Column::any(rng, self.table.flavor, name, &self.table.columns);
        let place = self.place(rng);
        out.push(format!(
            "ADD COLUMN {} {}{place}",
            quoted(&column.name),
            column.definition()
        ));
    }

    fn put_drop(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        if let Some(column) = self.column(rng) {
            out.push(format!("DROP COLUMN {}", quoted(&column.name)));
        }
    }

    /// The column with another type, and another nullability now and then.
    fn redefined(&self, rng: &mut StdRng, column: &Column) -> Column {
        let mut new = match chance(rng, 75) {
            true => column.data_type.related(rng),
            false => column.data_type.clone(),
        };
        if column.auto_increment && !matches!(new, crate::data_type::DataType::Int { .. }) {
            new = column.data_type.clone();
        }
        let mut redefined = Column::of(rng, self.table.flavor, column.name.clone(), new);
        redefined.nullable = if chance(rng, 80) {
            column.nullable
        } else {
            !column.nullable
        };
        redefined.auto_increment = column.auto_increment;
        if column.auto_increment || !redefined.nullable && redefined.attributes.contains("NULL") {
            redefined.attributes = String::new();
        }
        redefined
    }

    fn put_modify(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let Some(column) = self.column(rng) else { return };
        let new = self.redefined(rng, &column);
        let place = self.place(rng);
        let word = if chance(rng, 10) {
            "MODIFY COLUMN"
        } else {
            "MODIFY"
        };
        out.push(format!(
            "{word} {} {}{place}",
            quoted(&column.name),
            new.definition()
        ));
    }

    fn put_change(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let Some(column) = self.column(rng) else { return };
        let new = match chance(rng, 40) {
            true => column.clone(),
            false => self.redefined(rng, &column),
        };
        let to = match rng.random_range(0..4) {
            0 => other_case(&column.name),
            1 => column.name.clone(),
            _ => self.fresh(rng),
        };
        let place = self.place(rng);
        out.push(format!(
            "CHANGE {} {} {}{place}",
            quoted(&column.name),
            quoted(&to),
            new.definition()
        ));
    }

    fn put_rename(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let Some(column) = self.column(rng) else { return };
        let to = if chance(rng, 25) {
            other_case(&column.name)
        } else {
            self.fresh(rng)
        };
        out.push(format!(
            "RENAME COLUMN {} TO {}",
            quoted(&column.name),
            quoted(&to)
        ));
    }

    fn put_swap(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let (Some(one), Some(other)) = (self.column(rng), self.column(rng)) else {
            return;
        };
        if one.name == other.name {
            return;
        }
        let (one_name, other_name) = (quoted(&one.name), quoted(&other.name));
        if chance(rng, 50) {
            out.push(format!("RENAME COLUMN {one_name} TO {other_name}"));
            out.push(format!("RENAME COLUMN {other_name} TO {one_name}"));
        } else {
            out.push(format!("CHANGE {one_name} {other_name} {}", one.definition()));
            out.push(format!("CHANGE {other_name} {one_name} {}", other.definition()));
        }
    }

    fn put_replace(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let Some(column) = self.column(rng) else { return };
        let new = Column::any(rng, self.table.flavor, column.name.clone(), &[]);
        out.push(format!("DROP COLUMN {}", quoted(&column.name)));
        out.push(format!(
            "ADD COLUMN {} {}",
            quoted(&column.name),
            new.definition()
        ));
    }

    fn put_default(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let Some(column) = self.column(rng) else { return };
        let name = quoted(&column.name);
        match default_value(&column.data_type).filter(|_| chance(rng, 65)) {
            Some(value) => out.push(format!("ALTER COLUMN {name} SET DEFAULT {value}")),
            None => out.push(format!("ALTER COLUMN {name} DROP DEFAULT")),
        }
    }

    fn put_add_key(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let name = self.fresh(rng);
        let (table, unique) = (self.table, chance(rng, 45));
        let key = match chance(rng, 25) {
            true => keys::check(rng, table.flavor, &name, &table.columns),
            false => keys::index(rng, &name, &table.columns, unique),
        };
        out.extend(key.map(|key| format!("ADD {}", key.definition)));
    }

    fn put_drop_key(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let Some(key) = self.table.keys.choose(rng) else {
            return;
        };
        let name = quoted(&key.name);
        let new = self.fresh(rng);
        match (key.is_check, rng.random_range(0..3)) {
            (true, _) => out.push(format!("DROP CONSTRAINT {name}")),
            (false, 0) => out.push(format!("RENAME INDEX {name} TO {}", quoted(&new))),
            (false, _) => out.push(format!("DROP INDEX {name}")),
        }
    }

    fn put_primary_key(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        if self.table.primary.is_empty() {
            return;
        }
        let mut parts = self.table.primary.clone();
        match rng.random_range(0..3) {
            0 => parts.reverse(),
            _ => {
                let can: Vec<&Column> = self
                    .table
                    .columns
                    .iter()
                    .filter(|column| column.data_type.is_plain())
                    .collect();
                if let Some(column) = can.choose(rng)
                    && !parts.contains(&quoted(&column.name))
                {
                    parts.push(quoted(&column.name));
                }
            }
        }
        out.push("DROP PRIMARY KEY".to_owned());
        out.push(format!("ADD PRIMARY KEY ({})", parts.join(",")));
    }

    fn put_convert(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let set = CharSet::named(rng);
        let collation = if chance(rng, 50) {
            format!(" COLLATE {}", set.collation)
        } else {
            String::new()
        };
        let set = if chance(rng, 40) { "utf8mb4" } else { set.name };
        let collation = if collation.contains(set) {
            collation
        } else {
            String::new()
        };
        out.push(match chance(rng, 75) {
            true => format!("CONVERT TO CHARACTER SET {set}{collation}"),
            false => format!("DEFAULT CHARACTER SET {set}{collation}"),
        });
    }

    /// A generated column becomes a plain one, or a plain one generated, or computed otherwise.
    fn put_generated(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        let Some(column) = self.column(rng) else { return };
        let mut new = column.clone();
        new.generated = match column.generated {
            Some(_) => None,
            None => {
                let others: Vec<Column> = self
                    .table
                    .columns
                    .iter()
                    .filter(|other| other.name != column.name)
                    .cloned()
                    .collect();
                match Column::generated(rng, &column.name, &others) {
                    Some(generated) => {
                        new = generated.clone();
                        generated.generated
                    }
                    None => return,
                }
            }
        };
        out.push(format!("MODIFY {} {}", quoted(&column.name), new.definition()));
    }

    fn put_visibility(&mut self, rng: &mut StdRng, out: &mut Vec<String>) {
        if self.table.flavor == Flavor::MySql
            && let Some(column) = self.column(rng).filter(|_| chance(rng, 50))
        {
            let word = one(rng, &["VISIBLE", "INVISIBLE"]);
            out.push(format!("ALTER COLUMN {} SET {word}", quoted(&column.name)));
            return;
        }
        let Some(key) = self.table.keys.choose(rng) else {
            return;
        };
        let word = match self.table.flavor {
            Flavor::MySql => "INVISIBLE",
            Flavor::MariaDb => "IGNORED",
        };
        out.push(format!("ALTER INDEX {} {word}", quoted(&key.name)));
    }

    fn option(&self, rng: &mut StdRng) -> String {
        (one(
            rng,
            &[
                "ENGINE=InnoDB",
                "FORCE",
                "ROW_FORMAT=DYNAMIC",
                "ROW_FORMAT=COMPACT",
                "COMMENT='new; ''comment'''",
                "AUTO_INCREMENT=5000",
                "AUTO_INCREMENT=1",
                "STATS_PERSISTENT=1",
            ],
        ))
        .to_owned()
    }
}
