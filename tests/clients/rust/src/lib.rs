//! What the Rust clients have in common.

use std::fmt::Debug;

use anyhow::{Context, Result};

/// The schema change, which no server can do at once.
pub const ALTER: &str = "ALTER TABLE item MODIFY quantity BIGINT NOT NULL DEFAULT 0, \
                         ADD note VARCHAR(20) DEFAULT 'žluť' AFTER name";

/// Prints what the driver says.
pub fn show(what: &str, value: impl Debug) {
    println!("{what}: {value:?}");
}

/// A variable that `tests/clients/run` sets.
pub fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: start this with tests/clients/run"))
}

/// Where to connect, on 127.0.0.1.
pub fn port() -> Result<u16> {
    Ok(variable("DB_PORT")?.parse()?)
}

/// 20 MiB with every byte in it.
pub fn blob() -> Vec<u8> {
    (0..=255).cycle().take(20 << 20).collect()
}
