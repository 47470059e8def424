//! Exact comparison of two tables: their definitions and every row.
//!
//! Rows are read in primary key order over two connections and matched by key, so that one missing row is
//! reported as one missing row. Values travel in the binary protocol and in the columns' own character sets:
//! nothing is rounded or converted before it is compared.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// How many unmatched rows are kept before the tables are called wholly different.
const UNMATCHED_LIMIT: usize = 100_000;
/// How many rows are shown.
const SAMPLES: usize = 10;

/// What two tables differ in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// Both `SHOW CREATE TABLE`s, if they differ.
    pub definitions: Option<(String, String)>,
    /// How many rows each table has.
    pub rows: (u64, u64),
    /// How many rows are only in the first table.
    pub only_in_first: u64,
    /// How many rows are only in the second table.
    pub only_in_second: u64,
    /// How many rows have the same key and other values.
    pub changed: u64,
    /// Some of the differing rows.
    pub samples: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.definitions.is_none() && self.rows_are_equal()
    }

    /// Whether every row is the same, whatever the definitions say.
    pub fn rows_are_equal(&self) -> bool {
        self.only_in_first == 0 && self.only_in_second == 0 && self.changed == 0
    }

    fn sample(&mut self, text: impl FnOnce() -> String) {
        if self.samples.len() < SAMPLES {
            self.samples.push(text());
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return write!(f, "equal ({} rows)", self.rows.0);
        }
        if let Some((first, second)) = &self.definitions {
            writeln!(f, "definitions differ:\n{first}\n--- and ---\n{second}")?;
        }
        write!(
            f,
            "{} and {} rows, {} only in the first, {} only in the second, {} changed",
            self.rows.0, self.rows.1, self.only_in_first, self.only_in_second, self.changed
        )?;
        self.samples
            .iter()
            .try_for_each(|sample| write!(f, "\n  {sample}"))
    }
}

/// Compares two tables, each given as (schema, table). Opens one more connection like `conn`.
pub async fn compare_tables(conn: &mut Conn, a: (&str, &str), b: (&str, &str)) -> Result<Difference> {
    let mut other = Conn::new(conn.opts().clone()).await?;
    let mut difference = Difference::default();
    let definitions = (definition(conn, a).await?, definition(conn, b).await?);
    if definitions.0 != definitions.1 {
        difference.definitions = Some(definitions);
    }
    let columns = columns(conn, a).await?;
    if columns != self::columns(conn, b).await? {
        ensure!(
            difference.definitions.is_some(),
            "columns differ but SHOW CREATE TABLE does not"
        );
        // Rows of other columns cannot be matched: all of them count.
        difference.rows = (count(conn, a).await?, count(conn, b).await?);
        (difference.only_in_first, difference.only_in_second) = difference.rows;
        return Ok(difference);
    }
    let key = key_columns(conn, a, &columns).await?;
    compare_rows((conn, a), (&mut other, b), &columns, &key, &mut difference).await?;
    other.disconnect().await?;
    Ok(difference)
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `SHOW CREATE TABLE` without the table's own name and schema.
async fn definition(conn: &mut Conn, (schema, table): (&str, &str)) -> Result<String> {
    let shown: Option<(String, String)> = conn
        .query_first(format!("SHOW CREATE TABLE {}.{}", quoted(schema), quoted(table)))
        .await?;
    let (_, text) = shown.with_context(|| format!("{schema}.{table} has no definition"))?;
    Ok(text
        .replacen(&format!("CREATE TABLE {}", quoted(table)), "CREATE TABLE", 1)
        .replace(&format!("{}.", quoted(schema)), ""))
}

/// All columns in order, those that `SELECT *` hides too.
async fn columns(conn: &mut Conn, (schema, table): (&str, &str)) -> Result<Vec<String>> {
    let sql = "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
               WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";
    Ok(conn.exec(sql, (schema, table)).await?)
}

async fn count(conn: &mut Conn, (schema, table): (&str, &str)) -> Result<u64> {
    Ok(conn
        .query_first(format!(
            "SELECT COUNT(*) FROM {}.{}",
            quoted(schema),
            quoted(table)
        ))
        .await?
        .unwrap_or(0))
}

/// Where the key's columns are in `columns`: the primary key, else all columns.
async fn key_columns(
    conn: &mut Conn,
    (schema, table): (&str, &str),
    columns: &[String],
) -> Result<Vec<usize>> {
    let sql = "SELECT CAST(column_name AS CHAR) FROM information_schema.statistics \
               WHERE table_schema = ? AND table_name = ? AND index_name = 'PRIMARY' ORDER BY seq_in_index";
    let names: Vec<String> = conn.exec(sql, (schema, table)).await?;
    if names.is_empty() {
        return Ok((0..columns.len()).collect());
    }
    names
        .iter()
        .map(|name| {
            columns
                .iter()
                .position(|column| column == name)
                .context("a key column is not a column")
        })
        .collect()
}

fn select(columns: &[String], key: &[usize], (schema, table): (&str, &str)) -> String {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let order: Vec<&str> = key
        .iter()
        .filter_map(|&at| names.get(at))
        .map(String::as_str)
        .collect();
    format!(
        "SELECT {} FROM {}.{} ORDER BY {}",
        names.join(", "),
        quoted(schema),
        quoted(table),
        order.join(", ")
    )
}

async fn compare_rows(
    (first, a): (&mut Conn, (&str, &str)),
    (second, b): (&mut Conn, (&str, &str)),
    columns: &[String],
    key: &[usize],
    difference: &mut Difference,
) -> Result<()> {
    prepare_session(first).await?;
    prepare_session(second).await?;
    let mut matcher = Matcher {
        key,
        first: HashMap::new(),
        second: HashMap::new(),
        difference,
    };
    let mut rows_a = first.exec_iter(select(columns, key, a), ()).await?;
    let mut rows_b = second.exec_iter(select(columns, key, b), ()).await?;
    loop {
        let (row_a, row_b) = (rows_a.next().await?, rows_b.next().await?);
        if row_a.is_none() && row_b.is_none() {
            break;
        }
        matcher.step(row_a.map(Row::unwrap), row_b.map(Row::unwrap))?;
    }
    matcher.finish();
    drop((rows_a, rows_b));
    first.query_drop("SET NAMES utf8mb4").await?;
    Ok(())
}

async fn prepare_session(conn: &mut Conn) -> Result<()> {
    conn.query_drop("SET character_set_results = NULL, time_zone = '+00:00'")
        .await?;
    Ok(())
}

/// Rows that have not met their counterpart yet. In equal tables there never is one.
struct Matcher<'a> {
    key: &'a [usize],
    first: HashMap<String, Vec<Value>>,
    second: HashMap<String, Vec<Value>>,
    difference: &'a mut Difference,
}

impl Matcher<'_> {
    fn step(&mut self, a: Option<Vec<Value>>, b: Option<Vec<Value>>) -> Result<()> {
        self.difference.rows.0 += u64::from(a.is_some());
        self.difference.rows.1 += u64::from(b.is_some());
        if a == b {
            return Ok(());
        }
        if let Some(a) = a {
            let key = self.key_of(&a);
            match self.second.remove(&key) {
                Some(b) => self.settle(&key, &a, &b),
                None => drop(self.first.insert(key, a)),
            }
        }
        if let Some(b) = b {
            let key = self.key_of(&b);
            match self.first.remove(&key) {
                Some(a) => self.settle(&key, &a, &b),
                None => drop(self.second.insert(key, b)),
            }
        }
        if self.first.len() + self.second.len() > UNMATCHED_LIMIT {
            bail!(
                "more than {UNMATCHED_LIMIT} rows have no counterpart, such as {:?}",
                self.first.values().next()
            );
        }
        Ok(())
    }

    fn key_of(&self, row: &[Value]) -> String {
        let cells: Vec<&Value> = self.key.iter().filter_map(|&at| row.get(at)).collect();
        format!("{cells:?}")
    }

    fn settle(&mut self, key: &str, a: &[Value], b: &[Value]) {
        if a != b {
            self.difference.changed += 1;
            self.difference
                .sample(|| format!("changed {key}: {a:?} and {b:?}"));
        }
    }

    fn finish(self) {
        let difference = self.difference;
        difference.only_in_first += self.first.len() as u64;
        difference.only_in_second += self.second.len() as u64;
        for row in self.first.values() {
            difference.sample(|| format!("only in the first: {row:?}"));
        }
        for row in self.second.values() {
            difference.sample(|| format!("only in the second: {row:?}"));
        }
    }
}
