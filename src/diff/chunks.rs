//! Chunks of one table on both servers, in lock-step.
//!
//! Chunks tile the whole key space: the first is open below, the last above. Their ends are keys of A, or of B where it
//! has many more rows there.

use std::collections::HashMap;

use alterego_engine::Ident;
use alterego_engine::key::{self, Key, Range};
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tokio::try_join;

use super::definition::Common;
use super::digest;
use super::server::Server;

/// Rows of a chunk.
const ROWS: u64 = 2_000;
/// Rows that B may have in a chunk of A's before it is cut by B.
const MOST_IN_B: u64 = 3 * ROWS;
/// Keys that are settled together.
pub(super) const SUSPECTS_AT_ONCE: usize = 2_000;

/// One chunk, compared.
pub(super) struct Chunk {
    pub(super) rows_a: u64,
    pub(super) rows_b: u64,
    /// Keys whose rows were not equal.
    pub(super) suspects: Vec<Key>,
    /// Its last key; `None` for the last chunk.
    pub(super) through: Option<Key>,
}

/// Which of the servers.
#[derive(Clone, Copy)]
pub(super) enum Side {
    A,
    B,
}

/// Compares the chunk behind `after`.
pub(super) async fn next(
    a: &mut Server,
    b: &mut Server,
    common: &Common,
    after: Option<Key>,
) -> anyhow::Result<Chunk> {
    let mut range = Range { after, through: None };
    range.through = key_at(&mut a.conn, common, Side::A, &range, ROWS).await?;
    if let Some(earlier) = key_at(&mut b.conn, common, Side::B, &range, MOST_IN_B).await? {
        range.through = Some(earlier);
    }
    let (one, other) = try_join!(
        sum(&mut a.conn, common, Side::A, &range),
        sum(&mut b.conn, common, Side::B, &range)
    )?;
    let suspects = match one == other && one.unknown == 0 {
        true => Vec::new(),
        false => {
            let place = predicate(common, &range);
            let (one, other) = try_join!(
                rows(&mut a.conn, common, Side::A, &place),
                rows(&mut b.conn, common, Side::B, &place)
            )?;
            unequal(&one, &other)
        }
    };
    Ok(Chunk {
        rows_a: one.rows,
        rows_b: other.rows,
        suspects,
        through: range.through,
    })
}

/// The rows' checksums, by key.
pub(super) type Rows = HashMap<Key, Option<String>>;

/// The keys that are in one only, or have two checksums, or none.
pub(super) fn unequal(a: &Rows, b: &Rows) -> Vec<Key> {
    let differing = a
        .iter()
        .filter(|(key, row)| row.is_none() || b.get(*key) != Some(*row));
    let extra = b.keys().filter(|key| !a.contains_key(*key));
    differing.map(|(key, _)| key).chain(extra).cloned().collect()
}

/// The checksums of the rows in a place.
pub(super) async fn rows(conn: &mut Conn, common: &Common, side: Side, place: &str) -> anyhow::Result<Rows> {
    let sql = format!(
        "SELECT {}, {} FROM {} WHERE {place}",
        key::select_list(&common.key.columns, &common.key_names, &common.table),
        checksum(common, side),
        from(common, side),
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    rows.into_iter()
        .map(|row| {
            let mut values = row.unwrap();
            let digest = match values.pop().context("a row without a checksum")? {
                Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                _ => None,
            };
            Ok((key::from_row(&common.key.columns, values)?, digest))
        })
        .collect()
}

/// Where the rows with these keys are.
pub(super) fn place_of(common: &Common, keys: &[Key]) -> String {
    key::keys_predicate(&common.key.columns, &common.key_names, &common.table, keys)
}

#[derive(PartialEq, Eq)]
struct Sum {
    rows: u64,
    /// Rows without a checksum.
    unknown: u64,
    digest: (u64, u64),
}

async fn sum(conn: &mut Conn, common: &Common, side: Side, range: &Range) -> anyhow::Result<Sum> {
    let sql = format!(
        "SELECT {} FROM (SELECT {} AS h FROM {} WHERE {}) AS checksums",
        digest::CHUNK,
        checksum(common, side),
        from(common, side),
        predicate(common, range),
    );
    let found: Option<(u64, u64, u64, u64)> = conn.query_first(sql).await?;
    let (rows, unknown, first, second) = found.context("a checksum was answered without a row")?;
    Ok(Sum {
        rows,
        unknown,
        digest: (first, second),
    })
}

/// The last key of the first `rows` rows in `range`, if there are more.
async fn key_at(
    conn: &mut Conn,
    common: &Common,
    side: Side,
    range: &Range,
    rows: u64,
) -> anyhow::Result<Option<Key>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
        key::select_list(&common.key.columns, &common.key_names, &common.table),
        from(common, side),
        predicate(common, range),
        key::order_by(&common.key_names, &common.table),
        rows - 1,
    );
    let row: Option<Row> = conn.query_first(sql).await?;
    let key = row.map(|row| key::from_row(&common.key.columns, row.unwrap()));
    Ok(key.transpose()?)
}

fn predicate(common: &Common, range: &Range) -> String {
    key::range_predicate(&common.key.columns, &common.key_names, &common.table, range)
}

fn from(common: &Common, side: Side) -> String {
    let index: &Ident = match side {
        Side::A => &common.indexes.0,
        Side::B => &common.indexes.1,
    };
    format!("{} FORCE INDEX ({index})", common.table)
}

fn checksum(common: &Common, side: Side) -> String {
    let values = common.values.iter();
    match side {
        Side::A => digest::row(values.map(|(a, _)| a)),
        Side::B => digest::row(values.map(|(_, b)| b)),
    }
}
