//! The client is held while its schema change is carried out.
//!
//! Short statements run on the client's own connection all the while: they keep `wait_timeout` from firing, and a `KILL QUERY`
//! of the client's id hits one of them. `KILL CONNECTION` and a lost server end the session as they would without a proxy, and
//! a client that leaves ends it too; dropping the hook's future then detaches it from the change, which goes on.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::question::INTERRUPTED;
use super::settings::Settings;
use crate::hooks::{Answer, Held, Progress, Request};
use crate::session::{End, Reply, Session};

/// How long one of the short statements runs.
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

    /// Waits for the schema change. `sequence` is the number of the next packet to the client; progress packets advance it.
    pub(super) async fn hold(
        &mut self,
        request: Request,
        settings: &Settings,
        sequence: &mut u8,
    ) -> Result<Answer, End> {
        let (cancel, cancelled) = watch::channel(false);
        let (progress, reports) = watch::channel(Progress::default());
        let hooks = self.shared.hooks.clone();
        let mut answer = pin!(hooks.alter(request, Held { cancelled, progress }));
        let mut found = None;
        let mut reporter = Reporter::new(
            self.capabilities.progress(),
            settings.progress_report_time,
            reports,
        );
        let ping = sleeping(self.server.is_mariadb, PING);
        loop {
            let sent = Instant::now();
            let mut reader = self.send_aside(&ping);
            let reply = loop {
                tokio::select! {
                    biased;
                    reply = self.answered(&mut reader) => break reply?,
                    answered = &mut answer, if found.is_none() => found = Some(answered),
                }
            };
            let killed = was_killed(&reply);
            if killed {
                cancel.send_replace(true);
            }
            if let Some(found) = found {
                return Ok(found);
            }
            if self.is_stopping() {
                return Ok(shutting_down());
            }
            // A server that does not sleep (a limit on statements is used up) must not be asked in a tight loop.
            let earliest = if killed { sent } else { sent + PING };
            while found.is_none() && Instant::now() < earliest {
                tokio::select! {
                    biased;
                    answered = &mut answer => found = Some(answered),
                    () = sleep_until(earliest) => {}
                    attended = self.attend() => attended?,
                }
            }
            if let Some(found) = found {
                return Ok(found);
            }
            if let Some(report) = reporter.due() {
                self.send_progress(*sequence, &report);
                *sequence = sequence.wrapping_add(1);
            }
        }
    }
}

/// What a held client hears when the proxy stops; the change goes on, and the same statement attaches to it.
fn shutting_down() -> Answer {
    let (state, message) = ("08S01".to_owned(), "Server shutdown in progress".to_owned());
    Answer::Err {
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
