//! One client: its connection, its rows, its transactions.
//!
//! *Invariant:* `committed` is what the table holds of this client's rows, as far as the server has
//! acknowledged; `pending` is what the open transaction has changed since. A statement enters `pending` after
//! its answer, and `pending` enters `committed` after the answer to COMMIT, or at once in autocommit mode.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::WorkloadOptions;
use super::stats::Stats;
use crate::Model;
use crate::orders::{BUCKETS, Layout, Order};

/// How a client sends its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// In the text of the statement.
    Text,
    /// As parameters of a prepared statement.
    Prepared,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) number: u64,
    pub(super) conn: Conn,
    pub(super) style: Style,
    pub(super) random: StdRng,
    pub(super) layout: Layout,
    /// The buckets that belong to this client.
    pub(super) buckets: Vec<u64>,
    /// The table, quoted.
    pub(super) table: String,
    /// The ids that the server gave to this client's new rows.
    pub(super) new_ids: Vec<u64>,
    /// Makes values unique and updates later than the ones before.
    pub(super) serial: u64,
    transactions: bool,
    in_transaction: bool,
    committed: HashMap<u64, Option<Order>>,
    pending: HashMap<u64, Option<Order>>,
    changes: u64,
    highest_id: u64,
    stats: Arc<Stats>,
}

impl Client {
    pub(super) async fn connect(
        opts: Opts,
        options: &WorkloadOptions,
        number: u64,
        stats: Arc<Stats>,
    ) -> Result<Client> {
        let mut conn = Conn::new(opts).await?;
        conn.query_drop("SET time_zone = '+00:00'").await?;
        Ok(Client {
            number,
            conn,
            style: if number.is_multiple_of(2) {
                Style::Text
            } else {
                Style::Prepared
            },
            random: StdRng::seed_from_u64(options.seed.wrapping_mul(1000).wrapping_add(number)),
            layout: options.layout,
            buckets: (0..BUCKETS)
                .filter(|bucket| bucket % options.clients.clamp(1, BUCKETS) == number)
                .collect(),
            table: format!("`{}`.`{}`", options.schema, options.table),
            new_ids: Vec::new(),
            serial: 1_000_000,
            transactions: options.transactions,
            in_transaction: false,
            committed: HashMap::new(),
            pending: HashMap::new(),
            changes: 0,
            highest_id: 0,
            stats,
        })
    }

    /// Works until told to stop or until the connection is lost.
    pub(super) async fn run(mut self, stop: Arc<AtomicBool>, pause: Duration) -> Client {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = self.transaction().await {
                let seconds = std::time::SystemTime::UNIX_EPOCH
                    .elapsed()
                    .map_or(0.0, |t| t.as_secs_f64() % 60.0);
                self.stats.error(format!(
                    "client {} at second {seconds:.3}: {error:#}",
                    self.number
                ));
                if !self.give_up_transaction().await {
                    break;
                }
            }
            tokio::time::sleep(pause).await;
        }
        self
    }

    /// Tells the model what this client's rows must be.
    pub(super) fn add_to(self, model: &mut Model) {
        model.add(self.committed, self.highest_id);
    }

    async fn transaction(&mut self) -> Result<()> {
        if !self.transactions || self.random.random_bool(0.4) {
            return self.operation().await;
        }
        self.control("BEGIN").await?;
        self.in_transaction = true;
        for _ in 0..self.random.random_range(1..=4) {
            self.operation().await?;
        }
        let outcome = if self.random.random_bool(0.15) {
            "ROLLBACK"
        } else {
            "COMMIT"
        };
        self.control(outcome).await?;
        self.in_transaction = false;
        if outcome == "COMMIT" {
            self.commit_pending();
        } else {
            self.forget_pending();
        }
        Ok(())
    }

    /// After an error: whether the connection still works. What was pending is gone.
    async fn give_up_transaction(&mut self) -> bool {
        self.in_transaction = false;
        self.forget_pending();
        self.conn.query_drop("ROLLBACK").await.is_ok()
    }

    async fn control(&mut self, sql: &str) -> Result<()> {
        let started = Instant::now();
        let result = self.conn.query_drop(sql).await;
        self.stats.statement(sql, started.elapsed());
        result.with_context(|| sql.to_owned())
    }

    /// Runs a statement that must change exactly one row; after it, `rows` are as given.
    pub(super) async fn write(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        rows: impl IntoIterator<Item = (u64, Option<Order>)>,
    ) -> Result<()> {
        self.write_only(sql, values).await?;
        self.now(rows);
        Ok(())
    }

    /// Runs a statement that must change exactly one row.
    pub(super) async fn write_only(&mut self, sql: &str, values: Vec<Value>) -> Result<()> {
        let started = Instant::now();
        let result = match self.style {
            Style::Text => self.conn.query_drop(with_values(sql, &values)).await,
            Style::Prepared => self.conn.exec_drop(sql, values.clone()).await,
        };
        self.stats.statement(sql, started.elapsed());
        result.with_context(|| with_values(sql, &values))?;
        let affected = self.conn.affected_rows();
        ensure!(
            affected == 1,
            "{affected} rows affected instead of 1: {}",
            with_values(sql, &values)
        );
        Ok(())
    }

    /// Remembers that `rows` are so from now on.
    pub(super) fn now(&mut self, rows: impl IntoIterator<Item = (u64, Option<Order>)>) {
        self.pending.extend(rows);
        self.changes += 1;
        if !self.in_transaction {
            self.commit_pending();
        }
    }

    /// Runs a query whose answer is at most one row.
    pub(super) async fn read(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Vec<Value>>> {
        let started = Instant::now();
        let row: mysql_async::Result<Option<Row>> = match self.style {
            Style::Text => self.conn.query_first(with_values(sql, &values)).await,
            Style::Prepared => self.conn.exec_first(sql, values.clone()).await,
        };
        self.stats.statement(sql, started.elapsed());
        Ok(row.with_context(|| with_values(sql, &values))?.map(Row::unwrap))
    }

    /// The row with this id, as this client must see it now.
    pub(super) fn find(&self, id: u64) -> Option<Order> {
        match self.pending.get(&id).or_else(|| self.committed.get(&id)) {
            Some(known) => known.clone(),
            None => self.layout.order(id),
        }
    }

    /// Remembers an id that the server gave.
    pub(super) fn given(&mut self, id: u64) {
        self.highest_id = self.highest_id.max(id);
        self.new_ids.push(id);
    }

    fn commit_pending(&mut self) {
        self.committed.extend(self.pending.drain());
        self.stats.committed(std::mem::take(&mut self.changes));
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.changes = 0;
    }
}

/// The statement with its values in place of the question marks.
fn with_values(sql: &str, values: &[Value]) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(values) {
        text.push_str(&value.as_sql(false));
        text.push_str(part);
    }
    text
}
