//! The demo's progress bars.

use std::future::Future;
use std::time::{Duration, Instant};

use alterego_testkit::{Stall, Workload, client_opts};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use mysql_async::Conn;

use crate::alter::Answer;
use crate::migrations::Migration;
use crate::table::{duration, thousands};

const POLL: Duration = Duration::from_millis(100);
/// How often a line is printed where a bar cannot be drawn.
const LINE: Duration = Duration::from_secs(5);

/// The bar of filling the table.
pub(super) fn fill_bar(rows: u64) -> ProgressBar {
    let template = "filling    {bar:30} {percent:>3} %  {human_pos} rows  {per_sec}  ETA {eta}";
    ProgressBar::new(rows).with_style(style(template))
}

/// The longest stall of each phase, in their order.
#[derive(Debug, Default)]
pub(super) struct Stalls(Vec<(String, Stall)>);

impl Stalls {
    /// What the workload saw since the last call belongs to `phase`.
    pub(super) fn note(&mut self, phase: &str, workload: &Workload) {
        let stall = workload.take_longest_stall();
        match self.0.last_mut() {
            Some((last, known)) if last == phase => {
                if stall.duration > known.duration {
                    *known = stall;
                }
            }
            _ => self.0.push((phase.to_owned(), stall)),
        }
    }

    /// The longest of all.
    pub(super) fn longest(&self) -> Duration {
        self.0
            .iter()
            .map(|(_, stall)| stall.duration)
            .max()
            .unwrap_or_default()
    }

    /// Each phase and its longest.
    pub(super) fn phases(&self) -> impl Iterator<Item = &(String, Stall)> {
        self.0.iter()
    }
}

/// Shows what `SHOW MIGRATIONS` says until `altered` is answered, and notes stalls by phase.
pub(super) async fn follow(
    port: u16,
    (user, password): (&str, &str),
    workload: &Workload,
    altered: impl Future<Output = Result<Answer>>,
    stalls: &mut Stalls,
) -> Result<(Answer, Option<Migration>)> {
    let mut conn = Conn::new(client_opts(port, user, password, Some("app"))).await?;
    let bar = ProgressBar::new(1000).with_style(style("{prefix:10} {bar:30} {msg}"));
    let mut latest = None;
    let mut lines = Lines::new(bar.is_hidden());
    tokio::pin!(altered);
    let answer = loop {
        tokio::select! {
            answer = &mut altered => break answer,
            () = tokio::time::sleep(POLL) => {
                if let Some(migration) = Migration::newest(&mut conn, "orders").await? {
                    stalls.note(migration.text("phase"), workload);
                    let message = message(&migration, workload, stalls);
                    bar.set_prefix(migration.text("phase").to_owned());
                    bar.set_position((migration.number("percent") * 10.0) as u64);
                    lines.say(migration.text("phase"), &message);
                    bar.set_message(message);
                    latest = Some(migration);
                }
            }
        }
    };
    bar.finish_and_clear();
    let answer = answer?;
    // The final figures, if the migration is still shown.
    let last = Migration::newest(&mut conn, "orders").await?.or(latest);
    conn.disconnect().await?;
    Ok((answer, last))
}

fn message(migration: &Migration, workload: &Workload, stalls: &Stalls) -> String {
    let eta = match migration.text("eta_seconds") {
        "" => String::new(),
        seconds => format!("  ETA {seconds} s"),
    };
    let throttle = match migration.text("throttle") {
        "" => String::new(),
        reason => format!("  throttled: {reason}"),
    };
    format!(
        "{:5.1} %  {} of {} rows  {}/s{eta}{throttle}  | {} statements, {} errors, longest {}",
        migration.number("percent"),
        thousands(migration.count("rows_copied")),
        thousands(migration.count("rows_estimated")),
        thousands(migration.count("rows_per_second")),
        thousands(workload.statements()),
        workload.errors(),
        duration(stalls.longest()),
    )
}

/// Progress as lines, for an output that is not a terminal.
struct Lines {
    wanted: bool,
    said: Option<(Instant, String)>,
}

impl Lines {
    fn new(wanted: bool) -> Lines {
        Lines { wanted, said: None }
    }

    fn say(&mut self, phase: &str, message: &str) {
        let due = self
            .said
            .as_ref()
            .is_none_or(|(when, last)| last != phase || when.elapsed() > LINE);
        if self.wanted && due {
            println!("{phase:10} {message}");
            self.said = Some((Instant::now(), phase.to_owned()));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ")
}
