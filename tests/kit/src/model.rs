//! What `orders` must hold: computed from what the clients did, never from the table.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use crate::orders::{COLUMNS, Layout, Order, same};

const SAMPLES: usize = 10;

/// The expected rows: those that follow from the layout, except where a client changed them.
#[derive(Clone, Debug)]
pub struct Model {
    layout: Layout,
    /// The rows that were touched; `None` if there is no such row now.
    touched: BTreeMap<u64, Option<Order>>,
    /// The highest id that the server is known to have given out.
    highest_id: u64,
}

impl Model {
    pub(crate) fn new(layout: Layout) -> Model {
        Model {
            layout,
            touched: BTreeMap::new(),
            highest_id: layout.highest_id(),
        }
    }

    /// Adds what one client did to the rows that belong to it.
    pub(crate) fn add(&mut self, touched: impl IntoIterator<Item = (u64, Option<Order>)>, highest_id: u64) {
        self.touched.extend(touched);
        self.highest_id = self.highest_id.max(highest_id);
    }

    /// The highest id ever given out: `AUTO_INCREMENT` must be above it.
    pub fn highest_id(&self) -> u64 {
        self.highest_id
    }

    /// How many rows differ from the first ones.
    pub fn touched_rows(&self) -> usize {
        self.touched.len()
    }

    /// The expected rows, by id.
    pub fn orders(&self) -> impl Iterator<Item = Order> + '_ {
        let last = self
            .touched
            .keys()
            .next_back()
            .map_or(0, |&id| id)
            .max(self.layout.highest_id());
        (1..=last).filter_map(|id| match self.touched.get(&id) {
            Some(touched) => touched.clone(),
            None => self.layout.order(id),
        })
    }

    /// Compares every row with the table, and in each row also `extra`: columns that the table got since, and
    /// the value that all rows have in them.
    pub async fn compare(
        &self,
        conn: &mut Conn,
        (schema, table): (&str, &str),
        extra: &[(&str, Value)],
    ) -> Result<ModelDifference> {
        conn.query_drop("SET NAMES utf8mb4, time_zone = '+00:00'").await?;
        let columns: Vec<&str> = COLUMNS
            .into_iter()
            .chain(extra.iter().map(|(name, _)| *name))
            .collect();
        let sql = format!(
            "SELECT {} FROM `{schema}`.`{table}` ORDER BY id",
            columns.join(", ")
        );
        let mut difference = ModelDifference::default();
        let mut expected = self.orders().peekable();
        let mut rows = conn.exec_iter(sql, ()).await?;
        while let Some(row) = rows.next().await? {
            difference.rows += 1;
            let found = Row::unwrap(row);
            let id = found.first().cloned();
            while let Some(missing) =
                expected.next_if(|order| id.as_ref().is_some_and(|id| is_above(id, order.id)))
            {
                difference.missing += 1;
                difference.sample(|| format!("missing: {missing:?}"));
            }
            match expected.next_if(|order| id.as_ref().is_some_and(|id| same(id, &Value::UInt(order.id)))) {
                Some(order) => difference.check(&found, &order, extra),
                None => {
                    difference.unexpected += 1;
                    difference.sample(|| format!("unexpected: {found:?}"));
                }
            }
        }
        for missing in expected {
            difference.missing += 1;
            difference.sample(|| format!("missing: {missing:?}"));
        }
        Ok(difference)
    }
}

fn is_above(found: &Value, id: u64) -> bool {
    match found {
        Value::UInt(found) => *found > id,
        Value::Int(found) => u64::try_from(*found).is_ok_and(|found| found > id),
        _ => false,
    }
}

/// What a table and a model differ in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelDifference {
    /// How many rows the table has.
    pub rows: u64,
    /// Rows that the table should have and has not.
    pub missing: u64,
    /// Rows that the table has and should not.
    pub unexpected: u64,
    /// Rows that have other values than they should.
    pub changed: u64,
    /// Some of the differing rows.
    pub samples: Vec<String>,
}

impl ModelDifference {
    /// Whether the table is exactly as expected.
    pub fn is_none(&self) -> bool {
        self.missing == 0 && self.unexpected == 0 && self.changed == 0
    }

    fn check(&mut self, found: &[Value], order: &Order, extra: &[(&str, Value)]) {
        let expected = order
            .values()
            .into_iter()
            .chain(extra.iter().map(|(_, value)| value.clone()));
        let wrong: Vec<String> = found
            .iter()
            .zip(expected)
            .enumerate()
            .filter(|(_, (found, expected))| !same(found, expected))
            .map(|(at, (found, expected))| format!("column {} is {found:?}, not {expected:?}", at + 1))
            .collect();
        if !wrong.is_empty() {
            self.changed += 1;
            self.sample(|| format!("row {}: {}", order.id, wrong.join("; ")));
        }
    }

    fn sample(&mut self, text: impl FnOnce() -> String) {
        if self.samples.len() < SAMPLES {
            self.samples.push(text());
        }
    }
}

impl fmt::Display for ModelDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return write!(f, "equal ({} rows)", self.rows);
        }
        write!(
            f,
            "{} rows, {} missing, {} unexpected, {} changed",
            self.rows, self.missing, self.unexpected, self.changed
        )?;
        self.samples
            .iter()
            .try_for_each(|sample| write!(f, "\n  {sample}"))
    }
}
