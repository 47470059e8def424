//! What `SHOW MIGRATIONS` says, as any client of the proxy sees it.

use std::collections::HashMap;

use anyhow::Result;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// One row of `SHOW MIGRATIONS`, by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Migration(HashMap<String, String>);

impl Migration {
    /// The newest migration of `table`, if there is one.
    pub(crate) async fn newest(conn: &mut Conn, table: &str) -> Result<Option<Migration>> {
        let rows: Vec<Row> = conn.query("SHOW MIGRATIONS").await?;
        let migrations = rows.into_iter().map(Migration::from_row);
        let of_table =
            migrations.filter(|migration| migration.text("table").replace('`', "").ends_with(table));
        Ok(of_table.max_by_key(|migration| migration.count("id")))
    }

    fn from_row(row: Row) -> Migration {
        let names: Vec<String> = row
            .columns_ref()
            .iter()
            .map(|column| column.name_str().to_lowercase())
            .collect();
        let values = row.unwrap().into_iter().map(|value| match value {
            Value::NULL => String::new(),
            Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => other.as_sql(true).trim_matches('\'').to_owned(),
        });
        Migration(names.into_iter().zip(values).collect())
    }

    /// A column's text; empty if it is NULL or there is none of that name.
    pub(crate) fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    /// A column as a number; 0 if it is none.
    pub(crate) fn number(&self, column: &str) -> f64 {
        self.text(column).parse().unwrap_or(0.0)
    }

    /// A column as a whole number; 0 if it is none.
    pub(crate) fn count(&self, column: &str) -> u64 {
        self.number(column).max(0.0) as u64
    }
}
