//! One attempt at the swap: lock, drain, rename, within the budget.

use std::time::{Duration, Instant};

use futures_util::future::join;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::Instant as Deadline;

use super::handover::Standing;
use super::request::Request;
use super::sessions::{self, Sessions};
use super::{
    ClosedGate, Context, Known, Outcome, WatchedGate, Where, auto_increment, handover, look, refused,
    rename_sql, rivals,
};
use crate::binlog::OWN_COMMENT;
use crate::failpoint::{self, Failpoint};
use crate::ident::quoted_text;
use crate::position::Position;
use crate::triggers::Trigger;
use crate::{Error, Flavor, Ident, Result, TableName, names};

/// How often the waiting RENAME is looked for.
const BETWEEN_PROOFS: Duration = Duration::from_millis(1);
/// Attempts to reach a server that has to be asked what became of the RENAME.
const MAX_QUESTIONS: u32 = 20;
/// What is left of a swap once it has happened takes milliseconds a step, and what is not done by then can be done later.
const LONGEST_HANDOVER: Duration = Duration::from_secs(2);

/// One attempt, its sessions open.
pub(super) struct Attempt<'a> {
    context: &'a Context,
    sessions: Sessions,
    /// The source, and what is locked with it.
    tables: &'a [TableName],
    /// The drain was refused by the data: its error is the client's answer.
    refused_by_data: bool,
    /// The tables are to be swapped: on MariaDB there is a sentry, which has to be locked, too.
    swaps: bool,
}

/// Makes the follower go on at the end of an attempt that failed.
struct Paused<'a>(Option<&'a Context>);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.0 {
            context.follower.resume();
        }
    }
}

impl<'a> Attempt<'a> {
    pub(super) async fn prepare(context: &'a Context, tables: &'a [TableName]) -> Result<Self> {
        let sessions = Sessions::open(context).await?;
        Ok(Self {
            context,
            sessions,
            tables,
            refused_by_data: false,
            swaps: true,
        })
    }

    pub(super) fn control(&mut self) -> &mut Conn {
        &mut self.sessions.control
    }

    /// The attempt. The follower is at rest before the gate closes, so that the application does not wait for it.
    pub(super) async fn run(
        mut self,
        gate: &dyn WatchedGate,
        attempts: u32,
        known: Known,
    ) -> Result<Outcome> {
        let context = self.context;
        let mut paused = Paused(Some(context));
        context.follower.pause().await?;
        // Under the locks there is then seldom anything to raise, and the application does not wait for it.
        auto_increment::carry_over(&mut self.sessions.lock, &context.plan).await?;
        let mut gate = Some(gate.close());
        let began = Instant::now();
        tracing::debug!(table = %context.plan.source_name(), "the gate is closed");
        failpoint::hit(Failpoint::GateClosed);
        let deadline = Deadline::from_std(began + context.budget);
        let swapped = match &gate {
            Some(gate) => self.swap_by(deadline, gate.as_ref(), attempts, &known).await,
            None => Err(Error::fatal("the gate is not closed")),
        };
        let mut opened = None;
        let mut lock = None;
        let settled = match swapped {
            Ok(()) => {
                lock = Some(self.sessions.lock);
                Ok(None)
            }
            Err(why) => {
                let ids = self.sessions.ids();
                let refused_by_data = self.refused_by_data;
                // A statement given up at the deadline may have left its reply unread on any of these connections, and
                // the next one on it would take that for its own. So none of them is used again.
                drop(self.sessions);
                let open = || {
                    drop(gate.take());
                    opened.get_or_insert_with(|| began.elapsed());
                };
                let settled = what_happened(context, &ids, why, open).await;
                settled.map_err(|error| if refused_by_data { error } else { refused(error) })
            }
        };
        if matches!(settled, Ok(None)) {
            context.gate.swapped(context.plan.source_name());
        }
        drop(gate);
        let held = opened.unwrap_or_else(|| began.elapsed());
        match settled {
            Ok(None) => {
                paused.0 = None;
                let left = left_of(context, lock, known.triggers).await;
                Ok(Outcome::Swapped { held, left })
            }
            Ok(Some(why)) => Ok(Outcome::Missed { held, why }),
            Err(error) => {
                if matches!(error, Error::OutcomeUnknown(_)) {
                    paused.0 = None;
                }
                Err(error)
            }
        }
    }

    /// The attempt that ends with a snapshot of the drained tables. Why there is none, if it is to be tried again.
    pub(super) async fn snapshot(
        mut self,
        gate: &dyn WatchedGate,
        attempts: u32,
    ) -> Result<Result<Conn, String>> {
        let context = self.context;
        self.swaps = false;
        let mut reader = context.upstream.control().await?;
        let paused = Paused(Some(context));
        context.follower.pause().await?;
        let gate = gate.close();
        let deadline = Deadline::now() + context.budget;
        let opened =
            tokio::time::timeout_at(deadline, self.snapshot_on(&mut reader, gate.as_ref(), attempts));
        let why = match opened.await {
            Ok(Ok(())) => {
                // Should this fail, the end of the session gives the locks back.
                let _ = self.sessions.lock.query_drop("UNLOCK TABLES").await;
                return Ok(Ok(reader));
            }
            Ok(Err(why)) => why,
            Err(_) => over_budget("the locks and the drain"),
        };
        let (ids, refused_by_data) = (self.sessions.ids(), self.refused_by_data);
        // As after an attempt to swap, and for the same reasons.
        drop(self.sessions);
        let mut gate = Some(gate);
        let settled = what_happened(context, &ids, why, || drop(gate.take())).await;
        drop((gate, paused));
        match settled {
            Ok(Some(why)) => Ok(Err(why)),
            Ok(None) => Err(Error::fatal("the tables were swapped by somebody else")),
            Err(error) if refused_by_data => Err(error),
            Err(error) => Err(refused(error)),
        }
    }

    async fn snapshot_on(&mut self, reader: &mut Conn, gate: &dyn ClosedGate, attempts: u32) -> Result<()> {
        self.lock_and_drain(gate, attempts).await?;
        reader
            .query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .await?;
        reader
            .query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            .await?;
        // Nobody has written while the snapshot was opened.
        prove_locked(&mut self.sessions.lock, self.context.plan.source_name()).await
    }

    async fn swap_by(
        &mut self,
        deadline: Deadline,
        gate: &dyn ClosedGate,
        attempts: u32,
        known: &Known,
    ) -> Result<()> {
        match tokio::time::timeout_at(deadline, self.lock_and_drain(gate, attempts)).await {
            Ok(done) => done?,
            Err(_) => return Err(over_budget("the locks and the drain")),
        }
        match self.context.upstream.flavor() {
            Flavor::MySql if !known.triggers.is_empty() => self.hand_over(deadline, known).await?,
            Flavor::MySql => self.rename_here(deadline).await?,
            Flavor::MariaDb => self.rename_there(deadline).await?,
        }
        Ok(())
    }

    async fn lock_and_drain(&mut self, gate: &dyn ClosedGate, attempts: u32) -> Result<()> {
        let plan = &self.context.plan;
        let flavor = self.context.upstream.flavor();
        let source = plan.source_name();
        let mut locked = vec![source.clone(), plan.ghost_name().clone()];
        if flavor == Flavor::MariaDb && self.swaps {
            locked.push(names::old(source));
        }
        let request = Request {
            flavor,
            locked: &locked,
            in_use: self.tables,
            budget: self.context.budget,
        };
        let Sessions { lock, control, .. } = &mut self.sessions;
        request.take(lock, control, gate, attempts).await?;
        tracing::debug!(table = %source, "the tables are locked");
        failpoint::hit(Failpoint::TablesLocked);
        let end = Position::current(control, flavor).await?;
        let drained = match self.context.follower.drain_on(lock, &end).await {
            Ok(drained) => drained,
            Err(error) => {
                self.refused_by_data = matches!(error, Error::Answer(_));
                return Err(error);
            }
        };
        failpoint::hit(Failpoint::Drained);
        tracing::debug!(table = %source, drained, "everything is applied under the locks");
        auto_increment::carry_over(lock, plan).await?;
        prove_locked(lock, source).await
    }

    /// MySQL, for a table with triggers: the session that holds the locks takes all steps but the last, which needs none.
    async fn hand_over(&mut self, deadline: Deadline, known: &Known) -> Result<()> {
        let Context { plan, budget, .. } = self.context;
        let (source, triggers) = (plan.source_name(), known.triggers.as_slice());
        let lock = &mut self.sessions.lock;
        // A request that insists is granted late, so little must be enough.
        if Deadline::now() + *budget / 5 > deadline {
            return Err(over_budget("the locks and the drain"));
        }
        handover::still_are(lock, source, &known.description).await?;
        // Somebody may hold up every change of a definition. Until the tables are swapped all can be taken back; but that
        // takes as long as the steps do, so these have a time of their own.
        match tokio::time::timeout_at(deadline + *budget, handover::swap(lock, source, triggers)).await {
            Ok(done) => done?,
            Err(_) => return Err(over_budget("the swap")),
        }
        let standing = Standing::just_swapped(source, triggers);
        let handed_over = async {
            handover::hand_over(lock, source, triggers, standing).await?;
            Ok(lock.query_drop("UNLOCK TABLES").await?)
        };
        match tokio::time::timeout(LONGEST_HANDOVER, handed_over).await {
            Ok(done) => done,
            Err(_) => Err(over_budget("the triggers")),
        }
    }

    /// MySQL: the session that holds the locks renames.
    async fn rename_here(&mut self, deadline: Deadline) -> Result<()> {
        let sql = rename_sql(self.context.plan.source_name());
        failpoint::hit(Failpoint::RenameDue);
        let lock = &mut self.sessions.lock;
        match tokio::time::timeout_at(deadline, lock.query_drop(sql)).await {
            Ok(renamed) => renamed?,
            Err(_) => return Err(over_budget("RENAME")),
        }
        failpoint::hit(Failpoint::Renamed);
        // The swap has happened. Should this fail, the end of the session gives the locks back.
        let _ = lock.query_drop("UNLOCK TABLES").await;
        Ok(())
    }

    /// MariaDB: a second session renames as soon as the first gives the locks back.
    async fn rename_there(&mut self, deadline: Deadline) -> Result<()> {
        let source = self.context.plan.source_name();
        let sql = rename_sql(source);
        let Sessions {
            lock,
            rename: Some(rename),
            control,
        } = &mut self.sessions
        else {
            return Err(Error::fatal("the session that renames is missing"));
        };
        let rename_id = rename.id();
        let own = [lock.id(), rename_id, control.id()];
        let release = async {
            let proof = match prove_waiting(control, rename_id, self.context, deadline).await {
                Ok(()) => rivals::none(control, &own, source).await,
                late => late,
            };
            if let Err(error) = proof {
                sessions::kill(control, rename_id).await?;
                return Err(error);
            }
            failpoint::hit(Failpoint::RenameDue);
            lock.query_drop(format!("DROP TABLE {} {OWN_COMMENT}", names::old(source)))
                .await?;
            failpoint::hit(Failpoint::SentryDropped);
            // From here on the RENAME goes on however this session ends, and rightly so.
            Ok(lock.query_drop("UNLOCK TABLES").await?)
        };
        let (renamed, released) = join(rename.query_drop(sql), release).await;
        released?;
        renamed?;
        failpoint::hit(Failpoint::Renamed);
        Ok(())
    }
}

/// The last step for a table with triggers, with the gate open again. Its triggers, if something of the swap is left to do:
/// it was interrupted, or this step fails.
async fn left_of(context: &Context, lock: Option<Conn>, triggers: Vec<Trigger>) -> Option<Vec<Trigger>> {
    if triggers.is_empty() {
        return None;
    }
    let Some(mut lock) = lock else {
        return Some(triggers);
    };
    let moved = handover::move_last(&mut lock, context.plan.source_name()).await;
    moved.is_err().then_some(triggers)
}

/// Ends the attempt's sessions, then looks. `None`: it is swapped after all; `Some`: it is not, and why. In that case the
/// gate is opened as soon as that is known: what has to be taken back of the attempt disturbs nobody.
async fn what_happened(
    context: &Context,
    ids: &[u32],
    why: Error,
    mut open: impl FnMut(),
) -> Result<Option<String>> {
    for _ in 0..MAX_QUESTIONS {
        match end_and_look(context, ids, &mut open).await {
            Ok(Where::Swapped | Where::Unfinished) => {
                // RENAME has taken longer than the budget, or its answer was lost.
                failpoint::hit(Failpoint::Renamed);
                return Ok(None);
            }
            Ok(Where::NotSwapped) => return put_off_or_fail(why),
            Ok(other) => {
                return Err(Error::OutcomeUnknown(format!(
                    "after RENAME the tables are {other:?}: {why}"
                )));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
    Err(Error::OutcomeUnknown(format!(
        "RENAME was sent and the server cannot be asked: {why}"
    )))
}

async fn end_and_look(context: &Context, ids: &[u32], open: &mut impl FnMut()) -> Result<Where> {
    // The server may have been started again: what it did with the RENAME is asked all the same.
    let mut control = context.upstream.in_any_run().control().await?;
    // After a restart of the server these ids could be another's, but then ours are gone, too.
    if ids.iter().all(|id| *id < control.id()) {
        sessions::end(&mut control, ids).await?;
    }
    let source = context.plan.source_name();
    let mut place = look(&mut control, source).await?;
    if matches!(place, Where::Moved | Where::NotSwapped) {
        open();
    }
    if place == Where::Moved {
        handover::undo(&mut control, source).await?;
        place = Where::NotSwapped;
    }
    // Nothing is lost with a session that does not say good-bye.
    let _ = control.disconnect().await;
    Ok(place)
}

/// Shows that the session still holds its table locks: a `START TRANSACTION` in the drain would have given them back
/// without a word. Under LOCK TABLES a table that is not locked cannot be read (1100), even one that does not exist.
async fn prove_locked(lock: &mut Conn, source: &TableName) -> Result<()> {
    const NOT_LOCKED: u16 = 1100;
    let unlocked = TableName {
        schema: names::ghost(source).schema,
        table: Ident::new("alterego_not_locked"),
    };
    let read = lock
        .query_drop(format!("SELECT 1 FROM {unlocked} LIMIT 1"))
        .await
        .map_err(Error::from);
    match read {
        Err(error) if error.server().is_some_and(|server| server.code == NOT_LOCKED) => Ok(()),
        Err(error) if matches!(error, Error::Transient(_)) => Err(error),
        _ => Err(Error::fatal("the table locks were given back before the swap")),
    }
}

/// Waits until RENAME is seen to wait for the table lock of the source.
///
/// It requests its locks in name order, and the source's, which sorts first, is held. So the first table lock it waits
/// for is the source's; where the lock queue can be read, it is read, too.
async fn prove_waiting(control: &mut Conn, id: u32, context: &Context, deadline: Deadline) -> Result<()> {
    let source = context.plan.source_name();
    let waiting = format!(
        "SELECT COUNT(*) FROM information_schema.processlist \
         WHERE id = {id} AND state = 'Waiting for table metadata lock' AND info = {}",
        quoted_text(&rename_sql(source))
    );
    let queue = format!(
        "SELECT COUNT(*), COALESCE(SUM(m.lock_status = 'PENDING' AND m.object_schema = {} AND m.object_name = {}), 0) \
         FROM performance_schema.metadata_locks m \
         JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id WHERE t.processlist_id = {id}",
        quoted_text(source.schema.as_str()),
        quoted_text(source.table.as_str()),
    );
    while Deadline::now() < deadline {
        let waits = control
            .query_first::<u64, _>(waiting.as_str())
            .await?
            .unwrap_or(0)
            == 1;
        // Off, not instrumented or not readable: then there is nothing to contradict the state.
        let queued: Option<(u64, u64)> = match waits {
            true => control.query_first(queue.as_str()).await.unwrap_or(None),
            false => None,
        };
        if waits && queued.is_none_or(|(locks, pending)| locks == 0 || pending > 0) {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_PROOFS).await;
    }
    Err(over_budget("RENAME's way to the lock"))
}

fn over_budget(step: &str) -> Error {
    Error::Transient(mysql_async::Error::Other(
        format!("{step} took longer than the budget").into(),
    ))
}

/// Nothing has happened: whether another attempt makes sense.
fn put_off_or_fail(why: Error) -> Result<Option<String>> {
    /// The sentry was still there when RENAME got its locks: the locking session died early (MariaDB).
    const TABLE_EXISTS: u16 = 1050;
    match why {
        Error::Transient(_) => Ok(Some(why.to_string())),
        // The end of another migration removed the old tables' schema while it was empty. RENAME is all or nothing.
        _ if why.is_unknown_schema() => Ok(Some(why.to_string())),
        Error::Answer(ref server) if server.code == TABLE_EXISTS => Ok(Some(why.to_string())),
        other => Err(other),
    }
}
