//! `alterego`: the command line, start-up and shut-down, and the admin endpoint around the proxy and the engine.
//!
//! It is a library for one reason: `cargo fuzz` can call what reads bytes here. The program, `main.rs`, calls [`main`].

mod admin;
mod app;
mod bridge;
mod cli;
mod config_file;
mod deployment;
mod descriptors;
mod diff;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod listener;
mod missing_writes;
mod reload;
mod signals;
mod startup;
mod state_folder;
mod status;
mod tls;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// The exit status for a wrong command line, as is usual.
const WRONG_USAGE: u8 = 2;

/// Does what the command line says.
pub fn main() -> ExitCode {
    match cli::parse() {
        cli::Parsed::Print(help) => {
            // A reader that went away (`alterego --help | head -1`) is no error.
            let _ = help.print();
            ExitCode::SUCCESS
        }
        cli::Parsed::Wrong(error) => {
            eprintln!("alterego: {error} (see alterego --help)");
            ExitCode::from(WRONG_USAGE)
        }
        cli::Parsed::Run(settings) => {
            log_to_stderr();
            match in_runtime(app::run(*settings)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error, ExitCode::FAILURE),
            }
        }
        cli::Parsed::MissingWrites(servers) => match in_runtime(missing_writes::run(&servers)) {
            Ok(missing) => missing.report(),
            Err(error) => failed(&error, ExitCode::from(missing_writes::UNKNOWN)),
        },
        cli::Parsed::Diff(wanted) => match in_runtime(diff::run(&wanted)) {
            Ok(found) => found.report(),
            Err(error) => failed(&error, ExitCode::from(diff::UNKNOWN)),
        },
    }
}

fn in_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn failed(error: &anyhow::Error, status: ExitCode) -> ExitCode {
    for line in format!("{error:#}").lines() {
        eprintln!("alterego: {line}");
    }
    status
}

/// One line an event; what is logged is chosen by `ALTEREGO_LOG`.
fn log_to_stderr() {
    use std::io::IsTerminal;
    let filter = EnvFilter::builder()
        .with_env_var("ALTEREGO_LOG")
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
