//! Tables to work on.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Runs statements separated by `;` at the end of a line.
pub(crate) async fn script(conn: &mut Conn, text: &str) -> Result<()> {
    for statement in text
        .split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
    {
        let statement = statement.trim_end_matches(';');
        conn.query_drop(statement)
            .await
            .with_context(|| statement.to_owned())?;
    }
    Ok(())
}

/// Fills `table` with rows 1 to `rows`: `columns` are expressions over the row number `n`.
pub(crate) async fn fill(conn: &mut Conn, table: &str, rows: u32, columns: &str) -> Result<()> {
    let digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let sql = format!(
        "INSERT INTO {table} SELECT {columns} FROM (SELECT a.d + 10*b.d + 100*c.d + 1000*e.d + 10000*f.d + 1 AS n \
         FROM {digits} a, {digits} b, {digits} c, {digits} e, {digits} f ORDER BY n) numbers WHERE n <= {rows}"
    );
    conn.query_drop(&sql).await.with_context(|| sql.clone())
}
