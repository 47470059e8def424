//! Taking rows out of the ghost that are still to be reconciled.

use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::locked::KEYS_PER_STATEMENT;
use super::sql::{RowSet, Sql};
use crate::key::Key;
use crate::plan::Plan;
use crate::{Flavor, Result};

/// Deletes the ghost's rows with these keys. Each key has to be pending, so that its row comes back.
///
/// # Errors
/// Those of the statements.
pub async fn remove_on(conn: &mut Conn, plan: &Arc<Plan>, flavor: Flavor, keys: &[Key]) -> Result<()> {
    let sql = Sql::new(Arc::clone(plan), flavor);
    for set in keys.chunks(KEYS_PER_STATEMENT).map(RowSet::keys) {
        conn.query_drop(sql.delete(&set)).await?;
    }
    Ok(())
}
