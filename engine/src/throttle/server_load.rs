//! What the server says of its work, and whether it has more to do than it has hands for.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::Result;

/// Above this many statements running at once the server is overloaded, whatever its size: the default above
/// which the field's other tools stand back, too, is 25 to 50.
const MAX_RUNNING: u64 = 64;

/// Statements that write, as far as a migration sends none of them: its own are `INSERT … SELECT` and `DELETE`, and one
/// `UPDATE` a second for its record.
const WRITES: [&str; 6] = [
    "Com_insert",
    "Com_update",
    "Com_replace",
    "Com_load",
    "Com_update_multi",
    "Com_delete_multi",
];

/// The server's work as it counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Statements that run now.
    running: u64,
    /// Statements that wrote, since the server was started.
    pub(super) writes: u64,
}

impl Load {
    /// Asks the server.
    pub(super) async fn ask(conn: &mut Conn) -> Result<Load> {
        let names = WRITES.map(|name| format!("'{name}'")).join(", ");
        let sql = format!("SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', {names})");
        let rows: Vec<(String, u64)> = conn.query(sql).await?;
        Ok(rows.into_iter().fold(Load::default(), |mut load, (name, value)| {
            match name == "Threads_running" {
                true => load.running = value,
                false => load.writes += value,
            }
            load
        }))
    }

    /// The reason to stand back, if too many statements run at this moment.
    pub(super) fn reason(&self) -> Option<String> {
        let Load { running, .. } = self;
        (*running > MAX_RUNNING).then(|| format!("{running} statements are running on the server"))
    }
}
