//! The demo: a plain `ALTER TABLE` on a busy table of a million rows, through the proxy.
//!
//! Ordinary clients work on the table while another one alters it. Afterwards every row is compared with what
//! the clients did, which the engine has no part in, and the definition with a natively altered empty table.

mod definition;
mod progress;
mod report;

use std::time::Duration;

use alterego_testkit::orders::{self, Layout};
use alterego_testkit::{
    Alterego, Flavor, ModelDifference, Options, Outcome, Server, Stall, Workload, WorkloadOptions,
    client_opts,
};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use crate::alter::{self, Answer, Login};
use crate::migrations::Migration;
use crate::table::{duration, thousands};
use progress::Stalls;

/// What the demo's client sends. Neither server can do it without rebuilding the table.
pub(crate) const ALTER: &str = "ALTER TABLE orders MODIFY COLUMN quantity BIGINT NOT NULL, \
                                ADD COLUMN region VARCHAR(16) NOT NULL DEFAULT 'EU' AFTER status";
/// The column that [`ALTER`] adds, with the value that all rows have in it.
const ADDED: (&str, &str) = ("region", "EU");
/// How long the workload runs before and after the ALTER.
const QUIET: Duration = Duration::from_secs(4);
/// How much of the proxy's log is shown if anything is off.
const LOG_LINES: usize = 60;

/// The accounts: the application's, and the proxy's own.
const APP: (&str, &str) = ("app", "app password");
const MIGRATOR: (&str, &str) = ("migrator", "migrator password");

/// Arguments of the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server to use: mysql or mariadb.
    #[arg(long, env = "SERVER", default_value = "mysql")]
    server: Flavor,
    /// How many rows the table has at first.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How many clients work on the table.
    #[arg(long, default_value_t = 8)]
    clients: u64,
    /// How many milliseconds a client thinks between two transactions.
    #[arg(long, default_value_t = 20)]
    pause_milliseconds: u64,
    /// Leaves the proxy out: the same work around the server's own ALTER, for comparison. Errors and stalls
    /// are expected then.
    #[arg(long)]
    direct: bool,
}

/// Everything the demo found out.
struct Findings {
    answer: Answer,
    /// The last that `SHOW MIGRATIONS` said; none if it never showed the migration.
    migration: Option<Migration>,
    changes_applied: Option<u64>,
    rows: u64,
    stall_before: Stall,
    stalls: Stalls,
    outcome: Outcome,
    rows_difference: ModelDifference,
    definition: definition::Verdict,
}

/// On a machine of few cores with a binary log, MySQL switches its log writer threads off by itself. Then every COMMIT on the
/// server stands for about 100 ms now and then although no write or flush takes a quarter of that, and with a migration
/// or without: the demo would measure that. Switched on the copy is slower, and these stalls are gone.
fn server_options(flavor: Flavor) -> Options {
    match flavor {
        Flavor::MySql => Options::durable().arg("--innodb-log-writer-threads=ON"),
        Flavor::MariaDb => Options::durable(),
    }
}

/// Runs the demo; an error if anything is off.
pub(crate) async fn run(args: Args) -> Result<()> {
    println!("starting a private {} server with durable settings", args.server);
    let server = Server::start(args.server, &server_options(args.server)).await?;
    let layout = Layout::with_rows(args.rows);
    fill(&server, layout).await?;
    let expected_definition = definition::altered_natively(&server, ALTER).await?;
    let mut proxy = if args.direct {
        None
    } else {
        Some(start_proxy(&server).await?)
    };
    let port = proxy.as_ref().map_or(server.port(), Alterego::port);
    let findings = migrate(&args, &server, proxy.as_ref(), port, layout, &expected_definition).await;
    let judged = findings.and_then(|findings| {
        let wrong = report::print(&args, &findings);
        ensure!(wrong.is_empty() || args.direct, "{}", wrong.join("; "));
        Ok(())
    });
    if let (Err(_), Some(proxy)) = (&judged, &proxy) {
        eprintln!(
            "--- the last lines of the proxy's log ---\n{}",
            last_lines(&proxy.log(), LOG_LINES)
        );
    }
    judged?;
    if let Some(proxy) = &mut proxy {
        proxy.stop().await?;
    }
    Ok(())
}

async fn fill(server: &Server, layout: Layout) -> Result<()> {
    let bar = progress::fill_bar(layout.rows());
    let filling = bar.clone();
    orders::fill(&server.root_opts(), "app", "orders", layout, move |rows| {
        filling.set_position(rows)
    })
    .await?;
    bar.finish_and_clear();
    println!(
        "filled app.orders: {} rows in {}",
        thousands(layout.rows()),
        duration(bar.elapsed())
    );
    server.create_user(APP.0, APP.1, None, &["ALL ON app.*"]).await?;
    server
        .create_user(MIGRATOR.0, MIGRATOR.1, None, &["ALL ON *.*"])
        .await
}

async fn start_proxy(server: &Server) -> Result<Alterego> {
    let env = [("ALTEREGO_PASSWORD", MIGRATOR.1)];
    let proxy = Alterego::start_at(&server.url(MIGRATOR.0, ""), &[], &env).await?;
    println!(
        "alterego mysql://{}@127.0.0.1:{} listens on 127.0.0.1:{}",
        MIGRATOR.0,
        server.port(),
        proxy.port()
    );
    Ok(proxy)
}

async fn migrate(
    args: &Args,
    server: &Server,
    proxy: Option<&Alterego>,
    port: u16,
    layout: Layout,
    expected_definition: &str,
) -> Result<Findings> {
    let mut options = WorkloadOptions::new(layout);
    options.clients = args.clients;
    options.pause = Duration::from_millis(args.pause_milliseconds);
    let workload = Workload::start(&client_opts(port, APP.0, APP.1, Some("app")), &options).await?;
    println!(
        "{} clients work on the table {}",
        args.clients,
        if args.direct {
            "directly"
        } else {
            "through alterego"
        }
    );
    tokio::time::sleep(QUIET).await;
    let stall_before = workload.take_longest_stall();

    println!("another client sends: {ALTER}");
    let login = Login {
        port,
        user: APP.0,
        password: APP.1,
    };
    let sent = alter::send(server, login, "app", ALTER);
    let mut stalls = Stalls::default();
    let (answer, migration) = match proxy {
        Some(proxy) => progress::follow(proxy.port(), APP, &workload, sent, &mut stalls).await?,
        None => (sent.await?, None),
    };
    println!(
        "the client was answered after {}: {}",
        duration(answer.took),
        answer.line
    );
    tokio::time::sleep(QUIET).await;
    stalls.note("swapped, and after", &workload);
    let outcome = workload.stop().await?;

    println!("comparing every row with what the clients did");
    let mut root = server.root().await?;
    let extra = [(ADDED.0, Value::from(ADDED.1))];
    let rows_difference = outcome
        .model
        .compare(&mut root, ("app", "orders"), &extra)
        .await
        .context("cannot compare the table")?;
    let definition = definition::check(&mut root, expected_definition, outcome.model.highest_id()).await?;
    let rows = count(&mut root).await?;
    let log = proxy.map(Alterego::log).unwrap_or_default();
    Ok(Findings {
        changes_applied: changes_applied(migration.as_ref(), &log),
        answer,
        migration,
        rows,
        stall_before,
        stalls,
        outcome,
        rows_difference,
        definition,
    })
}

async fn count(root: &mut Conn) -> Result<u64> {
    Ok(root
        .query_first("SELECT COUNT(*) FROM app.orders")
        .await?
        .unwrap_or(0))
}

/// How many changes the engine says it applied: in `SHOW MIGRATIONS`, else in the proxy's log.
fn changes_applied(migration: Option<&Migration>, log: &str) -> Option<u64> {
    let shown = migration
        .map(|migration| migration.text("changes_applied"))
        .unwrap_or_default();
    shown.parse().ok().or_else(|| {
        let (_, after) = log.rsplit_once("changes_applied=")?;
        after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(count)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changes_applied_are_found_in_the_log() {
        let check = |log: &str, expected| assert_eq!(changes_applied(None, log), expected, "{log}");
        check("", None);
        check(
            "INFO migration done rows_copied=7 changes_applied=1234 repaired=0\n",
            Some(1234),
        );
        check("changes_applied=1\nchanges_applied=22", Some(22));
    }
}
