//! A source, a ghost, and everything between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alterego_engine::applier::{self, ApplierHandle};
use alterego_engine::binlog::StreamItem;
use alterego_engine::checkpoint::{Frontier, Ledger};
use alterego_engine::chunk::SizeLimits;
use alterego_engine::counters::Counters;
use alterego_engine::key::{Key, KeyColumn, KeyKind, KeyValue};
use alterego_engine::mapping::{MappedColumn, Mapping};
use alterego_engine::plan::Plan;
use alterego_engine::position::Position;
use alterego_engine::reconcile::Turns;
use alterego_engine::row_copy::{self, CopyReport, RowCopy, Watermark};
use alterego_engine::session::{SessionSettings, Upstream};
use alterego_engine::table::{ChosenKey, Table, UniqueKey, UniqueKeyPart};
use alterego_engine::throttle::Share;
use alterego_engine::{Ident, Result, TableName, names};
use alterego_testkit::{Flavor, Options, Server};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::{Mutex, mpsc, watch};

/// What a strict session of an ordinary client has.
pub(crate) const STRICT: &str = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION";

/// A table to be changed. The key is `id INT` or, if `composite`, `(id INT, part VARCHAR(20))`.
pub(crate) struct Case<'a> {
    pub(crate) schema: &'a str,
    pub(crate) source: &'a str,
    pub(crate) ghost: &'a str,
    pub(crate) new_unique: Option<&'a str>,
    pub(crate) sql_mode: &'a str,
}

pub(crate) struct Fixture {
    pub(crate) plan: Arc<Plan>,
    pub(crate) upstream: Upstream,
    pub(crate) counters: Arc<Counters>,
}

/// The binary log, as the test plays it.
#[derive(Clone)]
pub(crate) struct Log {
    items: Arc<Mutex<mpsc::Sender<StreamItem>>>,
    offset: Arc<AtomicU64>,
    watermark: Watermark,
}

pub(crate) async fn server(flavor: Flavor) -> anyhow::Result<Server> {
    Server::start(flavor, &Options::relaxed()).await
}

pub(crate) fn int(n: i64) -> Key {
    Key(vec![KeyValue::Int(n)])
}

pub(crate) fn position(offset: u64) -> Position {
    Position {
        server: "test".to_owned(),
        file: "log.000001".to_owned(),
        offset,
        gtids: None,
    }
}

impl Fixture {
    pub(crate) async fn new(server: &Server, case: Case<'_>) -> anyhow::Result<Self> {
        let source = TableName::new(case.schema, "t");
        let ghost = names::ghost(&source);
        let mut root = server.root().await?;
        for (table, body) in [(&source, case.source), (&ghost, case.ghost)] {
            root.query_drop(format!("CREATE DATABASE {}", table.schema))
                .await?;
            root.query_drop(format!("CREATE TABLE {table} ({body})")).await?;
        }
        let columns = columns_of(&mut root, &ghost).await?;
        let mapping = columns
            .into_iter()
            .map(|name| MappedColumn {
                source: Ident::new(name.clone()),
                ghost: Ident::new(name),
            })
            .collect();
        let upstream = Upstream::reach(server.root_opts()).await?;
        let mut control = upstream.control().await?;
        let (source, ghost) = (
            Table::load(&mut control, &source).await?,
            Table::load(&mut control, &ghost).await?,
        );
        let unique = |column: &str| UniqueKey {
            name: Ident::new(column),
            columns: vec![UniqueKeyPart {
                column: Some(Ident::new(column)),
                prefix: None,
            }],
        };
        let turns = Turns::for_ghost(&mut control, &ghost).await?;
        let plan = Plan {
            source,
            ghost,
            key: ChosenKey {
                index: Ident::new("PRIMARY"),
                columns: vec![KeyColumn {
                    name: Ident::new("id"),
                    ordinal: 0,
                    kind: KeyKind::Int {
                        unsigned: false,
                        bytes: 4,
                    },
                    charset: None,
                }],
            },
            ghost_key: vec![Ident::new("id")],
            ghost_index: Ident::new("PRIMARY"),
            mapping: Mapping {
                columns: mapping,
                ..Mapping::default()
            },
            new_unique_keys: case.new_unique.map(unique).into_iter().collect(),
            settings: SessionSettings {
                sql_mode: case.sql_mode.to_owned(),
                time_zone: "+00:00".to_owned(),
                character_set_client: "utf8mb4".to_owned(),
                collation_connection: "utf8mb4_general_ci".to_owned(),
                foreign_key_checks: true,
            },
            time_zone: "+00:00".to_owned(),
            native_copies: true,
            counter: None,
            turns,
            definition_warnings: Vec::new(),
        };
        Ok(Self {
            plan: Arc::new(plan),
            upstream,
            counters: Arc::default(),
        })
    }

    pub(crate) fn ledger(&self, start: Frontier) -> Ledger {
        Ledger::start(&self.plan, start, Some(position(0)))
    }

    pub(crate) fn applier(&self, ledger: &Ledger) -> (ApplierHandle, Log) {
        let (items, stream) = mpsc::channel(1000);
        let handle = applier::start(
            self.plan.clone(),
            self.upstream.clone(),
            stream,
            applier::Options::default(),
            ledger.clone(),
            self.counters.clone(),
        );
        let log = Log {
            items: Arc::new(Mutex::new(items)),
            offset: Arc::default(),
            watermark: ledger.watermark(),
        };
        (handle, log)
    }

    /// Copies with chunks of up to `rows_max` rows.
    pub(crate) async fn copy(&self, ledger: &Ledger, workers: usize, rows_max: u64) -> Result<CopyReport> {
        let (_throttle, throttle) = watch::channel(None);
        let (_cancel, cancel) = watch::channel(false);
        self.copy_with(ledger, workers, rows_max, throttle, cancel).await
    }

    pub(crate) async fn copy_with(
        &self,
        ledger: &Ledger,
        workers: usize,
        rows_max: u64,
        throttle: watch::Receiver<Option<String>>,
        cancel: watch::Receiver<bool>,
    ) -> Result<CopyReport> {
        let limits = SizeLimits {
            rows_first: rows_max.min(1000),
            rows_min: rows_max.min(1000),
            rows_max,
            ..SizeLimits::default()
        };
        row_copy::run(RowCopy {
            plan: self.plan.clone(),
            upstream: self.upstream.clone(),
            ledger: ledger.clone(),
            counters: self.counters.clone(),
            share: Arc::new(Share::of(workers)),
            limits,
            throttle,
            cancel,
            warnings_max: 64,
        })
        .await
    }

    /// A session as the writers of the ghost have it.
    pub(crate) async fn worker(&self) -> Result<Conn> {
        self.upstream
            .worker(&self.plan.settings, &self.plan.time_zone, self.plan.native_copies)
            .await
    }

    /// Locks both tables, drains the applier as the cut-over does, and asserts that the tables are equal.
    pub(crate) async fn drain_and_compare(&self, applier: &ApplierHandle, log: &Log) -> anyhow::Result<()> {
        applier.pause().await;
        let mut conn = self.worker().await?;
        let (source, ghost) = (self.plan.source_name(), self.plan.ghost_name());
        conn.query_drop(format!("LOCK TABLES {source} WRITE, {ghost} WRITE"))
            .await?;
        applier.drain_on(&mut conn, &log.end()).await?;
        conn.query_drop("UNLOCK TABLES").await?;
        self.compare().await
    }

    /// Asserts that the mapped columns of source and ghost are equal.
    pub(crate) async fn compare(&self) -> anyhow::Result<()> {
        let columns: Vec<String> = self
            .plan
            .mapping
            .columns
            .iter()
            .map(|column| column.source.to_string())
            .collect();
        let columns = columns.join(",");
        let mut conn = self.upstream.control().await?;
        let mut rows = Vec::new();
        for table in [self.plan.source_name(), self.plan.ghost_name()] {
            let sql = format!("SELECT CONCAT_WS('|',{columns}) FROM {table} ORDER BY id");
            let read: Vec<String> = conn.query(sql).await?;
            rows.push(read);
        }
        let [source, ghost] = rows.as_slice() else {
            anyhow::bail!("two tables were read");
        };
        let difference = source.iter().zip(ghost).find(|(source, ghost)| source != ghost);
        anyhow::ensure!(difference.is_none(), "rows differ: {difference:?}");
        anyhow::ensure!(
            source.len() == ghost.len(),
            "{} rows became {}",
            source.len(),
            ghost.len()
        );
        Ok(())
    }
}

impl Log {
    /// A transaction that changed these keys is in the log.
    pub(crate) async fn write(&self, keys: impl IntoIterator<Item = i64>) {
        let items = self.items.lock().await;
        for key in keys.into_iter().map(int) {
            if self.watermark.wants(&key) {
                items.send(StreamItem::Key(key)).await.expect("the applier runs");
            }
        }
        let offset = self.offset.fetch_add(1, Ordering::SeqCst) + 1;
        let end = StreamItem::TransactionEnd(position(offset));
        items.send(end).await.expect("the applier runs");
    }

    pub(crate) fn end(&self) -> Position {
        position(self.offset.load(Ordering::SeqCst))
    }
}

async fn columns_of(conn: &mut Conn, table: &TableName) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
         WHERE table_schema='{}' AND table_name='{}' ORDER BY ordinal_position",
        table.schema.as_str(),
        table.table.as_str()
    );
    Ok(conn.query(sql).await?)
}

/// Fills `table` with ids 1 to `rows`; `values` are the other columns, in terms of the column `n`.
pub(crate) async fn fill(conn: &mut Conn, table: &TableName, rows: u64, values: &str) -> Result<()> {
    let digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                  SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let places = rows.max(2).ilog10() + 1;
    let from: Vec<String> = (0..places).map(|place| format!("{digits} p{place}")).collect();
    let sum: Vec<String> = (0..places)
        .map(|place| format!("p{place}.d*{}", 10u64.pow(place)))
        .collect();
    conn.query_drop(format!(
        "INSERT INTO {table} SELECT n, {values} FROM (SELECT 1+{} n FROM {}) numbers WHERE n<={rows} ORDER BY n",
        sum.join("+"),
        from.join(",")
    ))
    .await?;
    Ok(())
}
