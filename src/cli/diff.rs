//! `alterego diff A B [SCHEMA[.TABLE]]`, as it is typed and as it is meant.

// The documentation of a field is its help text, where brackets mean what they mean on a command line.
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::duration;
use super::settings::{Environment, ServerAddress};
use super::tls::{UpstreamMode, UpstreamSettings, UpstreamWords};

/// Says where the tables of two servers differ.
///
/// Both are read in chunks that are compared by checksums; of a chunk that differs, the keys are named. Servers may be
/// written to meanwhile: a row that differs is looked at again, after B has what A had if B replicates from A. The exit
/// status is 0 if nothing differs, 1 if something does, and 2 if that cannot be told.
#[derive(Debug, Parser)]
#[command(name = "alterego diff", bin_name = "alterego diff", max_term_width = 100)]
pub(crate) struct DiffArgs {
    /// A server: mysql://user[:password]@host[:port].
    ///
    /// A URL without a password takes it from ALTEREGO_PASSWORD.
    #[arg(value_name = "URL_A")]
    pub(crate) a: String,

    /// The server to compare it with, a replica for example.
    #[arg(value_name = "URL_B")]
    pub(crate) b: String,

    /// A schema or a table; without it, all that are not the server's or alterego's own.
    #[arg(value_name = "SCHEMA[.TABLE]")]
    pub(crate) scope: Option<String>,

    /// How long a replica may take to have what the other server had.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub(crate) patience: Duration,

    /// How the connections to the servers are protected, named as in MySQL's clients.
    #[arg(long, value_enum, value_name = "MODE", ignore_case = true)]
    pub(crate) upstream_ssl_mode: Option<UpstreamMode>,

    /// Certificates of the authorities that may sign the servers' certificates, in PEM form.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

/// What is compared.
#[derive(Clone, Debug)]
pub(crate) struct Diff {
    /// One server.
    pub(crate) a: ServerAddress,
    /// The other one.
    pub(crate) b: ServerAddress,
    /// One schema only.
    pub(crate) schema: Option<String>,
    /// One table of it only.
    pub(crate) table: Option<String>,
    /// How long a replica may take.
    pub(crate) patience: Duration,
}

impl Diff {
    /// What was typed, in this environment.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub(super) fn from_low(low: DiffArgs, environment: &Environment) -> Result<Self, String> {
        let tls = UpstreamSettings::of_options(UpstreamWords {
            mode: low.upstream_ssl_mode,
            authorities: low.tls_ca,
            ..UpstreamWords::default()
        })?;
        let server = |url: &str| ServerAddress::of_url(url, environment, tls.clone());
        let (schema, table) = match low.scope.as_deref().map(|scope| scope.split_once('.')) {
            None => (None, None),
            Some(None) => (low.scope.clone(), None),
            Some(Some((schema, table))) => (Some(schema.to_owned()), Some(table.to_owned())),
        };
        if schema.as_deref() == Some("") || table.as_deref() == Some("") {
            return Err("the scope is SCHEMA or SCHEMA.TABLE, for example app.orders".to_owned());
        }
        Ok(Self {
            a: server(&low.a)?,
            b: server(&low.b)?,
            schema,
            table,
            patience: low.patience,
        })
    }
}
