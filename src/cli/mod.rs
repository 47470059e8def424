//! The command line: what was typed ([`LowArgs`]) becomes what is meant ([`Settings`]).

pub(crate) mod duration;
mod low;
mod option_file;
mod secret;
pub(crate) mod server_url;
mod settings;
mod tls;
mod usage;

pub(crate) use low::LowArgs;
pub(crate) use secret::Secret;
pub(crate) use settings::{
    AdminSettings, Bind, DEFAULT_PORT, Environment, ListenerSettings, ServerAddress, Servers, Settings,
    Strategy, password_file,
};
pub(crate) use tls::{ClientMode, ClientSettings, UpstreamSettings};

use clap::Parser;

/// What the command line comes to.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Run with these settings.
    Run(Box<Settings>),
    /// Print this on stdout and end well (`--help`, `--version`).
    Print(clap::Error),
    /// Print this one line on stderr and end with the status for wrong usage.
    Wrong(String),
}

/// Reads the process's command line and environment.
pub(crate) fn parse() -> Parsed {
    let low = match LowArgs::try_parse() {
        Ok(low) => low,
        Err(error) if error.use_stderr() => return Parsed::Wrong(usage::one_line(&error)),
        Err(help) => return Parsed::Print(help),
    };
    match Settings::from_low(low, &Environment::of_process()) {
        Ok(settings) => Parsed::Run(Box::new(settings)),
        Err(error) => Parsed::Wrong(error),
    }
}
