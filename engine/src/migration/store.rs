//! The state of every migration, kept in the upstream itself, so that any proxy can take one over.
//!
//! # Invariant
//! What a checkpoint row says is already durable when the row is written: ghost rows are committed before the
//! ledger hears of them, and a server that loses its last commits in a crash loses them in commit order, the
//! checkpoint first.

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, FromRowError, Row, params};
use tokio::sync::{Mutex, MutexGuard};

use super::native::Native;
use super::phase::Phase;
use super::way::Way;
use crate::binlog::OWN_COMMENT;
use crate::counters::Counters;
use crate::names::STATE_SCHEMA;
use crate::session::{SessionSettings, Upstream};
use crate::{Error, Result, TableName};

/// What is known of a migration from the moment it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The table.
    pub source: TableName,
    /// The client's statement, unchanged.
    pub statement: String,
    /// How its session read it: `ANSI_QUOTES`.
    pub ansi_quotes: bool,
    /// How its session read it: `NO_BACKSLASH_ESCAPES`.
    pub no_backslash_escapes: bool,
    /// Its session's settings.
    pub settings: SessionSettings,
}

/// A migration as the state table has it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Its number.
    pub id: u64,
    /// What is to be done.
    pub task: Task,
    /// Which way it was taken.
    pub way: Way,
    /// Why it was left to the server, where it was.
    pub reason: Option<String>,
    /// How far it came.
    pub phase: Phase,
    /// `SHOW CREATE TABLE` of the source when the ghost was built.
    pub source_create: String,
    /// `SHOW CREATE TABLE` of the ghost, with the indexes that are built in the end.
    pub ghost_create: String,
    /// Whether the server itself would have copied the table.
    pub native_copies: bool,
    /// What the cut-over has to know of the source's triggers to finish a swap.
    pub triggers: String,
    /// The checkpoint's stream position, encoded.
    pub position: Option<String>,
    /// The checkpoint's row copy frontier, encoded.
    pub frontier: Option<String>,
    /// Rows copied so far.
    pub rows_copied: u64,
    /// Rows the table was believed to have.
    pub rows_estimated: u64,
    /// Keys reconciled so far.
    pub changes_applied: u64,
    /// Rows verification found wrong and repaired.
    pub rows_repaired: u64,
    /// Attempts at the cut-over.
    pub cut_over_attempts: u64,
    /// The longest time that one of them held the application's statements, in microseconds.
    pub longest_hold_us: u64,
    /// Seconds since it was accepted, until now or its end.
    pub age_seconds: u64,
    /// How long the replaced table is kept after the swap, in seconds.
    pub keep_seconds: u64,
    /// Seconds since the swap, once it happened.
    pub swapped_seconds_ago: Option<u64>,
    /// How it ended, where it ended badly.
    pub message: Option<String>,
}

/// Access to the state table over one connection that is opened when first needed and again when lost.
#[derive(Debug)]
pub(crate) struct Store {
    upstream: Upstream,
    conn: Mutex<Option<Conn>>,
}

const COLUMNS: &str = "id, source_schema, source_table, statement, ansi_quotes, no_backslash_escapes, sql_mode, \
     time_zone, character_set_client, collation_connection, foreign_key_checks, way, reason, phase, source_create, ghost_create, native_copies, triggers, \
     position, frontier, rows_copied, rows_estimated, changes_applied, rows_repaired, \
     cut_over_attempts, longest_hold_us, \
     CAST(TIMESTAMPDIFF(SECOND, accepted_at, COALESCE(ended_at, NOW(6))) AS UNSIGNED) AS age_seconds, keep_seconds, \
     CAST(TIMESTAMPDIFF(SECOND, swapped_at, NOW(6)) AS UNSIGNED) AS swapped_seconds_ago, message";

/// What was not in the first version's table, and how it is added.
const ADDED_COLUMNS: [(&str, &str); 7] = [
    ("ghost_create", "LONGTEXT NOT NULL AFTER source_create"),
    (
        "rows_repaired",
        "BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER changes_applied",
    ),
    ("triggers", "LONGTEXT AFTER native_copies"),
    (
        "cut_over_attempts",
        "BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER rows_repaired",
    ),
    (
        "longest_hold_us",
        "BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER cut_over_attempts",
    ),
    (
        "way",
        "VARCHAR(16) NOT NULL DEFAULT 'ghost' AFTER foreign_key_checks",
    ),
    ("reason", "TEXT AFTER way"),
];

/// Of which rows the engine was at work: one for what the server did itself has no session settings.
const WAS_AT_WORK: &str = "character_set_client <> ''";

/// Records of schema changes that the server carried out itself are kept for as many records as this.
const NATIVE_KEPT: u64 = 1_000;

impl Store {
    /// The store of `upstream`; nothing is touched yet.
    pub(super) fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            conn: Mutex::new(None),
        }
    }

    /// Creates the state schema and table where they are missing.
    ///
    /// # Errors
    /// Those of the statements, a missing privilege among them.
    pub(super) async fn install(&self) -> Result<()> {
        self.run(
            format!("CREATE DATABASE IF NOT EXISTS {STATE_SCHEMA} CHARACTER SET utf8mb4"),
            (),
        )
        .await?;
        self.run(
            format!(
                "CREATE TABLE IF NOT EXISTS {STATE_SCHEMA}.migrations (
                    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
                    source_schema VARCHAR(64) NOT NULL,
                    source_table VARCHAR(64) NOT NULL,
                    statement LONGTEXT NOT NULL,
                    ansi_quotes BOOLEAN NOT NULL,
                    no_backslash_escapes BOOLEAN NOT NULL,
                    sql_mode VARCHAR(1024) NOT NULL,
                    time_zone VARCHAR(64) NOT NULL,
                    character_set_client VARCHAR(64) NOT NULL,
                    collation_connection VARCHAR(64) NOT NULL,
                    foreign_key_checks BOOLEAN NOT NULL,
                    way VARCHAR(16) NOT NULL DEFAULT 'ghost',
                    reason TEXT,
                    phase VARCHAR(16) NOT NULL,
                    source_create LONGTEXT NOT NULL,
                    ghost_create LONGTEXT NOT NULL,
                    native_copies BOOLEAN NOT NULL DEFAULT FALSE,
                    triggers LONGTEXT,
                    position LONGTEXT,
                    frontier LONGTEXT,
                    rows_copied BIGINT UNSIGNED NOT NULL DEFAULT 0,
                    rows_estimated BIGINT UNSIGNED NOT NULL DEFAULT 0,
                    changes_applied BIGINT UNSIGNED NOT NULL DEFAULT 0,
                    rows_repaired BIGINT UNSIGNED NOT NULL DEFAULT 0,
                    cut_over_attempts BIGINT UNSIGNED NOT NULL DEFAULT 0,
                    longest_hold_us BIGINT UNSIGNED NOT NULL DEFAULT 0,
                    keep_seconds BIGINT UNSIGNED NOT NULL DEFAULT 0,
                    accepted_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                    swapped_at DATETIME(6),
                    ended_at DATETIME(6),
                    message TEXT,
                    KEY phase (phase)
                 ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='alterego: one row a schema change'"
            ),
            (),
        )
        .await?;
        self.complete().await
    }

    /// Adds what a state table of an earlier version lacks.
    async fn complete(&self) -> Result<()> {
        for (column, definition) in ADDED_COLUMNS {
            let mut session = self.session().await?;
            let columns = format!("SHOW COLUMNS FROM {STATE_SCHEMA}.migrations LIKE '{column}'");
            let found = session.conn.query_first::<Row, _>(columns).await;
            if session.done(found)?.is_none() {
                let add = format!(
                    "ALTER TABLE {STATE_SCHEMA}.migrations ADD COLUMN {column} {definition} {OWN_COMMENT}"
                );
                self.run(add, ()).await?;
            }
        }
        Ok(())
    }

    /// Records a migration that is accepted but not begun; returns its number.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn accept(&self, task: &Task, keep_seconds: u64) -> Result<u64> {
        match self.insert(task, keep_seconds).await {
            // Somebody has removed it since it was created.
            Err(Error::Answer(_)) if !self.is_installed().await? => {
                self.install().await?;
                self.insert(task, keep_seconds).await
            }
            other => other,
        }
    }

    async fn insert(&self, task: &Task, keep_seconds: u64) -> Result<u64> {
        let mut session = self.session().await?;
        let result = session
            .conn
            .exec_drop(
                format!(
                    "INSERT INTO {STATE_SCHEMA}.migrations (source_schema, source_table, statement, ansi_quotes, \
                     no_backslash_escapes, sql_mode, time_zone, character_set_client, collation_connection, \
                     foreign_key_checks, phase, source_create, ghost_create, keep_seconds) VALUES (:schema, :table, :statement, \
                     :ansi, :backslash, :mode, :zone, :charset, :collation, :fk, :phase, '', '', :keep)"
                ),
                params! {
                    "schema" => task.source.schema.as_str(),
                    "table" => task.source.table.as_str(),
                    "statement" => &task.statement,
                    "ansi" => task.ansi_quotes,
                    "backslash" => task.no_backslash_escapes,
                    "mode" => &task.settings.sql_mode,
                    "zone" => &task.settings.time_zone,
                    "charset" => &task.settings.character_set_client,
                    "collation" => &task.settings.collation_connection,
                    "fk" => task.settings.foreign_key_checks,
                    "phase" => Phase::Preparing.as_str(),
                    "keep" => keep_seconds,
                },
            )
            .await;
        let id = session.conn.last_insert_id();
        session.done(result)?;
        id.ok_or_else(|| Error::fatal("the state table gave the migration no number"))
    }

    /// Records that the ghost stands and from where the stream is followed.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn prepared(
        &self,
        id: u64,
        source_create: &str,
        ghost_create: &str,
        native_copies: bool,
        position: &str,
        rows: u64,
    ) -> Result<()> {
        self.run(
            format!(
                "UPDATE {STATE_SCHEMA}.migrations SET phase=:phase, source_create=:create, ghost_create=:ghost, native_copies=:copies, \
                 position=:position, frontier=NULL, rows_copied=0, rows_estimated=:rows WHERE id=:id"
            ),
            params! {
                "phase" => Phase::Copying.as_str(),
                "create" => source_create,
                "ghost" => ghost_create,
                "copies" => native_copies,
                "position" => position,
                "rows" => rows,
                "id" => id,
            },
        )
        .await
    }

    /// Records a checkpoint and what has been counted by then.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn checkpoint(
        &self,
        id: u64,
        position: &str,
        frontier: &str,
        rows: u64,
        changes: u64,
    ) -> Result<()> {
        self.run(
            format!(
                "UPDATE {STATE_SCHEMA}.migrations SET position=:position, frontier=:frontier, rows_copied=:rows, \
                 changes_applied=:changes WHERE id=:id"
            ),
            params! { "position" => position, "frontier" => frontier, "rows" => rows, "changes" => changes, "id" => id },
        )
        .await
    }

    /// Records what has been counted, for people to read.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn counted(&self, id: u64, counters: &Counters) -> Result<()> {
        self.run(
            format!(
                "UPDATE {STATE_SCHEMA}.migrations SET rows_copied=:rows, changes_applied=:changes, \
                 rows_repaired=:repaired, cut_over_attempts=:attempts, longest_hold_us=:hold WHERE id=:id"
            ),
            params! {
                "rows" => counters.rows_copied.get(),
                "changes" => counters.changes_applied.get(),
                "repaired" => counters.rows_repaired.get(),
                "attempts" => counters.cut_over_attempts.get(),
                "hold" => counters.longest_hold_us.get(),
                "id" => id,
            },
        )
        .await
    }

    /// Records a phase of a migration that goes on.
    ///
    /// # Errors
    /// [`Error::Fatal`] if the record is gone: nobody could finish what a crash interrupts. Those of the statement.
    pub(super) async fn go_on(&self, id: u64, phase: Phase) -> Result<()> {
        let entered = self.enter(id, phase, None).await;
        match entered {
            Err(Error::Answer(error)) => Err(Error::fatal(format!("its state cannot be recorded: {error}"))),
            Ok(()) if !self.has(id).await? => Err(Error::fatal(format!(
                "its record in {STATE_SCHEMA}.migrations was removed by somebody else"
            ))),
            other => other,
        }
    }

    /// Records that the swap is about to be tried, and what is needed to finish it.
    ///
    /// # Errors
    /// As [`Self::go_on`].
    pub(super) async fn cutting_over(&self, id: u64, triggers: &str) -> Result<()> {
        let sql = format!("UPDATE {STATE_SCHEMA}.migrations SET triggers=:triggers WHERE id=:id");
        match self
            .run(sql, params! { "triggers" => triggers, "id" => id })
            .await
        {
            Err(Error::Answer(error)) => Err(Error::fatal(format!("its state cannot be recorded: {error}"))),
            Err(other) => Err(other),
            Ok(()) => self.go_on(id, Phase::CuttingOver).await,
        }
    }

    async fn has(&self, id: u64) -> Result<bool> {
        let mut session = self.session().await?;
        let found = session
            .conn
            .query_first::<u8, _>(format!("SELECT 1 FROM {STATE_SCHEMA}.migrations WHERE id={id}"))
            .await;
        Ok(session.done(found)?.is_some())
    }

    /// Whether the state table is there.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn is_installed(&self) -> Result<bool> {
        let mut session = self.session().await?;
        let found = session
            .conn
            .query_first::<u8, _>(format!(
                "SELECT 1 FROM information_schema.tables WHERE table_schema='{STATE_SCHEMA}' AND table_name='migrations'"
            ))
            .await;
        Ok(session.done(found)?.is_some())
    }

    /// Records a phase.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn enter(&self, id: u64, phase: Phase, message: Option<&str>) -> Result<()> {
        self.run(
            format!(
                "UPDATE {STATE_SCHEMA}.migrations SET phase=:phase, message=:message, \
                 swapped_at=IF(:swapped, COALESCE(swapped_at, NOW(6)), swapped_at), \
                 ended_at=IF(:ended, NOW(6), NULL) WHERE id=:id"
            ),
            params! {
                "phase" => phase.as_str(),
                "message" => message,
                "swapped" => phase.is_swapped(),
                "ended" => phase.is_final(),
                "id" => id,
            },
        )
        .await
    }

    /// Records that a migration ended without a swap; what it leaves behind is still there.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn end(&self, id: u64, phase: Phase, message: &str) -> Result<()> {
        self.run(
            format!("UPDATE {STATE_SCHEMA}.migrations SET phase=:phase, message=:message WHERE id=:id"),
            params! { "phase" => phase.as_str(), "message" => message, "id" => id },
        )
        .await
    }

    /// Records why a migration that has ended was left to the server.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn refused(&self, id: u64, reason: &str) -> Result<()> {
        self.run(
            format!("UPDATE {STATE_SCHEMA}.migrations SET way=:way, reason=:reason WHERE id=:id"),
            params! { "way" => Way::Native.as_str(), "reason" => reason, "id" => id },
        )
        .await
    }

    /// Records what the server carried out itself, and forgets what is long ago.
    ///
    /// # Errors
    /// Those of the statements.
    pub(super) async fn note(&self, native: &Native) -> Result<()> {
        if let Some(id) = native.record {
            return self
                .run(
                    format!(
                        "UPDATE {STATE_SCHEMA}.migrations SET phase=:phase, message=NULL WHERE id=:id AND way=:way"
                    ),
                    params! { "phase" => Phase::Done.as_str(), "id" => id, "way" => Way::Native.as_str() },
                )
                .await;
        }
        self.run(
            format!(
                "INSERT INTO {STATE_SCHEMA}.migrations (source_schema, source_table, statement, ansi_quotes, \
                 no_backslash_escapes, sql_mode, time_zone, character_set_client, collation_connection, \
                 foreign_key_checks, way, reason, phase, source_create, ghost_create, ended_at) VALUES (:schema, :table, \
                 :statement, FALSE, FALSE, '', '', '', '', TRUE, :way, :reason, :phase, '', '', NOW(6))"
            ),
            params! {
                "schema" => native.source.schema.as_str(),
                "table" => native.source.table.as_str(),
                "statement" => &native.statement,
                "way" => native.way.as_str(),
                "reason" => native.reason.as_deref(),
                "phase" => Phase::Done.as_str(),
            },
        )
        .await?;
        self.run(
            format!(
                "DELETE FROM {STATE_SCHEMA}.migrations WHERE way <> 'ghost' AND NOT ({WAS_AT_WORK}) \
                 AND id + {NATIVE_KEPT} <= LAST_INSERT_ID()"
            ),
            (),
        )
        .await
    }

    /// Records that a migration which ended without a swap has left nothing behind.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn tidied(&self, id: u64) -> Result<()> {
        self.run(
            format!("UPDATE {STATE_SCHEMA}.migrations SET ended_at=COALESCE(ended_at, NOW(6)) WHERE id=:id"),
            params! { "id" => id },
        )
        .await
    }

    /// Whether a migration after `id` works on `source`, or has left something behind there.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn is_succeeded(&self, id: u64, source: &TableName) -> Result<bool> {
        self.is_there("id > :id AND ended_at IS NULL", id, source).await
    }

    /// Whether a migration after `id` has replaced `source` again.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn replaced_since(&self, id: u64, source: &TableName) -> Result<bool> {
        self.is_there(
            "id > :id AND phase IN ('cutting over', 'swapped', 'done') AND way = 'ghost'",
            id,
            source,
        )
        .await
    }

    /// Whether there is a migration of `source` of which `condition` is true.
    async fn is_there(&self, condition: &str, id: u64, source: &TableName) -> Result<bool> {
        let mut session = self.session().await?;
        let result = session
            .conn
            .exec_first(
                format!(
                    "SELECT 1 FROM {STATE_SCHEMA}.migrations WHERE source_schema=:schema AND source_table=:table \
                     AND {condition} LIMIT 1"
                ),
                params! { "id" => id, "schema" => source.schema.as_str(), "table" => source.table.as_str() },
            )
            .await;
        Ok(session.done::<Option<u8>>(result)?.is_some())
    }

    /// Whether any migration has worked on `source`: what it left behind is ours.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn knows(&self, source: &TableName) -> Result<bool> {
        self.is_there(&format!("id > :id AND {WAS_AT_WORK}"), 0, source)
            .await
    }

    /// The migrations that have not ended, or that have left something behind, oldest first.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn unfinished(&self) -> Result<Vec<Record>> {
        self.select("WHERE ended_at IS NULL ORDER BY id").await
    }

    /// The migration with this number.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn record(&self, id: u64) -> Result<Option<Record>> {
        let found = self.select(&format!("WHERE id = {id}")).await?;
        Ok(found.into_iter().next())
    }

    /// The unfinished migrations, the last ended ones, and what the server did itself lately.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn recent(&self) -> Result<Vec<Record>> {
        let mut recent = self
            .select(
                "WHERE way = 'ghost' ORDER BY phase IN ('done', 'failed', 'cancelled'), id DESC LIMIT 100",
            )
            .await?;
        recent.extend(
            self.select("WHERE way <> 'ghost' ORDER BY id DESC LIMIT 100")
                .await?,
        );
        Ok(recent)
    }

    async fn session(&self) -> Result<Session<'_>> {
        let mut slot = self.conn.lock().await;
        let conn = match slot.take() {
            Some(conn) => conn,
            None => self.upstream.control().await?,
        };
        Ok(Session { slot, conn })
    }

    async fn select(&self, rest: &str) -> Result<Vec<Record>> {
        let mut session = self.session().await?;
        let result = session
            .conn
            .query(format!("SELECT {COLUMNS} FROM {STATE_SCHEMA}.migrations {rest}"))
            .await;
        session.done(result)
    }

    async fn run(&self, statement: String, params: impl Into<mysql_async::Params> + Send) -> Result<()> {
        let mut session = self.session().await?;
        let params = params.into();
        // DDL goes as text: preparing it gains nothing, and some of it cannot be prepared.
        let result = match params {
            mysql_async::Params::Empty => session.conn.query_drop(statement).await,
            params => session.conn.exec_drop(statement, params).await,
        };
        session.done(result)
    }
}

/// The store's connection while a statement runs on it.
///
/// It is out of its slot meanwhile: a statement that is given up takes its connection with it, and the next one never
/// finds half a reply there.
struct Session<'a> {
    slot: MutexGuard<'a, Option<Conn>>,
    conn: Conn,
}

impl Session<'_> {
    /// Gives the connection back, unless it failed otherwise than by the server's word.
    fn done<T>(mut self, result: mysql_async::Result<T>) -> Result<T> {
        if matches!(result, Ok(_) | Err(mysql_async::Error::Server(_))) {
            *self.slot = Some(self.conn);
        }
        Ok(result?)
    }
}

impl FromRow for Record {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        read(&mut row).ok_or(FromRowError(row))
    }
}

fn read(row: &mut Row) -> Option<Record> {
    let phase: String = row.take("phase")?;
    Some(Record {
        id: row.take("id")?,
        task: Task {
            source: TableName::new(
                row.take::<String, _>("source_schema")?,
                row.take::<String, _>("source_table")?,
            ),
            statement: row.take("statement")?,
            ansi_quotes: row.take("ansi_quotes")?,
            no_backslash_escapes: row.take("no_backslash_escapes")?,
            settings: SessionSettings {
                sql_mode: row.take("sql_mode")?,
                time_zone: row.take("time_zone")?,
                character_set_client: row.take("character_set_client")?,
                collation_connection: row.take("collation_connection")?,
                foreign_key_checks: row.take("foreign_key_checks")?,
            },
        },
        way: row.take::<String, _>("way")?.parse().ok()?,
        reason: row.take("reason")?,
        phase: phase.parse().ok()?,
        source_create: row.take("source_create")?,
        ghost_create: row.take("ghost_create")?,
        native_copies: row.take("native_copies")?,
        triggers: row.take::<Option<String>, _>("triggers")?.unwrap_or_default(),
        position: row.take("position")?,
        frontier: row.take("frontier")?,
        rows_copied: row.take("rows_copied")?,
        rows_estimated: row.take("rows_estimated")?,
        changes_applied: row.take("changes_applied")?,
        rows_repaired: row.take("rows_repaired")?,
        cut_over_attempts: row.take("cut_over_attempts")?,
        longest_hold_us: row.take("longest_hold_us")?,
        age_seconds: row.take("age_seconds")?,
        keep_seconds: row.take("keep_seconds")?,
        swapped_seconds_ago: row.take("swapped_seconds_ago")?,
        message: row.take("message")?,
    })
}
