//! What a server tells of triggers.

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// All that the server tells of a schema's triggers, but for when they were created.
pub(crate) async fn triggers(root: &mut Conn, schema: &str) -> Result<Vec<Vec<Value>>> {
    let sql = format!(
        "SELECT trigger_name, event_manipulation, event_object_table, action_order, action_statement, action_timing, sql_mode, \
         definer, character_set_client, collation_connection, database_collation FROM information_schema.triggers \
         WHERE trigger_schema='{schema}' ORDER BY trigger_name"
    );
    let mut described: Vec<Vec<Value>> = Vec::new();
    let rows: Vec<Row> = root.query(sql).await?;
    for row in rows {
        let name: String = row
            .get("trigger_name")
            .or(row.get("TRIGGER_NAME"))
            .context("no name")?;
        described.push(row.unwrap());
        let show = format!("SHOW CREATE TRIGGER {schema}.`{}`", name.replace('`', "``"));
        let shown: Row = root.query_first(show).await?.context("it is not there")?;
        let mut shown = shown.unwrap();
        shown.pop();
        described.push(shown);
    }
    Ok(described)
}
