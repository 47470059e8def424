//! The command line: what was typed ([`LowArgs`]) becomes what is meant ([`Settings`]).

mod check;
mod diff;
pub(crate) mod duration;
mod low;
mod missing_writes;
mod option_file;
mod secret;
pub(crate) mod server_url;
mod settings;
mod tls;
mod usage;

pub(crate) use diff::Diff;
pub(crate) use low::LowArgs;
pub(crate) use missing_writes::MissingWrites;
pub(crate) use secret::Secret;
pub(crate) use settings::{
    AdminSettings, Bind, ConfigSource, DEFAULT_PORT, Environment, ListenerSettings, ServerAddress, Servers,
    Settings, Strategy, password_file,
};
pub(crate) use tls::{ClientMode, ClientSettings, UpstreamMode, UpstreamSettings, UpstreamWords};

use std::ffi::OsString;

use clap::Parser;

/// What the command line comes to.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Run with these settings.
    Run(Box<Settings>),
    /// Compare what two servers have.
    MissingWrites(Box<MissingWrites>),
    /// Compare what is in the tables of two servers.
    Diff(Box<Diff>),
    /// Print this on stdout and end well (`--help`, `--version`).
    Print(clap::Error),
    /// Print this one line on stderr and end with the status for wrong usage.
    Wrong(String),
}

/// Reads the process's command line and environment.
pub(crate) fn parse() -> Parsed {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let environment = Environment::of_process();
    // A tool's name is no URL, so nobody can mean a server by it.
    let parsed = match typed.get(1).and_then(|first| first.to_str()) {
        Some("missing-writes") => read(typed.iter().skip(1), |low| {
            MissingWrites::from_low(low, &environment).map(|servers| Parsed::MissingWrites(Box::new(servers)))
        }),
        Some("diff") => read(typed.iter().skip(1), |low| {
            Diff::from_low(low, &environment).map(|wanted| Parsed::Diff(Box::new(wanted)))
        }),
        _ => read(&typed, |low| {
            Settings::from_low(low, &environment).map(|settings| Parsed::Run(Box::new(settings)))
        }),
    };
    parsed.unwrap_or_else(Parsed::Wrong)
}

/// What was typed, and then what is meant by it.
fn read<'a, T: Parser>(
    typed: impl IntoIterator<Item = &'a OsString>,
    meant: impl FnOnce(T) -> Result<Parsed, String>,
) -> Result<Parsed, String> {
    match T::try_parse_from(typed) {
        Ok(low) => meant(low),
        Err(error) if error.use_stderr() => Err(usage::one_line(&error)),
        Err(help) => Ok(Parsed::Print(help)),
    }
}
