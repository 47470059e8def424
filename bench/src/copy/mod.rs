//! The row copy beside the server's own ways to rebuild a table.
//!
//! The same rows are rebuilt by each contender in turn, several rounds in one run, on one durable server, so
//! that each ratio is of figures taken minutes apart on the same machine.

mod chart;
mod contender;

use alterego_testkit::orders::{self, Layout};
use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::Result;

use crate::table::{self, duration, median, thousands};
use contender::{Contender, Measured};

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
    fn total(&self) -> std::time::Duration {
        median(&self.measured.iter().map(|one| one.total).collect::<Vec<_>>())
    }

    fn copy(&self) -> std::time::Duration {
        median(&self.measured.iter().map(|one| one.copy).collect::<Vec<_>>())
    }
}

/// Runs the benchmark.
pub(crate) async fn run(args: Args) -> Result<()> {
    println!("starting a private {} server with durable settings", args.server);
    let server = Server::start(args.server, &Options::durable()).await?;
    let layout = Layout::with_rows(args.rows);
    orders::fill(&server.root_opts(), "app", "orders", layout, |_| ()).await?;
    println!("filled app.orders: {} rows", thousands(layout.rows()));
    let proxy = Alterego::start(&server, &["--strategy", "ghost"], &[]).await?;
    let mut all: Vec<Series> = contenders(&args)
        .into_iter()
        .map(|contender| Series {
            contender,
            measured: Vec::new(),
        })
        .collect();
    for round in 1..=args.rounds.max(1) {
        for series in &mut all {
            let measured = series.contender.rebuild(&server, &proxy).await?;
            println!(
                "round {round}: {:24} {}",
                series.contender.name(),
                duration(measured.total)
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
    let base = all.first().map(Series::copy).unwrap_or_default();
    let heading = ["", "rows/s of the copy", "x native COPY", "copy", "whole ALTER"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for series in all {
        lines.push(vec![
            series.contender.name().to_owned(),
            thousands(rate(rows, series.copy())),
            format!(
                "{:.2}",
                base.as_secs_f64() / series.copy().as_secs_f64().max(1e-9)
            ),
            duration(series.copy()),
            duration(series.total()),
        ]);
    }
    table::print(true, &lines);
    println!("  Medians. For the server's own ALTERs the copy is the whole ALTER.");
}

pub(crate) fn rate(rows: u64, took: std::time::Duration) -> u64 {
    (rows as f64 / took.as_secs_f64().max(1e-9)) as u64
}
