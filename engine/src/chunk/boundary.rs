//! Where to cut the next chunk.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::checkpoint::Frontier;
use crate::key::{self, Key, Range};
use crate::plan::Plan;
use crate::{Ident, Result};

/// The key of the `rows`-th source row behind `cut`, as a snapshot shows it; `None` when there are fewer rows.
///
/// # Errors
/// Those of the query.
pub async fn next_boundary(conn: &mut Conn, plan: &Plan, cut: &Frontier, rows: u64) -> Result<Option<Key>> {
    let row: Option<Row> = conn.query_first(statement(plan, cut, rows)).await?;
    row.map(|row| key::from_row(&plan.key.columns, row.unwrap()))
        .transpose()
}

fn statement(plan: &Plan, cut: &Frontier, rows: u64) -> String {
    let source = plan.source_name();
    let names: Vec<Ident> = plan
        .key
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let behind = Range {
        after: match cut {
            Frontier::Key(key) => Some(key.clone()),
            Frontier::Nothing | Frontier::Everything => None,
        },
        through: None,
    };
    format!(
        "SELECT {} FROM {source} FORCE INDEX ({}) WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
        key::select_list(&plan.key.columns, &names, source),
        plan.key.index,
        key::range_predicate(&plan.key.columns, &names, source, &behind),
        key::order_by(&names, source),
        rows.saturating_sub(1),
    )
}

/// Counts the source rows up to `frontier`.
pub fn count_through(plan: &Plan, frontier: &Frontier) -> String {
    let source = plan.source_name();
    let names: Vec<Ident> = plan
        .key
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let through = match frontier {
        Frontier::Nothing => return "SELECT 0".to_owned(),
        Frontier::Key(key) => Some(key.clone()),
        Frontier::Everything => None,
    };
    let range = Range { after: None, through };
    format!(
        "SELECT COUNT(*) FROM {source} FORCE INDEX ({}) WHERE {}",
        plan.key.index,
        key::range_predicate(&plan.key.columns, &names, source, &range),
    )
}
