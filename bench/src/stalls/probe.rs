//! A client that writes one row after the other and notes how long each took.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

/// One statement.
#[derive(Clone, Copy, Debug)]
struct Statement {
    began: Instant,
    took: Duration,
}

/// The client, until it is dropped.
#[derive(Debug)]
pub(super) struct Probe {
    statements: Arc<Mutex<Vec<Statement>>>,
    task: JoinHandle<Result<()>>,
}

impl Probe {
    /// Begins to write to the rows with the ids 1 to `rows` of `table`.
    pub(super) fn start(mut conn: Conn, table: &'static str, rows: u64) -> Self {
        let statements = Arc::<Mutex<Vec<Statement>>>::default();
        let noted = Arc::clone(&statements);
        let task = tokio::spawn(async move {
            for id in (1..=rows).cycle() {
                let sql = format!("UPDATE {table} SET k=k+1 WHERE id={id}");
                let began = Instant::now();
                // As for sysbench, a deadlock with another client is no failure.
                match conn.query_drop(sql).await {
                    Err(mysql_async::Error::Server(error)) if error.code == 1213 => {}
                    other => other?,
                }
                let took = began.elapsed();
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.push(Statement { began, took });
            }
            Ok(())
        });
        Self { statements, task }
    }

    /// The longest statement of which a part lies between these moments.
    pub(super) fn longest(&self, from: Instant, to: Instant) -> Duration {
        let statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let within = statements
            .iter()
            .filter(|one| one.began < to && one.began + one.took > from);
        within.map(|one| one.took).max().unwrap_or_default()
    }

    /// Whether every statement so far was answered as it should be.
    pub(super) fn is_well(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}
