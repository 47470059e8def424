//! The demo and the benchmarks of alterego.
//!
//! Each figure is measured against real servers that this program starts for itself and stops again; what is
//! compared is measured in the same run.

mod alter;
mod clients;
mod copy;
mod cpu;
mod demo;
mod drawing;
mod memory;
mod migrations;
mod relay;
mod stalls;
mod sysbench;
mod table;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The demo and the benchmarks of alterego.
#[derive(Debug, Parser)]
#[command(name = "alterego-bench", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A plain ALTER TABLE on a busy table of a million rows, and proof that nothing was lost.
    Demo(demo::Args),
    /// The memory of idle clients, with active ones beside them.
    Clients(clients::Args),
    /// The rate of the row copy beside the server's own ALTER (and gh-ost's, if GH_OST names it).
    Copy(copy::Args),
    /// What relaying a query costs beside HAProxy and MySQL Router.
    Relay(relay::Args),
    /// How long clients wait at cut-overs under load.
    Stalls(stalls::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let work = async {
        match args.command {
            Command::Demo(args) => demo::run(args).await,
            Command::Clients(args) => clients::run(args).await,
            Command::Copy(args) => copy::run(args).await,
            Command::Relay(args) => relay::run(args).await,
            Command::Stalls(args) => stalls::run(args).await,
        }
    };
    // Interrupted, `work` is dropped, and with it the servers it started.
    let result = tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("alterego-bench: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
