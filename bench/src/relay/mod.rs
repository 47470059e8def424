//! What relaying a query costs: sysbench directly, through other proxies and through alterego.
//!
//! Every way is measured in every round, one after the other, so that what else the machine does meets all alike. CPU time
//! of the proxy's process is the figure that says most: clients, server and proxy share the machine.

mod calls;
mod chart;
mod front;
mod large;

use std::time::Duration;

use alterego_testkit::orders::{self, Layout};
use alterego_testkit::{Flavor, Options, Server, client_opts};
use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use crate::sysbench::{self, Found};
use crate::table::{self, thousands};
use front::Front;

const TESTS: [&str; 2] = ["oltp_point_select", "oltp_read_only"];
/// Rows of the table that is altered all the while in one of the ways.
const ALTERED_ROWS: u64 = 200_000;
/// What all are measured with: without TLS, which the other proxies would only pass on.
const PLAIN: &[&str] = &["--upstream-ssl-mode", "DISABLED"];

/// Arguments of the relay benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server to use: mysql or mariadb.
    #[arg(long, env = "SERVER", default_value = "mysql")]
    server: Flavor,
    /// How many clients query at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 256])]
    threads: Vec<u32>,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How often each way is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many rows the table has.
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// How large the large result and the large file are; 0 leaves them out.
    #[arg(long, default_value_t = 1024)]
    large_mib: u64,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    found: Found,
    /// CPU seconds of the proxy for 100,000 queries.
    cpu: Option<f64>,
}

/// All runs of one way.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    name: &'static str,
    measured: Vec<Measured>,
}

impl Series {
    /// The middle of a figure over the rounds.
    fn median(&self, figure: impl Fn(&Measured) -> Option<f64>) -> Option<f64> {
        table::middle(self.measured.iter().filter_map(figure).collect(), f64::total_cmp)
    }
}

/// One test with one number of clients.
#[derive(Debug)]
pub(crate) struct Setting {
    test: &'static str,
    threads: u32,
    all: Vec<Series>,
}

/// Runs the benchmark.
pub(crate) async fn run(args: Args) -> Result<()> {
    let server = Server::start(args.server, &Options::relaxed().arg("--max-connections=2000")).await?;
    let (user, password) = sysbench::ACCOUNT;
    sysbench::prepare(&server, args.rows).await?;
    orders::fill(
        &server.root_opts(),
        "app",
        "orders",
        Layout::with_rows(ALTERED_ROWS),
        |_| (),
    )
    .await?;
    // With the password known to the server, a login needs no TLS.
    drop(Conn::new(client_opts(server.port(), user, password, None)).await?);
    let fronts = fronts(&server).await?;
    let mut settings = Vec::new();
    for test in TESTS {
        for threads in &args.threads {
            let setting = measure(&fronts, test, *threads, &args).await?;
            print(&setting);
            settings.push(setting);
        }
    }
    calls::print(&fronts, &args).await?;
    if args.large_mib > 0 {
        large::print(&fronts, args.large_mib, args.rounds).await?;
    }
    println!(
        "  Medians of the rounds. CPU s: of the proxy's process, for 100,000 queries; `x` is its share of HAProxy's."
    );
    println!("  drawn in {}", chart::write(&settings, args.server)?.display());
    Ok(())
}

const MIGRATING: &str = "alterego, migrating";

async fn fronts(server: &Server) -> Result<Vec<Front>> {
    let mut fronts = vec![Front::direct(server), Front::haproxy(server).await?];
    match Front::router(server).await {
        Ok(router) => fronts.push(router),
        Err(error) => println!("MySQL Router is left out: {error:#}"),
    }
    fronts.push(Front::alterego("alterego", server, PLAIN).await?);
    let ghost = [PLAIN, &["--strategy", "ghost"]].concat();
    fronts.push(Front::alterego(MIGRATING, server, &ghost).await?);
    if server.flavor() == Flavor::MySql {
        fronts.push(Front::alterego("alterego, TLS to server", server, &[]).await?);
    }
    Ok(fronts)
}

async fn measure(fronts: &[Front], test: &'static str, threads: u32, args: &Args) -> Result<Setting> {
    let series = |front: &Front| Series {
        name: front.name,
        measured: Vec::new(),
    };
    let mut all: Vec<Series> = fronts.iter().map(series).collect();
    for _ in 0..args.rounds.max(1) {
        for (front, series) in fronts.iter().zip(&mut all) {
            let altering = (front.name == MIGRATING).then(|| Altering::start(front.port));
            let before = used(front)?;
            let found = sysbench::run(front.port, test, args.rows, threads, args.seconds).await?;
            let cpu = used(front)?.zip(before).map(|(after, before)| {
                after.saturating_sub(before).as_secs_f64() * 1e5 / found.queries.max(1) as f64
            });
            drop(altering);
            series.measured.push(Measured { found, cpu });
        }
    }
    Ok(Setting { test, threads, all })
}

fn used(front: &Front) -> Result<Option<Duration>> {
    front.process.as_ref().map(crate::cpu::Process::used).transpose()
}

/// A client that has a table rebuilt over and over, until this is dropped.
struct Altering(JoinHandle<Result<()>>);

impl Altering {
    fn start(port: u16) -> Self {
        Self(tokio::spawn(async move {
            let mut client = Conn::new(client_opts(port, "root", "", None)).await?;
            loop {
                client.query_drop("ALTER TABLE app.orders ENGINE=InnoDB").await?;
            }
        }))
    }
}

impl Drop for Altering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn print(setting: &Setting) {
    println!("{}, {} clients", setting.test, setting.threads);
    let heading = ["", "queries/s", "p95 ms", "p99 ms", "CPU s", "x"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    let cpu = |series: &Series| series.median(|one| one.cpu);
    let haproxy = setting
        .all
        .iter()
        .find(|series| series.name == "HAProxy")
        .and_then(cpu);
    for series in &setting.all {
        let figure =
            |figure: fn(&Found) -> f64| series.median(|one| Some(figure(&one.found))).unwrap_or_default();
        let share = cpu(series).zip(haproxy).map(|(own, other)| own / other.max(1e-9));
        let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
        lines.push(vec![
            series.name.to_owned(),
            thousands(figure(|found| found.queries_per_second) as u64),
            format!("{:.2}", figure(|found| found.p95_milliseconds)),
            format!("{:.2}", figure(|found| found.p99_milliseconds)),
            optional(cpu(series)),
            optional(share),
        ]);
    }
    table::print(true, &lines);
}
