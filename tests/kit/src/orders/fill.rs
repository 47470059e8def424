//! Fills `orders` with its first rows.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use super::{COLUMNS, Layout};

const ROWS_A_STATEMENT: u64 = 1000;
const CONNECTIONS: usize = 2;

/// Creates the schema and the table, fills it with the rows of `layout`, and tells `progress` how many rows
/// there are now. The account must be privileged: the rows bypass the binary log.
pub async fn fill(
    opts: &Opts,
    schema: &str,
    table: &str,
    layout: Layout,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<()> {
    let mut conn = Conn::new(opts.clone()).await?;
    conn.query_drop(format!("CREATE SCHEMA IF NOT EXISTS `{schema}`"))
        .await?;
    let (bare, indexes) = without_indexes(super::DEFINITION);
    conn.query_drop(format!("CREATE TABLE `{schema}`.`{table}` {bare}"))
        .await?;
    let filler = Arc::new(Filler {
        insert: format!(
            "INSERT INTO `{schema}`.`{table}` ({}) VALUES ",
            COLUMNS.join(", ")
        ),
        layout,
        next_id: AtomicU64::new(1),
        filled: AtomicU64::new(0),
        progress,
    });
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(Arc::clone(&filler).run(opts.clone())))
        .collect();
    for task in tasks {
        task.await??;
    }
    // Sorted indexes are built far quicker than grown ones.
    conn.query_drop(format!("ALTER TABLE `{schema}`.`{table}` {indexes}"))
        .await?;
    conn.query_drop(format!("ANALYZE TABLE `{schema}`.`{table}`"))
        .await?;
    conn.disconnect().await?;
    Ok(())
}

/// The definition without its indexes, and the clauses that add them.
fn without_indexes(definition: &str) -> (String, String) {
    let is_index =
        |line: &&str| line.trim_start().starts_with("KEY ") || line.trim_start().starts_with("UNIQUE ");
    let (indexes, others): (Vec<&str>, Vec<&str>) = definition.lines().partition(is_index);
    let added: Vec<String> = indexes
        .iter()
        .map(|line| format!("ADD {}", line.trim().trim_end_matches(',')))
        .collect();
    // The primary key is last of what remains: its comma has nothing to part any more.
    (
        others.join("\n").replace("(`id`),\n)", "(`id`)\n)"),
        added.join(", "),
    )
}

struct Filler<P> {
    insert: String,
    layout: Layout,
    next_id: AtomicU64,
    filled: AtomicU64,
    progress: P,
}

impl<P: Fn(u64) + Send + Sync> Filler<P> {
    /// Fills one batch after the other until all are taken.
    async fn run(self: Arc<Self>, opts: Opts) -> Result<()> {
        let mut conn = Conn::new(opts).await?;
        conn.query_drop("SET sql_log_bin = 0, unique_checks = 0, time_zone = '+00:00'")
            .await?;
        loop {
            let first = self.next_id.fetch_add(ROWS_A_STATEMENT, Ordering::Relaxed);
            if first > self.layout.highest_id() {
                break;
            }
            let (sql, rows) = self.statement(first);
            conn.query_drop(sql).await?;
            let filled = self.filled.fetch_add(rows, Ordering::Relaxed) + rows;
            (self.progress)(filled);
        }
        conn.disconnect().await?;
        Ok(())
    }

    fn statement(&self, first: u64) -> (String, u64) {
        let mut sql = String::with_capacity(300 * ROWS_A_STATEMENT as usize);
        sql.push_str(&self.insert);
        let mut rows = 0;
        for order in (first..first + ROWS_A_STATEMENT).filter_map(|id| self.layout.order(id)) {
            sql.push_str(if rows == 0 { "(" } else { ",(" });
            for (at, value) in order.values().iter().enumerate() {
                let _ = write!(sql, "{}{}", if at == 0 { "" } else { "," }, value.as_sql(false));
            }
            sql.push(')');
            rows += 1;
        }
        (sql, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_is_left_out_and_added() {
        let (bare, indexes) = without_indexes(super::super::DEFINITION);
        assert!(
            bare.contains("PRIMARY KEY (`id`)\n)") && !bare.contains("UNIQUE"),
            "{bare}"
        );
        assert_eq!(indexes.matches("ADD ").count(), 4, "{indexes}");
        assert!(
            indexes.starts_with("ADD UNIQUE KEY `order_no` (`order_no`), ADD UNIQUE"),
            "{indexes}"
        );
    }
}
