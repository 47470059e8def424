//! How long clients wait at cut-overs, while sysbench works on the table that is altered.
//!
//! Three distributions over the same cut-overs. What the engine says: how long the longest attempt of each held the
//! application's statements. What a client says: its longest statement around the swap. And, since on a busy machine each
//! statement waits for a processor anyhow, that client's longest statement in as much time shortly before each ALTER.

mod chart;
mod probe;

use std::time::{Duration, Instant};

use alterego_testkit::{Alterego, Flavor, Options, Server, client_opts};
use anyhow::{Context, Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::sleep;

use self::probe::Probe;
use crate::migrations::Migration;
use crate::sysbench;
use crate::table::{self, duration, percentile};

const TABLE: &str = "sbtest.sbtest1";
/// As much of a client's time is looked at around each swap, and before each ALTER. A swap is some milliseconds before
/// the ALTER's answer.
const WINDOW: Duration = Duration::from_millis(400);
/// How often the run says how far it is.
const TOLD_EVERY: usize = 20;

/// Arguments of the benchmark of cut-overs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server to use: mysql or mariadb.
    #[arg(long, env = "SERVER", default_value = "mysql")]
    server: Flavor,
    /// How many cut-overs are measured.
    #[arg(long, default_value_t = 200)]
    cut_overs: usize,
    /// How many clients of sysbench oltp_read_write work on the table.
    #[arg(long, default_value_t = 16)]
    threads: u32,
    /// How many rows the table has.
    #[arg(long, default_value_t = 20_000)]
    rows: u64,
}

/// One distribution.
#[derive(Debug)]
struct Series {
    name: &'static str,
    measured: Vec<Duration>,
}

impl Series {
    fn new(name: &'static str) -> Self {
        let measured = Vec::new();
        Self { name, measured }
    }
}

/// Runs the benchmark.
pub(crate) async fn run(args: Args) -> Result<()> {
    let server = Server::start(args.server, &Options::durable()).await?;
    let (user, password) = sysbench::ACCOUNT;
    sysbench::prepare(&server, args.rows).await?;
    let proxy = Alterego::start(&server, &["--strategy", "ghost"], &[]).await?;
    let client = || client_opts(proxy.port(), user, password, None);

    let mut load = sysbench::begin(proxy.port(), "oltp_read_write", args.rows, args.threads).await?;
    let probe = Probe::start(Conn::new(client()).await?, TABLE, args.rows);
    let mut conn = Conn::new(client()).await?;
    let mut held = Series::new("the engine held statements, longest attempt");
    let mut around = Series::new("a client's longest statement around the swap");
    let mut before = Series::new("… and in as much time before the ALTER");
    let mut attempts = 0;
    for done in 1..=args.cut_overs {
        sleep(WINDOW).await;
        let begins = Instant::now();
        conn.query_drop(format!("ALTER TABLE {TABLE} FORCE")).await?;
        let answered = Instant::now();
        // What the swap has held up has been answered by then, or is seen to be under way.
        sleep(WINDOW).await;
        let migration = Migration::newest(&mut conn, "sbtest1").await?;
        let migration = migration.context("SHOW MIGRATIONS does not show the ALTER")?;
        attempts += migration.count("cut_over_attempts");
        held.measured.push(Duration::from_secs_f64(
            migration.number("longest_hold_ms") / 1000.0,
        ));
        around.measured.push(probe.longest(answered - WINDOW, answered));
        before.measured.push(probe.longest(begins - WINDOW, begins));
        let is_at_work = load.try_wait()?.is_none() && probe.is_well();
        ensure!(is_at_work, "a client has seen an error at cut-over {done}");
        if done % TOLD_EVERY == 0 {
            println!("{done} of {} cut-overs", args.cut_overs);
        }
    }
    let all = [held, around, before];
    print(&args, &all, attempts);
    println!("  drawn in {}", chart::write(&all, args.server)?.display());
    Ok(())
}

fn print(args: &Args, all: &[Series], attempts: u64) {
    println!(
        "{}: {} cut-overs under sysbench oltp_read_write with {} clients, {attempts} attempts, 0 errors",
        args.server, args.cut_overs, args.threads
    );
    let heading = ["", "p50", "p90", "p99", "longest"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for series in all {
        let shares = [0.5, 0.9, 0.99, 1.0].map(|share| duration(percentile(&series.measured, share)));
        lines.push([series.name.to_owned()].into_iter().chain(shares).collect());
    }
    table::print(true, &lines);
}
