//! Sends an ALTER TABLE from an ordinary client: the server's own command-line program.

use std::process::Stdio;
use std::time::{Duration, Instant};

use alterego_testkit::Server;
use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// An account and the port it connects to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login<'a> {
    /// The server's port, or the proxy's.
    pub(crate) port: u16,
    /// The account's name.
    pub(crate) user: &'a str,
    /// Its password.
    pub(crate) password: &'a str,
}

/// What the client printed, and how long it waited.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// From starting the client to its end.
    pub(crate) took: Duration,
    /// The line with the number of affected rows.
    pub(crate) line: String,
}

/// Runs `sql` in `schema` with the command-line client and waits for the answer.
pub(crate) async fn send(server: &Server, login: Login<'_>, schema: &str, sql: &str) -> Result<Answer> {
    let started = Instant::now();
    let output = Command::from(server.client_command())
        .args(["--host=127.0.0.1", "--protocol=TCP", "-vvv"])
        .arg(format!("--port={}", login.port))
        .arg(format!("--user={}", login.user))
        .args(["--execute", sql, schema])
        .env("MYSQL_PWD", login.password)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run the command-line client")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!(
            "the client's ALTER TABLE failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let line = printed
        .lines()
        .find(|line| line.starts_with("Query OK"))
        .unwrap_or("no answer")
        .to_owned();
    Ok(Answer {
        took: started.elapsed(),
        line,
    })
}
