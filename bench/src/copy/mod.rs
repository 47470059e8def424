//! The row copy beside the server's own ways to rebuild a table.
//!
//! The same rows are rebuilt by each contender in turn, several rounds in one run, on one durable server, so
//! that each ratio is of figures taken minutes apart on the same machine. Beside the time stands the server's CPU
//! time, which says what a way costs however much else the machine has to do.

mod chart;
mod contender;

use std::time::Duration;

use alterego_testkit::orders::{self, Layout};
use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::Result;

use crate::cpu::Process;
use crate::table::{self, duration, median, thousands};
use contender::{Bench, Contender, Measured};

/// Arguments of the copy benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server to use: mysql or mariadb.
    #[arg(long, env = "SERVER", default_value = "mysql")]
    server: Flavor,
    /// How many rows the table has.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How often each contender rebuilds the table.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A further argument of the server, such as --innodb-autoinc-lock-mode=2.
    #[arg(long, allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// A gh-ost program to compare with.
    #[arg(long, env = "GH_OST")]
    gh_ost: Option<std::path::PathBuf>,
}

/// A contender and its measurements.
pub(crate) struct Series {
    pub(crate) contender: Contender,
    pub(crate) measured: Vec<Measured>,
}

impl Series {
    fn median(&self, figure: impl Fn(&Measured) -> Duration) -> Duration {
        median(&self.measured.iter().map(figure).collect::<Vec<_>>())
    }

    fn copy(&self) -> Duration {
        self.median(|one| one.copy)
    }

    /// How much faster than `other`: the median over the rounds, each compared with the same round of the other.
    fn times_faster(&self, other: &Series) -> f64 {
        let rounds = self.measured.iter().zip(&other.measured);
        let mut ratios: Vec<f64> = rounds
            .map(|(own, other)| other.copy.as_secs_f64() / own.copy.as_secs_f64().max(1e-9))
            .collect();
        ratios.sort_by(f64::total_cmp);
        // Of two in the middle the lower: a doubt is not to our advantage.
        let middle = ratios.len().saturating_sub(1) / 2;
        ratios.get(middle).copied().unwrap_or_default()
    }
}

/// Runs the benchmark.
pub(crate) async fn run(args: Args) -> Result<()> {
    println!("starting a private {} server with durable settings", args.server);
    let mut options = Options::durable();
    options.args.extend(args.server_arg.iter().cloned());
    let server = Server::start(args.server, &options).await?;
    let layout = Layout::with_rows(args.rows);
    orders::fill(&server.root_opts(), "app", "orders", layout, |_| ()).await?;
    println!("filled app.orders: {} rows", thousands(layout.rows()));
    let mut proxy = Alterego::start(&server, &["--strategy", "ghost"], &[]).await?;
    let bench = Bench {
        server_process: Process::of_server(&server)?,
        proxy_process: Process::of(proxy.id()),
        server,
        proxy,
    };
    let mut all: Vec<Series> = contenders(&args)
        .into_iter()
        .map(|contender| Series {
            contender,
            measured: Vec::new(),
        })
        .collect();
    for round in 1..=args.rounds.max(1) {
        for series in &mut all {
            let measured = series.contender.rebuild(&bench).await?;
            println!(
                "round {round}: {:24} {:>7}, copy {:>7}, {:5.1} CPU s a million rows",
                series.contender.name(),
                duration(measured.total),
                duration(measured.copy),
                cpu_per_million(layout.rows(), measured.server_cpu),
            );
            series.measured.push(measured);
        }
    }
    print(&all, layout.rows());
    let path = chart::write(&all, layout.rows(), args.server)?;
    println!("  drawn in {}", path.display());
    Ok(())
}

fn contenders(args: &Args) -> Vec<Contender> {
    let mut contenders = vec![
        Contender::NativeCopy,
        Contender::NativeInplace,
        Contender::Alterego,
    ];
    if let Some(program) = &args.gh_ost {
        contenders.push(Contender::GhOst(program.clone()));
    }
    contenders
}

fn print(all: &[Series], rows: u64) {
    let heading = [
        "",
        "rows/s",
        "x COPY",
        "x INPLACE",
        "server's CPU s",
        "alterego's CPU s",
        "copy",
        "whole ALTER",
    ];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    let native = |wanted: &str| all.iter().find(|series| series.contender.name() == wanted);
    let times = |series: &Series, other: &Contender| {
        native(other.name()).map_or_else(String::new, |other| format!("{:.2}", series.times_faster(other)))
    };
    for series in all {
        let own = series.measured.iter().any(|one| one.own_cpu.is_some());
        let own = own.then(|| series.median(|one| one.own_cpu.unwrap_or_default()));
        let per_million = |cpu| format!("{:.1}", cpu_per_million(rows, cpu));
        lines.push(vec![
            series.contender.name().to_owned(),
            thousands(rate(rows, series.copy())),
            times(series, &Contender::NativeCopy),
            times(series, &Contender::NativeInplace),
            per_million(series.median(|one| one.server_cpu)),
            own.map_or_else(String::new, per_million),
            duration(series.copy()),
            duration(series.median(|one| one.total)),
        ]);
    }
    table::print(true, &lines);
    println!(
        "  Medians of the rounds; a ratio is of two copies in the same round. CPU time is that of the copy, for a"
    );
    println!("  million rows, in all threads. For the server's own ALTERs the copy is the whole ALTER.");
}

fn cpu_per_million(rows: u64, cpu: Duration) -> f64 {
    cpu.as_secs_f64() * 1e6 / rows.max(1) as f64
}

pub(crate) fn rate(rows: u64, took: Duration) -> u64 {
    (rows as f64 / took.as_secs_f64().max(1e-9)) as u64
}
