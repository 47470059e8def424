//! Unique values and primary keys that move, between rows that are copied and rows that are not yet.

use std::sync::Arc;

use alterego_testkit::{Flavor, Options};
use anyhow::Result;
use mysql_async::OptsBuilder;
use mysql_async::prelude::Queryable;

use super::{altered_as_natively, fresh_schemas, in_both, send};
use crate::support::{Rig, Writers, fill, nothing_left};

crate::both!(values_move_across_the_watermark);

const ROWS: u32 = 16_000;
const ALTER: &str =
    "ALTER TABLE t MODIFY a BIGINT, ADD COLUMN w INT DEFAULT 3 FIRST, ADD UNIQUE KEY once (a, id)";

/// Each pair of rows stands far apart: one is copied early, one late. A writer keeps to pairs of its own.
fn transaction(writer: u64, i: u64) -> Vec<String> {
    let low = 1 + writer * 2500 + i * 7 % 2400;
    let high = u64::from(ROWS) - low;
    let new = 1_000_000 + writer * 1_000_000 + i;
    let mut statements = vec!["BEGIN".to_owned()];
    for table in ["app.t", "nat.t"] {
        let on_this: Vec<String> = match i % 8 {
            // Two rows change values.
            0 => vec![
                format!("SELECT SUM(a) INTO @sum FROM {table} WHERE id IN ({low}, {high})"),
                format!("UPDATE {table} SET a=-a WHERE id IN ({low}, {high})"),
                format!("UPDATE {table} SET a=@sum+a WHERE id IN ({low}, {high})"),
            ],
            // A row takes the other's value, and the other vanishes by it.
            1 => vec![
                format!(
                    "REPLACE INTO {table} (id, a, b, c) SELECT {low}, a, b, c FROM (SELECT id, a, b, c FROM {table} WHERE id={high}) AS far"
                ),
                format!("INSERT IGNORE INTO {table} (id, a, b, c) VALUES ({high}, {new}, 'r{new}', NULL)"),
            ],
            // Either finds the row by one key or by another, and gives it a new value.
            2 => vec![format!(
                "INSERT INTO {table} (id, a, b, c) SELECT {low}, a, 'dup', NULL FROM (SELECT id, a, b, c FROM {table} WHERE id={high}) AS far \
                 ON DUPLICATE KEY UPDATE a={new}, b='o{new}'"
            )],
            // A key onto one that was just deleted, and back.
            3 => vec![
                format!("DELETE FROM {table} WHERE id={low}"),
                format!("UPDATE {table} SET id={low} WHERE id={high}"),
                format!("INSERT INTO {table} (id, a, b, c) VALUES ({high}, {new}, 'd{new}', {i})"),
            ],
            // Both keys change places over a third.
            4 => vec![
                format!("UPDATE {table} SET id=-{low} WHERE id={low}"),
                format!("UPDATE {table} SET id={low} WHERE id={high}"),
                format!("UPDATE {table} SET id={high} WHERE id=-{low}"),
            ],
            // A key of two columns is unique only without NULL: the same text twice, then not.
            5 => vec![
                format!("UPDATE {table} SET c=NULL WHERE id IN ({low}, {high})"),
                format!("UPDATE {table} SET b='same {low}' WHERE id IN ({low}, {high})"),
                format!("UPDATE {table} SET c={low} WHERE id={low}"),
            ],
            // The pair's second column carries what keeps them apart.
            6 => vec![
                format!("UPDATE {table} SET b='pair {low}', c=NULL WHERE id IN ({low}, {high})"),
                format!("UPDATE {table} SET c=IF(id={low}, 1, 2) WHERE id IN ({low}, {high})"),
                format!("UPDATE {table} SET c=c-1 WHERE id IN ({low}, {high}) ORDER BY id"),
            ],
            // Values rotate within a batch of neighbours.
            _ => vec![
                format!(
                    "SELECT MIN(a), MAX(a) INTO @least, @most FROM {table} WHERE id BETWEEN {low} AND {low}+3"
                ),
                format!("UPDATE {table} SET a=-a WHERE id BETWEEN {low} AND {low}+3 ORDER BY id"),
                format!(
                    "UPDATE {table} SET a=@least+@most+a WHERE id BETWEEN {low} AND {low}+3 AND a IN (-@least, -@most)"
                ),
                format!("UPDATE {table} SET a=-a WHERE id BETWEEN {low} AND {low}+3 AND a<0"),
            ],
        };
        statements.extend(on_this);
    }
    statements.push("COMMIT".to_owned());
    statements
}

async fn values_move_across_the_watermark(flavor: Flavor) -> Result<()> {
    // Slow enough for the pairs to meet on either side of the watermark.
    let slow = [("ALTEREGO_SLOWPOINT", "chunk_dispatched:60")];
    let rig = Rig::with(flavor, &Options::relaxed(), &[], &slow).await?;
    let mut root = rig.direct("").await?;
    fresh_schemas(&mut root).await?;
    let table = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(30), c INT, UNIQUE KEY by_a (a), UNIQUE KEY by_b (b, c))";
    in_both(&mut root, &[table]).await?;
    fill(&mut root, "app.t", ROWS, "n, n, CONCAT('b', n), n").await?;
    root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
    let opts = OptsBuilder::from_opts(rig.client_opts("app"))
        .init(vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]);
    let writers = Writers::start(opts.into(), 3, Arc::new(transaction)).await?;
    let alter = send(&rig, ALTER).await?;
    let ours = alter.await?;
    writers.each_goes_on().await?;
    writers.finish().await?;
    altered_as_natively(&rig, tokio::spawn(async move { ours }), ALTER)
        .await
        .map_err(|error| rig.explain(error))?;
    nothing_left(&mut root).await
}
