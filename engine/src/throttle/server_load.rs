//! The server has more to do than it has hands for.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::Result;

/// Above this many statements running at once the server is overloaded, whatever its size: the default above
/// which the field's other tools stand back, too, is 25 to 50.
const MAX_RUNNING: u64 = 64;

/// The reason, if too many statements run at this moment.
pub(super) async fn reason(conn: &mut Conn) -> Result<Option<String>> {
    let row: Option<(String, u64)> = conn
        .query_first("SHOW GLOBAL STATUS LIKE 'Threads_running'")
        .await?;
    let running = row.map_or(0, |(_, running)| running);
    Ok((running > MAX_RUNNING).then(|| format!("{running} statements are running on the server")))
}
