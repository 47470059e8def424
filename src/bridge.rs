//! Where the proxy meets the engine: the only file that knows both crates.

use std::sync::Arc;
use std::time::Duration;

use alterego_engine::alter::{self, NotOurs};
use alterego_engine::cut_over::{ClosedGate, TrafficGate, WatchedGate};
use alterego_engine::migration::{
    self, Altered, Engine, Foreign, Native, Notes, Outcome, Pass, Phase, Status, Task, Way,
};
use alterego_engine::session::{SessionSettings, Upstream};
use alterego_engine::{Flavor, TableName};
use alterego_proxy::gate::{self, Gate};
use alterego_proxy::hooks::{
    self, Answer, Attempt, Bystander, ClientSession, Done, Grid, Held, Hooks, Latch, Progress, Question,
    ReadMode, Request, Verdict, Warning,
};
use async_trait::async_trait;
use mysql_async::Opts;
use mysql_async::prelude::Queryable;
use tokio::runtime::Handle;

use crate::cli::{Settings, Strategy};

/// The proxy's hooks, carried out by the engine.
///
/// Sessions run on threads that only relay, so what they ask of the engine is done on the runtime it was started on.
pub(crate) struct Bridge {
    engine: Arc<Engine>,
    notes: Notes,
    upstream: Upstream,
    runtime: Handle,
    flavor: Flavor,
    strategy: Strategy,
}

/// How often a MariaDB client's progress is looked at; the proxy sends it as seldom as the server would.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// A migration's stages as a client sees them: copying, building indexes, verifying, cutting over.
const STAGES: u8 = 4;

/// 1317, the server's answer to a killed statement.
const QUERY_INTERRUPTED: u16 = 1317;

impl Bridge {
    /// Reaches the upstream and takes up what an earlier process left unfinished.
    ///
    /// # Errors
    /// The upstream cannot be reached, or its state table not be created.
    pub(crate) async fn start(settings: &Settings, opts: Opts, gate: Gate) -> anyhow::Result<Arc<Self>> {
        let upstream = Upstream::reach(opts).await?;
        let flavor = upstream.flavor();
        let config = migration::Config {
            keep_old_table: settings.keep_old_table,
            checks: settings.checks.clone(),
        };
        let engine = Engine::new(upstream.clone(), Arc::new(ProxyGate(gate)), config);
        if settings.strategy != Strategy::Native {
            engine.resume().await?;
        }
        Ok(Arc::new(Self {
            notes: engine.notes(),
            engine: Arc::new(engine),
            upstream,
            runtime: Handle::current(),
            flavor,
            strategy: settings.strategy,
        }))
    }

    /// Runs `work` on the engine's runtime, and what it spawns stays there.
    async fn at_home<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.runtime.spawn(work).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only the end of the runtime cancels it, and that ends this task, too.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn question(&self, statement: &alter::Statement) -> Question {
        let (first, second) = match self.strategy {
            // What the server does at once it does without the check that the statement asks for.
            _ if !statement.hints().is_empty() => (statement.forced_question(), None),
            Strategy::Ghost => (statement.forced_question(), None),
            Strategy::Auto | Strategy::Native => (statement.question(), statement.in_place()),
        };
        Question {
            schema: statement.schema().map(str::to_owned),
            table: statement.table().to_owned(),
            first: attempt(first),
            second: second.map(attempt),
            afterwards: statement.forgetting().into_iter().map(attempt).collect(),
        }
    }
}

fn attempt(asked: alter::Asked) -> Attempt {
    Attempt {
        sql: asked.sql,
        declined_codes: asked.declined_codes,
        declined_text: asked.declined_text,
    }
}

#[async_trait]
impl Hooks for Bridge {
    fn inspect(&self, sql: &str, mode: ReadMode) -> Verdict {
        if self.strategy == Strategy::Native {
            return Verdict::Unrelated;
        }
        match alter::understand(sql, read_mode(mode), self.flavor) {
            Ok(statement) => Verdict::Ask(self.question(&statement)),
            Err(NotOurs::Unrelated) => Verdict::Unrelated,
            Err(NotOurs::Native(refusal)) => Verdict::Native {
                reason: refusal.to_string(),
            },
        }
    }

    async fn alter(&self, request: Request, mut held: Held) -> Answer {
        let max_warnings = request.session.max_error_count;
        let engine = Arc::clone(&self.engine);
        let pass = held.pass.take().and_then(|pass| pass.downcast::<Pass>().ok());
        let migrate = async move { engine.migrate(task(request), pass.map(|pass| *pass)).await };
        let running = self.at_home(migrate).await;
        let mut look = tokio::time::interval(PROGRESS_INTERVAL);
        let mut outcome = std::pin::pin!(running.outcome());
        let mut listening = true;
        loop {
            tokio::select! {
                outcome = &mut outcome => return answer(outcome, running.id(), max_warnings),
                changed = held.cancelled.changed(), if listening => match changed {
                    Ok(()) if *held.cancelled.borrow() => running.cancel(),
                    Ok(()) => {}
                    // The session let go without a word: the client left, and the migration goes on.
                    Err(_) => listening = false,
                },
                _ = look.tick() => drop(held.progress.send_replace(progress(&running.status()))),
            }
        }
    }

    fn may_concern(&self, sql: &str) -> bool {
        self.engine.may_concern(sql)
    }

    fn is_concerned(&self, statement: &Bystander) -> bool {
        self.engine.is_concerned(&foreign(statement))
    }

    async fn pass(&self, statement: Bystander) -> Option<Latch> {
        let engine = Arc::clone(&self.engine);
        let statement = foreign(&statement);
        let pass = self.at_home(async move { engine.pass(&statement).await }).await;
        Some(Box::new(pass))
    }

    async fn rest(&self) {
        self.engine.rest().await;
    }

    async fn latch(&self, name: &str) -> Option<Latch> {
        const IDLE_MAX: &str = "SET SESSION wait_timeout=31536000";
        let mut conn = self.upstream.control().await.ok()?;
        conn.query_drop(IDLE_MAX).await.ok()?;
        let taken: Option<u8> = conn
            .exec_first("SELECT GET_LOCK(?, 0)", (name,))
            .await
            .ok()
            .flatten()?;
        // The server gives the lock back when the connection closes.
        (taken == Some(1)).then(|| Box::new(conn) as Latch)
    }

    fn done(&self, change: Done) {
        if let Some(native) = native(change) {
            self.notes.note(native);
        }
    }

    async fn migrations(&self) -> Grid {
        let engine = Arc::clone(&self.engine);
        let statuses = self.at_home(async move { engine.statuses().await }).await;
        Grid {
            rows: statuses.iter().map(Status::cells).collect(),
            ..no_migrations()
        }
    }
}

/// What is shown where no server is known that could have migrations.
pub(crate) fn no_migrations() -> Grid {
    Grid {
        columns: migration::COLUMNS.map(str::to_owned).to_vec(),
        rows: Vec::new(),
    }
}

fn read_mode(mode: ReadMode) -> alter::ReadMode {
    alter::ReadMode {
        ansi_quotes: mode.ansi_quotes,
        no_backslash_escapes: mode.no_backslash_escapes,
    }
}

fn foreign(statement: &Bystander) -> Foreign {
    Foreign {
        sql: statement.sql.clone(),
        mode: read_mode(statement.mode),
        schema: statement.schema.clone(),
    }
}

fn task(request: Request) -> Task {
    Task {
        source: TableName::new(request.schema, request.table),
        statement: request.sql,
        ansi_quotes: request.mode.ansi_quotes,
        no_backslash_escapes: request.mode.no_backslash_escapes,
        settings: session_settings(request.session),
    }
}

fn session_settings(session: ClientSession) -> SessionSettings {
    SessionSettings {
        sql_mode: session.sql_mode,
        time_zone: session.time_zone,
        character_set_client: session.character_set_client,
        collation_connection: session.collation_connection,
        foreign_key_checks: session.foreign_key_checks,
    }
}

/// What is recorded of a change that the server did itself.
fn native(change: Done) -> Option<Native> {
    let (schema, table) = alter::named(&change.sql, read_mode(change.mode))?;
    let (way, reason, record) = match change.way {
        hooks::Way::First => (Way::Instant, None, None),
        hooks::Way::Second => (Way::InPlace, None, None),
        hooks::Way::Own { reason, record } => (Way::Native, Some(reason), record),
    };
    Some(Native {
        source: TableName::new(schema.or(change.schema).unwrap_or_default(), table),
        statement: change.sql,
        way,
        reason,
        record,
    })
}

fn answer(outcome: Outcome, id: u64, max_warnings: u32) -> Answer {
    match outcome {
        Outcome::Altered(altered) => altered_answer(altered, max_warnings),
        Outcome::Refused(reason) => Answer::Native {
            reason,
            record: Some(id).filter(|id| *id != 0),
        },
        Outcome::Failed(error) => Answer::Err {
            code: error.code,
            state: error.state,
            message: error.message,
        },
        Outcome::Cancelled => Answer::Err {
            code: QUERY_INTERRUPTED,
            state: "70100".to_owned(),
            message: "Query execution was interrupted".to_owned(),
        },
    }
}

fn altered_answer(altered: Altered, max_warnings: u32) -> Answer {
    let info = altered.info();
    let kept = usize::try_from(max_warnings).unwrap_or(usize::MAX);
    let warnings = altered.warnings.into_iter().take(kept);
    Answer::Ok {
        affected: altered.rows,
        info,
        warning_count: u16::try_from(altered.warning_count).unwrap_or(u16::MAX),
        warnings: warnings
            .map(|w| Warning {
                level: w.level,
                code: w.code,
                message: w.message,
            })
            .collect(),
    }
}

fn progress(status: &Status) -> Progress {
    let (stage, stage_number, percent) = match status.phase {
        Phase::Indexing => ("building indexes", 2, 0.0),
        Phase::Verifying => ("verifying", 3, share(status.rows_verified, status.rows_estimated)),
        Phase::CuttingOver | Phase::Swapped | Phase::Done => ("cutting over", 4, 0.0),
        _ => (
            "copying rows",
            1,
            share(status.rows_copied, status.rows_estimated),
        ),
    };
    Progress {
        stage: stage.to_owned(),
        stage_number,
        stages: STAGES,
        percent,
    }
}

fn share(done: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        (100.0 * done as f64 / all as f64).min(100.0)
    }
}

/// The proxy's gate, as the engine closes it.
struct ProxyGate(Gate);

impl TrafficGate for ProxyGate {
    fn watch(&self, tables: &[TableName]) -> Box<dyn WatchedGate> {
        let names = tables.iter().map(|name| name.table.as_str());
        Box::new(ProxyWatched(self.0.watch(names)))
    }

    fn swapped(&self, table: &TableName) {
        self.0.swapped(table.schema.as_str(), table.table.as_str());
    }
}

struct ProxyWatched(gate::Watched);

impl WatchedGate for ProxyWatched {
    fn close(&self) -> Box<dyn ClosedGate> {
        Box::new(ProxyClosed(self.0.close()))
    }

    fn longest_stay(&self) -> Duration {
        self.0.longest_stay()
    }
}

struct ProxyClosed(gate::Closed);

#[async_trait]
impl ClosedGate for ProxyClosed {
    async fn drained(&self) {
        self.0.drained().await;
    }
}
