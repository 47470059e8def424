//! Before the first row is copied: what is to be done, and from where.

use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Shared;
use super::carry_out::unknown_error;
use super::outcome::{Altered, Outcome};
use super::phase::{Event, Phase};
use super::running::Running;
use super::store::{Record, Task};
use crate::alter::{self, NotOurs, ReadMode, Statement};
use crate::checkpoint::Frontier;
use crate::cut_over::{self, Where};
use crate::failpoint::{self, Failpoint};
use crate::ident::quoted_text;
use crate::indexes::{self, Attempt, Deferred};
use crate::owner_check::{self, OwnerCheck};
use crate::plan::Plan;
use crate::position::{self, Position};
use crate::preflight::Checked;
use crate::session::{SessionSettings, Upstream};
use crate::table::{Column, Table, same_definition};
use crate::{
    Error, Flavor, Refusal, Result, TableName, counter, ghost, names, preflight, statistics, triggers,
};

/// A migration that can begin to copy, or go on.
pub(super) struct Prepared {
    /// What it does.
    pub(super) plan: Arc<Plan>,
    /// From where the stream is followed.
    pub(super) start: Position,
    /// Up to where rows are copied already.
    pub(super) frontier: Frontier,
    /// Which indexes are built in the end.
    pub(super) deferred: Deferred,
}

/// What a resumed migration finds.
pub(super) enum Standing {
    /// It can go on.
    Ready(Box<Prepared>),
    /// An earlier attempt had swapped the tables, and did not live to say so.
    AlreadySwapped(Altered),
    /// The process that owned the table before has brought it to its end, and said so.
    Ended(Outcome),
}

/// Builds the ghost of a migration that begins, or begins afresh.
pub(super) async fn fresh(shared: &Shared, upstream: &Upstream, running: &Running) -> Result<Prepared> {
    let statement = understood(running.task(), upstream.flavor())?;
    let begun = begin(shared, upstream, running, &statement).await;
    begun.map_err(|error| match error {
        // Left to the server, the change would be made without the check that its own text asks for.
        Error::Refused(Refusal(reason)) if !statement.hints().is_empty() => owner_check::objection(
            format_args!("its check cannot be made, because the table cannot be altered online: {reason}"),
        ),
        other => other,
    })
}

async fn begin(
    shared: &Shared,
    upstream: &Upstream,
    running: &Running,
    statement: &Statement,
) -> Result<Prepared> {
    let task = running.task();
    let owner_checks = checks(shared, task)?;
    let mut conn = upstream.control().await?;
    let source = Table::load(&mut conn, &task.source).await?;
    let checked = preflight::check(statement, &source).map_err(Error::Refused)?;
    if running.id() == 0 {
        keep_strangers(shared, &mut conn, &source.name).await?;
        running.set_id(
            shared
                .store
                .accept(task, shared.config.keep_old_table.as_secs())
                .await?,
        );
    }
    tracing::info!(migration = running.id(), table = %source.name, statement = %task.statement, "the migration begins");
    failpoint::hit(Failpoint::Accepted);
    let plan = ghost::build(upstream, checked, &task.settings).await?;
    failpoint::hit(Failpoint::GhostBuilt);
    triggers_can_follow(&mut conn, &source).await?;
    owner_check::rehearse(upstream, &plan, &owner_checks).await?;
    let (plan, deferred) = put_off(upstream, &mut conn, plan, checked, running).await?;
    // The position comes before the first row is read and after the definition: a change of the definition in
    // between would be in neither.
    let start = Position::current(&mut conn, upstream.flavor()).await?;
    still_defined(&mut conn, &source).await?;
    let rows = estimate_rows(&mut conn, &source).await?;
    running.set_rows_estimated(rows);
    failpoint::hit(Failpoint::StartRead);
    shared
        .store
        .prepared(
            running.id(),
            &source.create,
            deferred.full(),
            plan.native_copies,
            &start.encode(),
            rows,
        )
        .await?;
    running.advance(Event::Prepared)?;
    failpoint::hit(Failpoint::Prepared);
    Ok(Prepared {
        plan: Arc::new(plan),
        start,
        frontier: Frontier::Nothing,
        deferred,
    })
}

/// Refuses where the triggers of the table could not be put on the altered one, or what they use is not to be known.
async fn triggers_can_follow(conn: &mut Conn, source: &Table) -> Result<()> {
    if source.surroundings.triggers.is_empty() {
        return Ok(());
    }
    let can_follow = async {
        let triggers = triggers::load(conn, &source.name).await?;
        triggers::rehearse(conn, &source.name, &triggers).await?;
        triggers::ghost_can_come(conn, &source.name).await?;
        triggers::neighbours(conn, source).await
    };
    match can_follow.await {
        Ok(_) => Ok(()),
        Err(Error::Answer(server)) => Err(Error::refused(server.message)),
        Err(other) => Err(other),
    }
}

/// The checks of the statement's comments, and those that the configuration has for its table.
pub(super) fn checks(shared: &Shared, task: &Task) -> Result<Vec<OwnerCheck>> {
    let statement = understood(task, shared.upstream.flavor())?;
    let mut checks = OwnerCheck::of_hints(statement.hints()).map_err(owner_check::objection)?;
    let configured = shared.config.checks.iter();
    checks.extend(configured.filter_map(|check| check.about(&task.source)));
    Ok(checks)
}

/// The ghost without what is better given to it in the end.
async fn put_off(
    upstream: &Upstream,
    conn: &mut Conn,
    plan: Plan,
    checked: Checked<'_>,
    running: &Running,
) -> Result<(Plan, Deferred)> {
    let settings = &running.task().settings;
    let kept = names::kept_statistics(running.id());
    statistics::keep(conn, upstream.flavor(), plan.ghost_name(), &kept).await?;
    let (plan, deferred) = without_indexes(upstream, conn, plan, checked, settings).await?;
    failpoint::hit(Failpoint::IndexesPutOff);
    let aside = names::aside(running.id());
    let (plan, deferred) = match counter::put_off(conn, upstream.flavor(), &plan, &aside).await? {
        counter::Attempt::Kept => (plan, deferred),
        counter::Attempt::PutOff => {
            failpoint::hit(Failpoint::CounterPutOff);
            (plan, deferred)
        }
        counter::Attempt::Spoiled => {
            let plan = ghost::build(upstream, checked, settings).await?;
            without_indexes(upstream, conn, plan, checked, settings).await?
        }
    };
    if plan.turns.are_taken() {
        tracing::info!(
            ghost = %plan.ghost_name(),
            "rows are inserted by one statement at a time: the server locks AUTO_INCREMENT for each, and would not with \
             innodb_autoinc_lock_mode=2"
        );
    }
    Ok((plan, deferred))
}

/// The ghost without the indexes that are better built in the end, or as it was where they would not come back the same.
async fn without_indexes(
    upstream: &Upstream,
    conn: &mut Conn,
    plan: Plan,
    checked: Checked<'_>,
    settings: &SessionSettings,
) -> Result<(Plan, Deferred)> {
    match indexes::put_off(conn, upstream.flavor(), &plan).await? {
        Attempt::Deferred(deferred) => Ok((plan, deferred)),
        Attempt::Spoiled => {
            tracing::debug!(table = %plan.source_name(), "the indexes are filled row by row");
            let plan = ghost::build(upstream, checked, settings).await?;
            let deferred = Deferred::until(&plan.ghost.create);
            Ok((plan, deferred))
        }
    }
}

/// Refuses where a table stands at one of the migration's names that no migration of ours has put there: it would be
/// dropped for a leftover. Asked before the migration has a record, since the end of one with a record clears its names.
async fn keep_strangers(shared: &Shared, conn: &mut Conn, source: &TableName) -> Result<()> {
    match cut_over::leftover(conn, source).await? {
        Some(table) if !shared.store.knows(source).await? => Err(Error::refused(format!(
            "{table} is not alterego's and has the name that the migration needs; move it away"
        ))),
        _ => Ok(()),
    }
}

/// Takes up a migration where its record says it stands.
pub(super) async fn resumed(
    shared: &Shared,
    upstream: &Upstream,
    running: &Running,
    record: Record,
) -> Result<Standing> {
    if let Some(outcome) = ended_elsewhere(&record) {
        return Ok(Standing::Ended(outcome));
    }
    running.stands(record.phase);
    let mut conn = upstream.control().await?;
    if record.phase == Phase::CuttingOver && is_swapped(shared, upstream, &mut conn, &record).await? {
        shared.gate.swapped(&record.task.source);
        failpoint::hit(Failpoint::FoundSwapped);
        return Ok(Standing::AlreadySwapped(altered_before(&record)));
    }
    match checkpointed(upstream.flavor(), &mut conn, &record).await? {
        Ok(prepared) => {
            running.advance(Event::Resumed)?;
            shared.store.enter(record.id, Phase::Copying, None).await?;
            failpoint::hit(Failpoint::Resumed);
            tracing::info!(migration = record.id, table = %record.task.source, rows = record.rows_copied, "the migration goes on from its checkpoint");
            Ok(Standing::Ready(Box::new(prepared)))
        }
        Err(reason) => {
            if record.phase != Phase::Preparing {
                running.advance(Event::StartOver)?;
                shared.store.enter(record.id, Phase::Preparing, None).await?;
            }
            tracing::info!(migration = record.id, table = %record.task.source, reason, "the migration starts over");
            failpoint::hit(Failpoint::StartingOver);
            Ok(Standing::Ready(Box::new(fresh(shared, upstream, running).await?)))
        }
    }
}

/// How the migration ended, if the process that owned the table before has brought it to its end.
fn ended_elsewhere(record: &Record) -> Option<Outcome> {
    match record.phase {
        Phase::Swapped | Phase::Done => Some(Outcome::Altered(altered_before(record))),
        Phase::Cancelled => Some(Outcome::Cancelled),
        Phase::Failed => {
            let message = record.message.clone().unwrap_or_default();
            Some(Outcome::Failed(unknown_error(&Error::fatal(message))))
        }
        Phase::Preparing | Phase::Copying | Phase::Indexing | Phase::Verifying | Phase::CuttingOver => None,
    }
}

/// What is known of a swap that another process has made.
fn altered_before(record: &Record) -> Altered {
    Altered {
        rows: if record.native_copies {
            record.rows_copied
        } else {
            0
        },
        ..Altered::default()
    }
}

/// Whether the ghost has the source's name, after completing what a crash of the server left half done.
///
/// The process that tried the swap is gone, but its session may not be yet, and its RENAME may be on its way. The look
/// waits behind the locks of that session: it gets past them when the session has ended, with or without a swap.
async fn is_swapped(shared: &Shared, upstream: &Upstream, conn: &mut Conn, record: &Record) -> Result<bool> {
    let source = &record.task.source;
    match conn
        .query_drop(format!("SELECT 1 FROM {source} LIMIT 0"))
        .await
        .map_err(Error::from)
    {
        // Not there: then a crash of the server has left the swap half done.
        Ok(()) | Err(Error::Answer(_)) => {}
        Err(error) => return Err(error),
    }
    match cut_over::look(conn, source).await? {
        Where::Swapped => Ok(true),
        Where::Halfway => {
            cut_over::finish(conn, source).await?;
            Ok(true)
        }
        Where::Unfinished => {
            let rest = cut_over::Rest {
                upstream,
                gate: shared.gate.as_ref(),
                source,
                budget: cut_over::DEFAULT_BUDGET,
            };
            cut_over::complete(&rest, &record.triggers).await?;
            Ok(true)
        }
        Where::Moved => {
            cut_over::undo(conn, source).await?;
            Ok(false)
        }
        Where::NotSwapped | Where::Alone | Where::Gone => Ok(false),
    }
}

/// The state a checkpoint speaks of, or why it cannot be gone on from.
async fn checkpointed(flavor: Flavor, conn: &mut Conn, record: &Record) -> Result<Result<Prepared, String>> {
    if record.phase == Phase::Preparing {
        return Ok(Err("it had not begun to copy".to_owned()));
    }
    let (Some(position), frontier) = (&record.position, &record.frontier) else {
        return Ok(Err("it has no checkpoint".to_owned()));
    };
    let start = Position::decode(position)?;
    let frontier = frontier
        .as_deref()
        .map_or(Ok(Frontier::Nothing), Frontier::decode)?;
    let source = Table::load(conn, &record.task.source).await?;
    if !same_definition(&source.create, &record.source_create) {
        return Err(Error::fatal(
            "the table's definition was changed while the migration stood still",
        ));
    }
    if let Err(missing) = position::can_resume(conn, flavor, &start).await? {
        return Ok(Err(missing));
    }
    let statement = understood(&record.task, flavor)?;
    match ghost::adopt(
        conn,
        &source,
        &statement,
        &record.task.settings,
        record.native_copies,
    )
    .await
    {
        Ok(mut plan) => {
            let deferred = deferred(record, &plan);
            counter::resume(conn, &mut plan, deferred.full(), &names::aside(record.id)).await?;
            Ok(Ok(Prepared {
                plan: Arc::new(plan),
                start,
                frontier,
                deferred,
            }))
        }
        Err(Error::Refused(reason)) => Ok(Err(format!("the ghost table is not as it was left: {reason}"))),
        Err(error) => Err(error),
    }
}

/// What the ghost is to look like; a record of an earlier version says nothing of it, and nothing was put off then.
fn deferred(record: &Record, plan: &Plan) -> Deferred {
    match record.ghost_create.as_str() {
        "" => Deferred::until(&plan.ghost.create),
        full => Deferred::until(full),
    }
}

fn understood(task: &Task, flavor: Flavor) -> Result<Statement> {
    let mode = ReadMode {
        ansi_quotes: task.ansi_quotes,
        no_backslash_escapes: task.no_backslash_escapes,
    };
    alter::understand(&task.statement, mode, flavor).map_err(|not_ours| match not_ours {
        NotOurs::Native(refusal) => Error::Refused(refusal),
        NotOurs::Unrelated => Error::refused("it is no change of a table"),
    })
}

/// Whether source and ghost are there with the columns they are known by.
pub(super) async fn still_stand(upstream: &Upstream, plan: &Plan) -> Result<bool> {
    let mut conn = upstream.control().await?;
    for known in [&plan.source, &plan.ghost] {
        match Table::load(&mut conn, &known.name).await {
            Ok(now) if same_columns(&now.columns, &known.columns) => {}
            Ok(_) | Err(Error::Answer(_) | Error::Refused(_)) => return Ok(false),
            Err(other) => return Err(other),
        }
    }
    Ok(true)
}

/// Whether the columns are the same but for their defaults, since MySQL writes that of a TIMESTAMP anew at each ALTER, an own
/// one included, in the time zone of the session; and but for AUTO_INCREMENT, which the ghost may be without for a while.
fn same_columns(now: &[Column], known: &[Column]) -> bool {
    let same = |(now, known): (&Column, &Column)| {
        *known
            == Column {
                default: known.default.clone(),
                auto_increment: known.auto_increment,
                ..now.clone()
            }
    };
    now.len() == known.len() && now.iter().zip(known).all(same)
}

async fn still_defined(conn: &mut Conn, source: &Table) -> Result<()> {
    let now = Table::load(conn, &source.name).await?;
    if same_definition(&now.create, &source.create) {
        Ok(())
    } else {
        Err(Error::refused(
            "another statement changed the table at the same moment",
        ))
    }
}

async fn estimate_rows(conn: &mut Conn, source: &Table) -> Result<u64> {
    let query = format!(
        "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA={} AND TABLE_NAME={}",
        quoted_text(source.name.schema.as_str()),
        quoted_text(source.name.table.as_str())
    );
    let rows: Option<Option<u64>> = conn.query_first(query).await?;
    Ok(rows.flatten().unwrap_or(0))
}
