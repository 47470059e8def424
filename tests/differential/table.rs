//! A table with its rows.

use alterego_testkit::Flavor;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::column::Column;
use crate::data_type::DataType;
use crate::keys::{self, Key};
use crate::literal::{chance, one};
use crate::names::{name, quoted};

const COLUMNS_MAX: usize = 8;
/// Rows of one INSERT.
const ROWS_AT_ONCE: usize = 100;

/// A generated table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) flavor: Flavor,
    /// Unquoted.
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Names of the primary key's columns, quoted; empty for none.
    pub(crate) primary: Vec<String>,
    pub(crate) keys: Vec<Key>,
    pub(crate) options: Vec<String>,
    /// A literal for each column that takes values.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn any(rng: &mut StdRng, flavor: Flavor) -> Table {
        let mut table = Table {
            flavor,
            name: if chance(rng, 75) {
                "t".to_owned()
            } else {
                name(rng, "t", 0)
            },
            columns: Vec::new(),
            primary: Vec::new(),
            keys: Vec::new(),
            options: options(rng),
            rows: Vec::new(),
        };
        table.put_primary_key(rng);
        for number in 0..rng.random_range(1..=COLUMNS_MAX) {
            let name = name(rng, "c", number);
            let column = Column::any(rng, flavor, name, &table.columns);
            let place = match rng.random_range(0..8) {
                0 if column.generated.is_none() => 0,
                _ => table.columns.len(),
            };
            table.columns.insert(place, column);
        }
        table.put_keys(rng);
        table.put_rows(rng);
        table
    }

    fn put_primary_key(&mut self, rng: &mut StdRng) {
        let mut key = |column: Column| {
            self.primary.push(quoted(&column.name));
            self.columns.push(column);
        };
        match rng.random_range(0..20) {
            // None; a unique key of NOT NULL columns may do.
            0 => {
                let column = Column::key("k1".to_owned(), DataType::for_key(rng));
                self.keys.push(Key {
                    name: "instead".to_owned(),
                    definition: format!("UNIQUE KEY instead ({})", quoted(&column.name)),
                    is_check: false,
                });
                self.columns.push(column);
            }
            1..9 => {
                let data_type = DataType::Int {
                    bytes: one(rng, &[2, 3, 4, 4, 4, 8]),
                    unsigned: chance(rng, 40),
                };
                let name = name(rng, "id", 0);
                key(Column {
                    auto_increment: true,
                    ..Column::key(name, data_type)
                });
            }
            9..16 => {
                let data_type = DataType::for_key(rng);
                key(Column::key(name(rng, "k", 1), data_type));
            }
            _ => {
                let types = [DataType::for_key(rng), DataType::for_key(rng)];
                for (number, data_type) in types.into_iter().enumerate() {
                    key(Column::key(name(rng, "k", number), data_type));
                }
            }
        }
    }

    fn put_keys(&mut self, rng: &mut StdRng) {
        for number in 0..rng.random_range(0..=3) {
            let name = name(rng, "i", number);
            let unique = chance(rng, 40);
            let key = match chance(rng, 20) {
                true => keys::check(rng, self.flavor, &name, &self.columns),
                false => keys::index(rng, &name, &self.columns, unique),
            };
            self.keys.extend(key);
        }
    }

    fn put_rows(&mut self, rng: &mut StdRng) {
        let count = match rng.random_range(0..12) {
            0 => 0,
            1 => 1,
            2..6 => rng.random_range(2..20),
            11 => rng.random_range(300..1200),
            _ => rng.random_range(20..200),
        };
        for n in 0..count {
            let row = self.row(rng, n);
            self.rows.push(row);
        }
    }

    /// The literals of row `n`.
    pub(crate) fn row(&self, rng: &mut StdRng, n: u64) -> Vec<String> {
        let columns = self.columns.iter().filter(|column| column.takes_values());
        let value = |column: &Column| {
            let is_key = self.primary.contains(&quoted(&column.name)) || column.name == "k1";
            match is_key {
                true if column.auto_increment && chance(rng, 60) => "NULL".to_owned(),
                true if column.auto_increment => (n + 1).to_string(),
                true => column.data_type.nth(n),
                // Unique keys of ordinary columns are not to refuse nearly all rows.
                false if chance(rng, 40) => column.data_type.nth(n),
                false => column.value(rng),
            }
        };
        columns.map(value).collect()
    }

    /// The statements that make it.
    pub(crate) fn setup(&self) -> Vec<String> {
        let mut statements = vec![self.create()];
        for rows in self.rows.chunks(ROWS_AT_ONCE) {
            let rows: Vec<String> = rows.iter().map(|row| format!("({})", row.join(","))).collect();
            statements.push(format!(
                "INSERT IGNORE INTO {} ({}) VALUES {}",
                quoted(&self.name),
                self.column_list(),
                rows.join(",")
            ));
        }
        statements
    }

    /// The columns that take values, quoted.
    pub(crate) fn column_list(&self) -> String {
        let names = self.columns.iter().filter(|column| column.takes_values());
        names
            .map(|column| quoted(&column.name))
            .collect::<Vec<_>>()
            .join(",")
    }

    fn create(&self) -> String {
        let columns = self
            .columns
            .iter()
            .map(|column| format!("{} {}", quoted(&column.name), column.definition()));
        let primary = (!self.primary.is_empty()).then(|| format!("PRIMARY KEY ({})", self.primary.join(",")));
        let keys = self.keys.iter().map(|key| key.definition.clone());
        let parts: Vec<String> = columns.chain(primary).chain(keys).collect();
        format!(
            "CREATE TABLE {} ({}) {}",
            quoted(&self.name),
            parts.join(", "),
            self.options.join(" ")
        )
        .trim_end()
        .to_owned()
    }
}

fn options(rng: &mut StdRng) -> Vec<String> {
    let mut options = vec!["ENGINE=InnoDB".to_owned()];
    if chance(rng, 60) {
        let default = one(
            rng,
            &[
                "utf8mb4",
                "latin1",
                "utf8mb4 COLLATE utf8mb4_general_ci",
                "utf8mb4 COLLATE utf8mb4_bin",
                "utf8mb3",
                "gbk",
            ],
        );
        options.push(format!("DEFAULT CHARSET={default}"));
    }
    let more = [
        "ROW_FORMAT=COMPACT",
        "ROW_FORMAT=DYNAMIC",
        "COMMENT='a ''table''; x'",
        "AUTO_INCREMENT=1000",
        "STATS_PERSISTENT=0",
        "KEY_BLOCK_SIZE=0",
    ];
    for option in more {
        if chance(rng, 8) {
            options.push(option.to_owned());
        }
    }
    options
}
