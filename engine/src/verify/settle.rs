//! Whether a row that was seen to differ is wrong, or only on its way.
//!
//! # Why the verdict is right
//! Most rows that differ have a change that is not applied yet. They are looked at again after everything the first
//! snapshot could show was applied, and nearly all are equal then. A row that changes faster than the applier follows
//! can differ at every look without a fault. So no look alone decides: the verdict is given while the source
//! row is locked for reading (and the gap, where there is no row). Position P is read under that lock, so every
//! change of these rows is at or before P; once P is applied, a ghost row that differs is wrong.
//!
//! That wait is short and bounded: as soon as a writer waits behind our lock, the applier's own shared lock has to wait
//! behind the writer, so a verdict on a row that is written all the time cannot be had. Such a row is reconciled
//! instead, which makes it what the source holds at that moment, and that is all a comparison could have shown. It is no
//! repair: nothing says it was wrong.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::RngExt;

use super::compare::{Comparer, Rows};
use super::{Context, lost_connection};
use crate::key::Key;
use crate::position::Position;
use crate::{Error, Result};

/// Looks without a lock before the row is locked.
const PLAIN_LOOKS: usize = 3;
/// Rows locked together.
const KEYS_PER_HOLD: usize = 100;
/// The applier is waited for at most this long under a lock: writers of the row wait, too.
const LONGEST_HOLD: Duration = Duration::from_millis(50);
/// Attempts at a verdict before a row is reconciled without one.
const MAX_ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Judges rows that differed.
pub(super) struct Judge<'a> {
    pub(super) context: &'a Context,
    pub(super) comparer: &'a Comparer,
}

impl Judge<'_> {
    /// The keys among `suspects` whose ghost rows are wrong.
    pub(super) async fn faults(&self, conn: &mut Conn, suspects: Vec<Key>) -> Result<Vec<Key>> {
        let mut suspects = suspects;
        for _ in 0..PLAIN_LOOKS {
            if suspects.is_empty() {
                return Ok(suspects);
            }
            suspects = self.look_again(conn, &suspects).await?;
        }
        let mut faults = Vec::new();
        let mut holder = None;
        for keys in suspects.chunks(KEYS_PER_HOLD) {
            faults.extend(self.judge(conn, &mut holder, keys).await?);
        }
        Ok(faults)
    }

    /// The keys that still differ once everything known now is applied.
    async fn look_again(&self, conn: &mut Conn, keys: &[Key]) -> Result<Vec<Key>> {
        let position = Position::current(conn, self.context.upstream.flavor()).await?;
        self.context.follower.wait_applied(&position).await?;
        self.comparer.differing(conn, Rows::Keys(keys)).await
    }

    /// Judges `keys` under locks: together if they can be had at once, or else one by one.
    async fn judge(&self, conn: &mut Conn, holder: &mut Option<Conn>, keys: &[Key]) -> Result<Vec<Key>> {
        if let Some(faults) = self.judge_once(conn, holder, keys, false).await? {
            return Ok(faults);
        }
        let mut faults = Vec::new();
        for key in keys {
            faults.extend(self.judge_one(conn, holder, key).await?);
        }
        Ok(faults)
    }

    async fn judge_one(&self, conn: &mut Conn, holder: &mut Option<Conn>, key: &Key) -> Result<Vec<Key>> {
        let keys = std::slice::from_ref(key);
        for attempt in 0..MAX_ATTEMPTS {
            self.context.check_cancelled()?;
            // A row that stands still for a moment needs no lock.
            let suspects = self.comparer.differing(conn, Rows::Keys(keys)).await?;
            if suspects.is_empty() {
                return Ok(suspects);
            }
            if let Some(faults) = self.judge_once(conn, holder, keys, true).await? {
                return Ok(faults);
            }
            let jitter: f64 = rand::rng().random_range(0.5..1.0);
            tokio::time::sleep((FIRST_PAUSE * (attempt + 1)).mul_f64(jitter)).await;
        }
        self.context.follower.reconcile_now(keys.to_vec()).await?;
        tracing::debug!(table = %self.context.plan.source_name(), ?key, "a row is written all the time: reconciled");
        Ok(Vec::new())
    }

    /// One verdict under locks; `None` if they, or the applier, were not to be had in time.
    async fn judge_once(
        &self,
        conn: &mut Conn,
        holder: &mut Option<Conn>,
        keys: &[Key],
        wait: bool,
    ) -> Result<Option<Vec<Key>>> {
        let mut holding = match holder.take() {
            Some(conn) => conn,
            None => self.context.connect(self.comparer).await?,
        };
        let flavor = self.context.upstream.flavor();
        let locked = self.comparer.hold(&mut holding, keys, flavor, wait).await;
        let verdict = match locked {
            Ok(()) => self.verdict(conn, keys).await,
            Err(error) if is_contention(&error) => Ok(None),
            Err(error) => return Err(error),
        };
        holding.query_drop("ROLLBACK").await?;
        *holder = Some(holding);
        verdict
    }

    async fn verdict(&self, conn: &mut Conn, keys: &[Key]) -> Result<Option<Vec<Key>>> {
        let position = Position::current(conn, self.context.upstream.flavor()).await?;
        let applied = self.context.follower.wait_applied(&position);
        match tokio::time::timeout(LONGEST_HOLD, applied).await {
            Ok(applied) => applied?,
            Err(_) => return Ok(None),
        }
        self.comparer.differing(conn, Rows::Keys(keys)).await.map(Some)
    }
}

/// 1020: with `innodb_snapshot_isolation` a row that changed while it was waited for.
const CHANGED_SINCE_READ: u16 = 1020;

fn is_contention(error: &Error) -> bool {
    let changed = error
        .server()
        .is_some_and(|server| server.code == CHANGED_SINCE_READ);
    changed || (matches!(error, Error::Transient(_)) && !lost_connection(error))
}
