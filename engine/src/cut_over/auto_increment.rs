//! The new table goes on counting where the source stopped.
//!
//! Rows alone do not say where that is: the newest ones may be deleted. Where the client's own clause says it, that counts,
//! or the next number behind the greatest one there is.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::binlog::OWN_COMMENT;
use crate::failpoint::{self, Failpoint};
use crate::ident::quoted_text;
use crate::plan::Plan;
use crate::{Result, TableName};

/// Raises the ghost's counter to the source's, or sets it as the client wants it. What it leaves is exact where both are
/// locked by `conn`; before that it saves the time of an ALTER under the locks, since afterwards only an insert that left no
/// row moves them apart.
pub(super) async fn carry_over(conn: &mut Conn, plan: &Plan) -> Result<()> {
    if !plan.ghost.columns.iter().any(|column| column.auto_increment) {
        return Ok(());
    }
    let ghost = counter(conn, plan.ghost_name()).await?;
    let wanted = match plan.counter {
        // Rows that were copied and are gone have moved the ghost's; the server goes no lower than the rows let it.
        Some(wanted) => (ghost != Some(wanted)).then_some(wanted),
        None => {
            let source = counter(conn, plan.source_name()).await?;
            source.filter(|source| ghost.is_none_or(|ghost| ghost < *source))
        }
    };
    let Some(wanted) = wanted else { return Ok(()) };
    let sql = format!(
        "ALTER TABLE {} AUTO_INCREMENT={wanted} {OWN_COMMENT}",
        plan.ghost_name()
    );
    conn.query_drop(sql).await?;
    failpoint::hit(Failpoint::CounterRaised);
    Ok(())
}

async fn counter(conn: &mut Conn, table: &TableName) -> Result<Option<u64>> {
    let sql = format!(
        "SELECT auto_increment FROM information_schema.tables WHERE table_schema={} AND table_name={}",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str()),
    );
    let counter: Option<Option<u64>> = conn.query_first(sql).await?;
    Ok(counter.flatten())
}
