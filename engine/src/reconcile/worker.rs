//! A writer that outlives its connection.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::{Writer, Written};
use crate::key::{Key, Range};
use crate::plan::Plan;
use crate::session::Upstream;
use crate::{Error, Result};

/// How long a server may be away before a migration gives up.
const AWAY_MAX: Duration = Duration::from_secs(180);

/// How long a write waits for a lock before it looks up: others may want it to stop.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(1);

/// 1227: the account may not do that.
const ACCESS_DENIED: u16 = 1227;

/// What to write.
#[derive(Clone, Copy, Debug)]
enum Task<'a> {
    Range(&'a Range),
    KeysUnlocked(&'a [Key]),
    KeyWaiting(&'a Key),
}

/// What was written, and the keys that were not because their rows are locked.
type Outcome = (Written, Vec<Key>);

/// Writes sets of rows to the ghost, over as many connections as it takes.
///
/// A set whose COMMIT was never acknowledged is simply written again: writing a set twice is writing it once.
#[derive(Debug)]
pub struct Worker {
    upstream: Upstream,
    plan: Arc<Plan>,
    max_warnings: usize,
    writer: Option<Writer>,
}

impl Worker {
    /// A worker that connects when it is first used. `max_warnings` is how many warnings of one statement it lists.
    pub fn new(upstream: Upstream, plan: Arc<Plan>, max_warnings: usize) -> Self {
        Self {
            upstream,
            plan,
            max_warnings,
            writer: None,
        }
    }

    /// [`Writer::range`], connecting again as long as the server may be away.
    ///
    /// # Errors
    /// Those of [`Writer::range`]; [`Error::Transient`] only when the server stayed away.
    pub async fn range(&mut self, range: &Range) -> Result<Written> {
        let (written, _) = self.write(Task::Range(range)).await?;
        Ok(written)
    }

    /// [`Writer::keys_unlocked`], connecting again as long as the server may be away; returns the locked keys.
    ///
    /// # Errors
    /// Those of [`Writer::keys`]; [`Error::Transient`] only when the server stayed away.
    pub async fn keys_unlocked(&mut self, keys: &[Key]) -> Result<Vec<Key>> {
        let (_, locked) = self.write(Task::KeysUnlocked(keys)).await?;
        Ok(locked)
    }

    /// [`Writer::key_waiting`] for each key, connecting again as long as the server may be away; returns those still
    /// locked.
    ///
    /// # Errors
    /// Those of [`Writer::keys`]; [`Error::Transient`] only when the server stayed away.
    pub async fn keys_waiting(&mut self, keys: &[Key]) -> Result<Vec<Key>> {
        let mut locked = Vec::new();
        for key in keys {
            let (_, mut still) = self.write(Task::KeyWaiting(key)).await?;
            locked.append(&mut still);
        }
        Ok(locked)
    }

    async fn write(&mut self, task: Task<'_>) -> Result<Outcome> {
        let mut backoff = Backoff::for_connections();
        let mut away_since = None;
        loop {
            let error = match self.attempt(task).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            if !matches!(error, Error::Transient(_)) {
                return Err(error);
            }
            // Whatever state its session is in, a new one begins clean.
            self.writer = None;
            let since = *away_since.get_or_insert_with(Instant::now);
            if since.elapsed() > AWAY_MAX {
                return Err(error);
            }
            tracing::debug!(%error, "a write to the ghost is tried again");
            backoff.pause().await;
        }
    }

    async fn attempt(&mut self, task: Task<'_>) -> Result<Outcome> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.connect().await?,
        };
        let outcome = match task {
            Task::Range(range) => writer.range(range).await.map(|written| (written, Vec::new())),
            Task::KeysUnlocked(keys) => writer.keys_unlocked(keys).await,
            Task::KeyWaiting(key) => writer.key_waiting(key).await.map(|written| match written {
                Some(written) => (written, Vec::new()),
                None => (Written::default(), vec![key.clone()]),
            }),
        };
        self.writer = Some(writer);
        outcome
    }

    async fn connect(&self) -> Result<Writer> {
        let mut conn = self
            .upstream
            .worker(&self.plan.settings, &self.plan.time_zone, self.plan.native_copies)
            .await?;
        conn.query_drop(format!(
            "SET SESSION innodb_lock_wait_timeout={}",
            LOCK_WAIT_MAX.as_secs()
        ))
        .await?;
        let kept = format!("SET SESSION max_error_count={}", self.max_warnings.max(64));
        match conn.query_drop(kept).await {
            // MySQL gives the right only to administrators. The default keeps as many as a client sees by default.
            Err(mysql_async::Error::Server(error)) if error.code == ACCESS_DENIED => {}
            other => other?,
        }
        Ok(Writer::new(conn, self.plan.clone(), self.upstream.flavor()))
    }
}
