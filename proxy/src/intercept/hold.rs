//! The client is held while its schema change is carried out.
//!
//! One statement runs on the client's own connection all the while: it waits for a user lock that whoever carries out the
//! change holds on another connection (a [`Latch`]), and gives back when the change has ended. So `wait_timeout` does not
//! fire, a `KILL QUERY` of the client's id hits that statement, and the answer is not late.
//!
//! *Why no kill is missed:* a server forgets a kill that meets no statement. There is no moment without one between the first
//! look at the lock and its being given back, and a kill after that has come too late, as it would for the server's own ALTER.
//! Before the first look, and where there is no latch (the other connection could not be had, or is lost) and short sleeps
//! take its place, there are such moments. A kill that goes through the proxy is heard of then, too (`killable`); only one
//! that does not may be lost there.
//!
//! `KILL CONNECTION` and a lost server end the session as they would without a proxy, and a client that leaves ends it too;
//! dropping the hook's future then detaches it from the change, which goes on.

use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Killable;
use super::question::INTERRUPTED;
use super::settings::Settings;
use crate::hooks::{Held, Latch, Progress};
use crate::protocol::ok::Error;
use crate::session::{End, Reply, Session};

/// How long one of the short sleeps takes, and how often a held session looks around.
const PING: Duration = Duration::from_millis(250);

/// A statement that sleeps on the server, where a kill can hit it. It is exempt from the session's limits on time and
/// rows. (A hint of 0 milliseconds would mean the session's own limit, which ends a sleep as a kill does.)
fn sleeping(is_mariadb: bool, duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if is_mariadb {
        format!("SET STATEMENT max_statement_time=0 FOR SELECT SLEEP({seconds}) LIMIT 1")
    } else {
        format!("SELECT /*+ MAX_EXECUTION_TIME(3600000) */ SLEEP({seconds}) LIMIT 1")
    }
}

/// A statement that waits for a lock, as exempt as `sleeping`.
fn waiting(is_mariadb: bool, lock: &str) -> String {
    const SECONDS: u32 = 86_400;
    if is_mariadb {
        format!("SET STATEMENT max_statement_time=0 FOR SELECT GET_LOCK('{lock}',{SECONDS}) LIMIT 1")
    } else {
        format!("SELECT /*+ MAX_EXECUTION_TIME(100000000) */ GET_LOCK('{lock}',{SECONDS}) LIMIT 1")
    }
}

/// How the wait for a lock ended.
enum Waited {
    /// The lock is the session's.
    Locked,
    /// The statement was killed.
    Killed,
    /// It ran out of time.
    TimedOut,
    /// The server does not let the session wait so.
    Impossible,
}

impl Waited {
    fn of(reply: &Reply) -> Self {
        let value = match reply {
            Reply::Rows(rows) => rows.first().and_then(|row| row.first()),
            Reply::Err { error, .. } if error.code == INTERRUPTED => return Self::Killed,
            Reply::Err { .. } | Reply::Ok { .. } => None,
        };
        match value {
            Some(Some(value)) if value == b"1" => Self::Locked,
            Some(Some(value)) if value == b"0" => Self::TimedOut,
            // A wait that was killed may also end with NULL.
            Some(None) => Self::Killed,
            _ => Self::Impossible,
        }
    }
}

/// Whether a sleep was cut short by a kill: an error on MariaDB, the value 1 on MySQL.
fn was_killed(reply: &Reply) -> bool {
    match reply {
        Reply::Rows(rows) => rows.first().and_then(|row| row.first()) == Some(&Some(b"1".to_vec())),
        Reply::Err { error, .. } => error.code == INTERRUPTED,
        Reply::Ok { .. } => false,
    }
}

impl Session {
    /// Sleeps on the server; `true` when the client's statement was killed meanwhile.
    pub(super) async fn pause(&mut self, duration: Duration) -> Result<bool, End> {
        let reply = self.ask(&sleeping(self.server.is_mariadb, duration)).await?;
        Ok(was_killed(&reply))
    }

    /// Holds the client while `begin`'s future works, and gives what came of it, or the error that the client hears because
    /// the proxy stops. `sequence` is the number of the next packet to the client; progress packets advance it.
    pub(super) async fn hold<T>(
        &mut self,
        settings: &Settings,
        killable: &Killable,
        sequence: &mut u8,
        begin: impl FnOnce(Held) -> Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Result<Result<T, Error>, End> {
        let (cancel, cancelled) = watch::channel(false);
        let (progress, reports) = watch::channel(Progress::default());
        let lock = format!("alterego.held.{}", self.server.connection_id);
        let mut latch = self.latch(&lock).await?;
        let mut held = Holding {
            work: begin(Held {
                cancelled,
                progress,
                pass: None,
            }),
            found: None,
            cancel,
            killable,
            reporter: Reporter::new(
                self.capabilities.progress(),
                settings.progress_report_time,
                reports,
            ),
            sequence,
        };
        held.heed_kill();
        while let Some(kept) = latch {
            latch = self.wait_for_lock(&lock, kept, &mut held).await?;
            if let Some(over) = held.over(self) {
                return Ok(over);
            }
        }
        loop {
            self.sleep_once(&mut held).await?;
            if let Some(over) = held.over(self) {
                return Ok(over);
            }
        }
    }

    /// Has the lock taken for this session to wait for.
    async fn latch(&mut self, lock: &str) -> Result<Option<Latch>, End> {
        let hooks = self.shared.hooks.clone();
        let mut latch = pin!(hooks.latch(lock));
        loop {
            tokio::select! {
                biased;
                latch = &mut latch => return Ok(latch),
                attended = self.attend() => attended?,
            }
        }
    }

    /// Waits for the lock until it is given back, which is done here when the change has ended. Answers the latch if there is to
    /// be another wait.
    async fn wait_for_lock<T>(
        &mut self,
        lock: &str,
        latch: Latch,
        held: &mut Holding<'_, T>,
    ) -> Result<Option<Latch>, End> {
        let mut latch = Some(latch);
        let mut reader = self.send_aside(&waiting(self.server.is_mariadb, lock));
        let reply = loop {
            tokio::select! {
                biased;
                reply = self.answered(&mut reader) => break reply?,
                answered = &mut held.work, if held.found.is_none() => {
                    held.found = Some(answered);
                    latch = None;
                }
                () = sleep(PING) => {}
            }
            if self.is_stopping() {
                latch = None;
            }
            held.heed_kill();
            held.report(self);
        };
        match Waited::of(&reply) {
            Waited::Locked => {
                latch = None;
                self.release(lock).await?;
            }
            Waited::Killed => drop(held.cancel.send_replace(true)),
            Waited::TimedOut => {}
            Waited::Impossible => latch = None,
        }
        Ok(latch)
    }

    /// Gives the lock back. A kill may hit this statement as well as any other.
    async fn release(&mut self, lock: &str) -> Result<(), End> {
        for _ in 0..3 {
            if self
                .ask(&format!("DO RELEASE_LOCK('{lock}')"))
                .await?
                .error_code()
                .is_none()
            {
                return Ok(());
            }
        }
        Err(End::Protocol("a lock of the session's could not be given back"))
    }

    /// Sleeps on the server once, and hears of a kill.
    async fn sleep_once<T>(&mut self, held: &mut Holding<'_, T>) -> Result<(), End> {
        let sent = Instant::now();
        let mut reader = self.send_aside(&sleeping(self.server.is_mariadb, PING));
        let reply = loop {
            tokio::select! {
                biased;
                reply = self.answered(&mut reader) => break reply?,
                answered = &mut held.work, if held.found.is_none() => held.found = Some(answered),
            }
        };
        let killed = was_killed(&reply);
        if killed {
            held.cancel.send_replace(true);
        }
        held.heed_kill();
        // A server that does not sleep (a limit on statements is used up) must not be asked in a tight loop.
        let earliest = if killed { sent } else { sent + PING };
        while held.found.is_none() && !self.is_stopping() && Instant::now() < earliest {
            tokio::select! {
                biased;
                answered = &mut held.work => held.found = Some(answered),
                () = sleep_until(earliest) => {}
                attended = self.attend() => attended?,
            }
        }
        held.report(self);
        Ok(())
    }
}

/// What a held client waits for, and what it hears of it.
struct Holding<'a, T> {
    work: Pin<Box<dyn Future<Output = T> + Send>>,
    found: Option<T>,
    cancel: watch::Sender<bool>,
    killable: &'a Killable,
    reporter: Reporter,
    sequence: &'a mut u8,
}

impl<T> Holding<'_, T> {
    /// What came of it, once something has or the proxy stops.
    fn over(&mut self, session: &Session) -> Option<Result<T, Error>> {
        let stopped = || session.is_stopping().then(|| Err(shutting_down()));
        self.found.take().map(Ok).or_else(stopped)
    }

    /// Cancels the change if a kill was noted.
    fn heed_kill(&self) {
        if self.killable.is_killed() {
            self.cancel.send_replace(true);
        }
    }

    /// Tells the client of the progress, if it is due.
    fn report(&mut self, session: &mut Session) {
        if self.found.is_none()
            && let Some(report) = self.reporter.due()
        {
            session.send_progress(*self.sequence, &report);
            *self.sequence = self.sequence.wrapping_add(1);
        }
    }
}

/// What a held client hears when the proxy stops; the change goes on, and the same statement attaches to it.
fn shutting_down() -> Error {
    let (state, message) = ("08S01".to_owned(), "Server shutdown in progress".to_owned());
    Error {
        code: 1053,
        state,
        message,
    }
}

/// Decides when a client hears of progress.
struct Reporter {
    interval: Option<Duration>,
    reports: watch::Receiver<Progress>,
    next: Instant,
}

impl Reporter {
    fn new(wanted: bool, interval: Duration, reports: watch::Receiver<Progress>) -> Self {
        let interval = Some(interval).filter(|interval| wanted && !interval.is_zero());
        Self {
            interval,
            reports,
            next: Instant::now() + interval.unwrap_or_default(),
        }
    }

    fn due(&mut self) -> Option<Progress> {
        let interval = self.interval?;
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + interval;
        let report = self.reports.borrow_and_update().clone();
        (report.stages > 0).then_some(report)
    }
}
