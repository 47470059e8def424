//! How a migration ends, for the client that sent the statement.

use crate::ServerError;

/// One line of what `SHOW WARNINGS` says after the ALTER.
pub use crate::reconcile::Warning;

/// The end of a migration.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The table is altered.
    Altered(Altered),
    /// Nothing was done; the server can do it natively. The text ends "left to the server, because …".
    Refused(String),
    /// The data or the definition refuses the change, or it could not be carried out; the table is as it was.
    Failed(ServerError),
    /// The client gave it up; the table is as it was.
    Cancelled,
}

/// What the server's own ALTER would have told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Altered {
    /// The rows a native copy counts; 0 where the server would have altered the table in place.
    pub rows: u64,
    /// How many warnings there were.
    pub warning_count: u64,
    /// The first of them, as many as a diagnostics area holds.
    pub warnings: Vec<Warning>,
}

impl Altered {
    /// The text of the OK packet.
    pub fn info(&self) -> String {
        format!(
            "Records: {}  Duplicates: 0  Warnings: {}",
            self.rows, self.warning_count
        )
    }
}
