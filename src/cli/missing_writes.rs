//! `alterego missing-writes A B`, as it is typed and as it is meant.

// The documentation of a field is its help text, where brackets mean what they mean on a command line.
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;

use clap::Parser;

use super::settings::{Environment, ServerAddress};
use super::tls::{UpstreamMode, UpstreamSettings, UpstreamWords};

/// Says which transactions of one server another one lacks.
///
/// Both are asked for their GTIDs, A first. The exit status is 0 if B has every transaction that A had when it was asked,
/// 1 if it lacks some, which are printed, and 2 if that cannot be told.
#[derive(Debug, Parser)]
#[command(
    name = "alterego missing-writes",
    bin_name = "alterego missing-writes",
    max_term_width = 100
)]
pub(crate) struct MissingWritesArgs {
    /// The server whose transactions are looked for: mysql://user[:password]@host[:port].
    ///
    /// A URL without a password takes it from ALTEREGO_PASSWORD.
    #[arg(value_name = "URL_A")]
    pub(crate) a: String,

    /// The server that should have them.
    #[arg(value_name = "URL_B")]
    pub(crate) b: String,

    /// How the connections to the servers are protected, named as in MySQL's clients.
    #[arg(long, value_enum, value_name = "MODE", ignore_case = true)]
    pub(crate) upstream_ssl_mode: Option<UpstreamMode>,

    /// Certificates of the authorities that may sign the servers' certificates, in PEM form.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

/// Two servers to compare.
#[derive(Clone, Debug)]
pub(crate) struct MissingWrites {
    /// The server whose transactions are looked for.
    pub(crate) a: ServerAddress,
    /// The server that should have them.
    pub(crate) b: ServerAddress,
}

impl MissingWrites {
    /// What was typed, in this environment.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub(super) fn from_low(low: MissingWritesArgs, environment: &Environment) -> Result<Self, String> {
        let tls = UpstreamSettings::of_options(UpstreamWords {
            mode: low.upstream_ssl_mode,
            authorities: low.tls_ca,
            ..UpstreamWords::default()
        })?;
        let server = |url: &str| ServerAddress::of_url(url, environment, tls.clone());
        Ok(Self {
            a: server(&low.a)?,
            b: server(&low.b)?,
        })
    }
}
