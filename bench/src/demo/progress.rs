//! The demo's progress bars.

use std::future::Future;
use std::time::{Duration, Instant};

use alterego_testkit::{Workload, client_opts};
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

/// Shows what `SHOW MIGRATIONS` says until `altered` is answered.
pub(super) async fn follow(
    port: u16,
    (user, password): (&str, &str),
    workload: &Workload,
    altered: impl Future<Output = Result<Answer>>,
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
                    let message = message(&migration, workload);
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

fn message(migration: &Migration, workload: &Workload) -> String {
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
        duration(workload.longest_stall().duration),
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
