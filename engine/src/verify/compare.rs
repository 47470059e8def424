//! The statements that compare a set of rows of the source with the ghost's.
//!
//! # Why a set that compares equal is equal
//! [`Comparer::counts`] is one statement in READ COMMITTED, so everything in it is read in one snapshot. It joins every
//! source row of the set to the ghost rows with its key and equal values, and counts: the joined rows, those with a
//! partner, the source rows, the ghost rows. All four are equal only if every source row has exactly one equal
//! ghost row and the ghost has no other, which holds even for a ghost whose key is not unique.
//!
//! Values the server itself must convert are stored beforehand in a temporary table with the ghost's types. That
//! table is of an earlier snapshot, so a row can differ that does not; it is looked at again like any other.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::equality::{self, Expected};
use crate::ident::quoted_text;
use crate::key::{self, Key, Range};
use crate::plan::Plan;
use crate::table::{Column, Table};
use crate::{Error, Flavor, Ident, Result, TableName, conversion, names};

/// Keys per statement that looks at single rows again.
const KEYS_PER_LOOK: usize = 500;

/// The rows a comparison is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    Range(&'a Range),
    Keys(&'a [Key]),
}

/// What [`Comparer::counts`] counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    joined: u64,
    matched: u64,
    /// Rows of the source.
    pub(super) source: u64,
    ghost: u64,
}

impl Counts {
    pub(super) fn equal(&self) -> bool {
        [self.matched, self.source, self.ghost]
            .iter()
            .all(|count| *count == self.joined)
    }
}

/// Compares the tables of one plan.
#[derive(Clone, Debug)]
pub(super) struct Comparer {
    plan: Arc<Plan>,
    source_key: Vec<Ident>,
    /// The terms that are true when a source row and a ghost row are equal.
    equal: String,
    /// The values the server converts, and the ghost columns they are for.
    stored: Vec<(String, Ident)>,
    scratch: TableName,
}

impl Comparer {
    pub(super) fn new(plan: Arc<Plan>, flavor: Flavor) -> Result<Self> {
        let (source, ghost) = (plan.source_name(), plan.ghost_name());
        let scratch = names::scratch(source);
        let strict = plan.settings.sql_mode.contains("STRICT_");
        let mut terms = Vec::new();
        let mut stored = Vec::new();
        for mapped in &plan.mapping.columns {
            let to = column(&plan.ghost, &mapped.ghost)?;
            let here = format!("{source}.{}", mapped.source);
            let from = column(&plan.source, &mapped.source)?;
            let wanted = match equality::expected(from, to, strict) {
                Expected::Same => here,
                Expected::Transcoded(charset) => format!("CONVERT({here} USING {charset})"),
                Expected::Stored => {
                    let value = conversion::value(flavor, from, to, &here);
                    stored.push((value, mapped.ghost.clone()));
                    format!("{scratch}.{}", mapped.ghost)
                }
            };
            let there = format!("{ghost}.{}", mapped.ghost);
            terms.push(equality::equal(flavor, to, &there, &wanted));
        }
        let source_key: Vec<Ident> = plan
            .key
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        let equal = terms.iter().map(|term| format!(" AND {term}")).collect();
        Ok(Self {
            plan,
            source_key,
            equal,
            stored,
            scratch,
        })
    }

    /// Makes a session of [`crate::session::Upstream::worker`] ready to compare.
    pub(super) async fn prepare(&self, conn: &mut Conn) -> Result<()> {
        // A TIMESTAMP has one text for each value in UTC only.
        let mut statements = vec!["SET SESSION time_zone='+00:00', innodb_lock_wait_timeout=1".to_owned()];
        if !self.stored.is_empty() {
            statements.push(format!("DROP TEMPORARY TABLE IF EXISTS {}", self.scratch));
            statements.push(self.create_scratch());
        }
        for statement in statements {
            conn.query_drop(statement).await?;
        }
        Ok(())
    }

    /// Compares the rows in `range`, in one snapshot.
    pub(super) async fn counts(&self, conn: &mut Conn, range: &Range) -> Result<Counts> {
        let rows = Rows::Range(range);
        self.store(conn, rows).await?;
        let (source, ghost) = (self.in_source(rows), self.in_ghost(rows));
        let sql = format!(
            "SELECT COUNT(*), COUNT({}), (SELECT COUNT(*) FROM {} WHERE {source}), (SELECT COUNT(*) FROM {} WHERE {ghost}) \
             FROM {} WHERE {source}",
            self.first_ghost_key(),
            self.source(),
            self.ghost(),
            self.joined(),
        );
        let counts: Option<(u64, u64, u64, u64)> = conn.query_first(sql).await?;
        let (joined, matched, source, ghost) =
            counts.ok_or_else(|| Error::fatal("a comparison was answered without a row"))?;
        Ok(Counts {
            joined,
            matched,
            source,
            ghost,
        })
    }

    /// The keys of `rows` whose rows differ, all judged in one snapshot.
    pub(super) async fn differing(&self, conn: &mut Conn, rows: Rows<'_>) -> Result<Vec<Key>> {
        let found = match rows {
            Rows::Range(_) => self.differing_in_snapshot(conn, rows).await?,
            Rows::Keys(keys) => {
                let mut found = Vec::new();
                for keys in keys.chunks(KEYS_PER_LOOK) {
                    found.extend(self.differing_in_snapshot(conn, Rows::Keys(keys)).await?);
                }
                found
            }
        };
        // A row that differs is found from the source's side and, under a key that differs in case, from the ghost's.
        let mut seen = std::collections::HashSet::new();
        Ok(found.into_iter().filter(|key| seen.insert(key.clone())).collect())
    }

    async fn differing_in_snapshot(&self, conn: &mut Conn, rows: Rows<'_>) -> Result<Vec<Key>> {
        self.store(conn, rows).await?;
        conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .await?;
        conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            .await?;
        let mut found = Vec::new();
        for sql in [self.unmatched(rows), self.extra(rows), self.repeated(rows)] {
            let keys: Vec<Row> = conn.query(sql).await?;
            for row in keys {
                found.push(key::from_row(&self.plan.key.columns, row.unwrap())?);
            }
        }
        conn.query_drop("COMMIT").await?;
        Ok(found)
    }

    /// The key at the end of a chunk of `rows` rows behind `after`; `None` when fewer are left.
    pub(super) async fn boundary(
        &self,
        conn: &mut Conn,
        after: Option<Key>,
        rows: u64,
    ) -> Result<Option<Key>> {
        let range = Range { after, through: None };
        let sql = format!(
            "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
            self.source_keys(),
            self.source(),
            self.in_source(Rows::Range(&range)),
            key::order_by(&self.source_key, self.plan.source_name()),
            rows.saturating_sub(1),
        );
        let row: Option<Row> = conn.query_first(sql).await?;
        row.map(|row| key::from_row(&self.plan.key.columns, row.unwrap()))
            .transpose()
    }

    /// Locks the source rows of `keys` for reading, and the gaps of those that do not exist, in a transaction that
    /// stays open.
    pub(super) async fn hold(&self, conn: &mut Conn, keys: &[Key], flavor: Flavor, wait: bool) -> Result<()> {
        let locking = match (flavor, wait) {
            (Flavor::MySql, true) => "FOR SHARE",
            (Flavor::MySql, false) => "FOR SHARE NOWAIT",
            (Flavor::MariaDb, true) => "LOCK IN SHARE MODE",
            (Flavor::MariaDb, false) => "LOCK IN SHARE MODE NOWAIT",
        };
        conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .await?;
        conn.query_drop("START TRANSACTION").await?;
        let sql = format!(
            "SELECT 1 FROM {} WHERE {} {locking}",
            self.source(),
            self.in_source(Rows::Keys(keys))
        );
        Ok(conn.query_drop(sql).await?)
    }

    /// Has the server convert what it must.
    async fn store(&self, conn: &mut Conn, rows: Rows<'_>) -> Result<()> {
        if self.stored.is_empty() {
            return Ok(());
        }
        conn.query_drop(format!("TRUNCATE TABLE {}", self.scratch))
            .await?;
        conn.query_drop(format!(
            "SET SESSION time_zone={}",
            quoted_text(&self.plan.time_zone)
        ))
        .await?;
        let stored = conn.query_drop(self.fill_scratch(rows)).await;
        conn.query_drop("SET SESSION time_zone='+00:00'").await?;
        Ok(stored?)
    }

    fn create_scratch(&self) -> String {
        let key = list(self.plan.ghost_key.iter());
        let ghost = self.plan.ghost_name();
        let columns = self.scratch_columns().map(|name| format!("{ghost}.{name}"));
        format!(
            "CREATE TEMPORARY TABLE {} (PRIMARY KEY ({key})) ENGINE=InnoDB SELECT {} FROM {ghost} LIMIT 0",
            self.scratch,
            columns.collect::<Vec<_>>().join(","),
        )
    }

    /// The ghost's key and the columns that are converted, each once.
    fn scratch_columns(&self) -> impl Iterator<Item = &Ident> {
        let converted = self.stored.iter().map(|(_, ghost)| ghost);
        let beyond_key =
            converted.filter(|name| !self.plan.ghost_key.iter().any(|key| key.same_column(name)));
        self.plan.ghost_key.iter().chain(beyond_key)
    }

    fn fill_scratch(&self, rows: Rows<'_>) -> String {
        let source = self.plan.source_name();
        let key = self.source_key.iter().zip(&self.plan.ghost_key);
        let key = key.map(|(from, to)| (format!("{source}.{from}"), to));
        let converted = self.stored.iter().map(|(value, ghost)| (value.clone(), ghost));
        let beyond_key =
            converted.filter(|(_, name)| !self.plan.ghost_key.iter().any(|key| key.same_column(name)));
        let (from, to): (Vec<String>, Vec<String>) = key
            .chain(beyond_key)
            .map(|(from, to)| (from, to.to_string()))
            .unzip();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} WHERE {}",
            self.scratch,
            to.join(","),
            from.join(","),
            self.source(),
            self.in_source(rows),
        )
    }

    /// Source rows without an equal ghost row.
    fn unmatched(&self, rows: Rows<'_>) -> String {
        // `<=> NULL` and not IS NULL, which is true for the date 0000-00-00 of a NOT NULL column, too.
        format!(
            "SELECT {} FROM {} WHERE ({}) AND {} <=> NULL",
            self.source_keys(),
            self.joined(),
            self.in_source(rows),
            self.first_ghost_key(),
        )
    }

    /// Ghost rows whose key the source has not.
    fn extra(&self, rows: Rows<'_>) -> String {
        let first = self.source_key.first().map_or_else(String::new, Ident::to_string);
        format!(
            "SELECT {} FROM {} LEFT JOIN {} ON {} WHERE ({}) AND {}.{first} <=> NULL",
            self.ghost_keys(),
            self.ghost(),
            self.source(),
            self.keys_equal(),
            self.in_ghost(rows),
            self.plan.source_name(),
        )
    }

    /// Keys the ghost has more than once.
    fn repeated(&self, rows: Rows<'_>) -> String {
        let key = key::order_by(&self.plan.ghost_key, self.plan.ghost_name());
        format!(
            "SELECT {} FROM {} WHERE {} GROUP BY {key} HAVING COUNT(*) > 1",
            self.ghost_keys(),
            self.ghost(),
            self.in_ghost(rows),
        )
    }

    /// Every source row beside its equal ghost rows, or beside NULLs.
    fn joined(&self) -> String {
        let (scratch, stored) = self.scratch_join();
        format!(
            "{}{scratch} LEFT JOIN {} ON {}{stored}{}",
            self.source(),
            self.ghost(),
            self.keys_equal(),
            self.equal,
        )
    }

    fn scratch_join(&self) -> (String, String) {
        let (true, Some(first)) = (!self.stored.is_empty(), self.plan.ghost_key.first()) else {
            return (String::new(), String::new());
        };
        let source = self.plan.source_name();
        let pairs = self.source_key.iter().zip(&self.plan.ghost_key);
        let equal = pairs.map(|(from, to)| format!("{}.{to}={source}.{from}", self.scratch));
        let equal = equal.collect::<Vec<_>>().join(" AND ");
        (
            format!(" LEFT JOIN {} FORCE INDEX (PRIMARY) ON {equal}", self.scratch),
            // A row that came after the conversion has no expected value yet, not an expected NULL.
            format!(" AND NOT ({}.{first} <=> NULL)", self.scratch),
        )
    }

    fn keys_equal(&self) -> String {
        let (source, ghost) = (self.plan.source_name(), self.plan.ghost_name());
        let pairs = self.source_key.iter().zip(&self.plan.ghost_key);
        let equal = pairs.map(|(from, to)| format!("{ghost}.{to}={source}.{from}"));
        equal.collect::<Vec<_>>().join(" AND ")
    }

    fn source(&self) -> String {
        format!(
            "{} FORCE INDEX ({})",
            self.plan.source_name(),
            self.plan.key.index
        )
    }

    fn ghost(&self) -> String {
        format!(
            "{} FORCE INDEX ({})",
            self.plan.ghost_name(),
            self.plan.ghost_index
        )
    }

    fn source_keys(&self) -> String {
        key::select_list(&self.plan.key.columns, &self.source_key, self.plan.source_name())
    }

    fn ghost_keys(&self) -> String {
        key::select_list(
            &self.plan.key.columns,
            &self.plan.ghost_key,
            self.plan.ghost_name(),
        )
    }

    fn first_ghost_key(&self) -> String {
        let first = self
            .plan
            .ghost_key
            .first()
            .map_or_else(String::new, Ident::to_string);
        format!("{}.{first}", self.plan.ghost_name())
    }

    fn in_source(&self, rows: Rows<'_>) -> String {
        self.predicate(rows, &self.source_key, self.plan.source_name())
    }

    fn in_ghost(&self, rows: Rows<'_>) -> String {
        self.predicate(rows, &self.plan.ghost_key, self.plan.ghost_name())
    }

    fn predicate(&self, rows: Rows<'_>, names: &[Ident], table: &TableName) -> String {
        let columns = &self.plan.key.columns;
        match rows {
            Rows::Range(range) => key::range_predicate(columns, names, table, range),
            Rows::Keys(keys) => key::keys_predicate(columns, names, table, keys),
        }
    }
}

fn list<'a>(names: impl Iterator<Item = &'a Ident>) -> String {
    names.map(Ident::to_string).collect::<Vec<_>>().join(",")
}

fn column<'a>(table: &'a Table, name: &Ident) -> Result<&'a Column> {
    let found = table.columns.iter().find(|column| column.name.same_column(name));
    found.ok_or_else(|| Error::fatal(format!("{} has no column {name}", table.name)))
}
