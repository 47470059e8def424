//! Which tables there are to compare.

use std::collections::BTreeMap;

use alterego_engine::TableName;
use alterego_engine::names;
use anyhow::bail;
use mysql_async::prelude::Queryable;

use super::server::Server;
use crate::cli::Diff;

/// The tables of two servers; each of `both` with the rows it is believed to have.
pub(super) struct Tables {
    pub(super) both: Vec<(TableName, u64)>,
    pub(super) only_in_a: Vec<TableName>,
    pub(super) only_in_b: Vec<TableName>,
}

impl Tables {
    pub(super) fn rows(&self) -> u64 {
        self.both.iter().map(|(_, rows)| rows).sum()
    }
}

/// The base tables of both servers.
pub(super) async fn tables(a: &mut Server, b: &mut Server, wanted: &Diff) -> anyhow::Result<Tables> {
    let in_a = of(a, wanted).await?;
    let mut in_b = of(b, wanted).await?;
    if in_a.is_empty() && in_b.is_empty() {
        bail!("neither server has such a table");
    }
    let mut tables = Tables {
        both: Vec::new(),
        only_in_a: Vec::new(),
        only_in_b: Vec::new(),
    };
    for (name, rows) in in_a {
        match in_b.remove(&name) {
            Some(_) => tables.both.push((name, rows)),
            None => tables.only_in_a.push(name),
        }
    }
    tables.only_in_b = in_b.into_keys().collect();
    Ok(tables)
}

async fn of(server: &mut Server, wanted: &Diff) -> anyhow::Result<BTreeMap<TableName, u64>> {
    let sql = "SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), COALESCE(table_rows, 0) \
               FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') \
               AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') \
               AND (? IS NULL OR table_schema = ?) AND (? IS NULL OR table_name = ?)";
    let (schema, table) = (&wanted.schema, &wanted.table);
    let rows: Vec<(String, String, u64)> = server.conn.exec(sql, (schema, schema, table, table)).await?;
    let named = rows
        .into_iter()
        .map(|(schema, table, rows)| (TableName::new(schema, table), rows));
    let ours = |name: &TableName| {
        name.schema.as_str() == names::STATE_SCHEMA
            || (wanted.schema.is_none() && names::is_derived(&name.schema))
    };
    Ok(named.filter(|(name, _)| !ours(name)).collect())
}
