//! The binary under test, as a child process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mysql_async::{Conn, Opts};
use tempfile::TempDir;

use crate::Server;
use crate::process::Process;
use crate::server::client_opts;

/// How long the proxy may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The configuration file in the proxy's folder.
const CONFIG: &str = "alterego.toml";

/// A running proxy; killed when dropped.
#[derive(Debug)]
pub struct Alterego {
    process: Process,
    log: Arc<Mutex<String>>,
    /// Known once it has listened.
    address: Option<SocketAddr>,
    /// How often it was seen to be stopped.
    stops: usize,
    /// What the proxy keeps for its next start, and what it leaves behind when it is killed.
    state: TempDir,
}

impl Alterego {
    /// Starts the proxy in front of `server`, as root, on a port of its own, and waits until it listens.
    pub async fn start(server: &Server, args: &[&str], env: &[(&str, &str)]) -> Result<Alterego> {
        Alterego::start_at(&server.url("root", ""), args, env).await
    }

    /// Starts the proxy with the upstream's address given in full. `--listen 127.0.0.1:0` is added unless
    /// `args` say where to listen.
    pub async fn start_at(url: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Alterego> {
        let mut command = Alterego::command()?;
        command.arg(url);
        if !args.iter().any(|argument| argument.starts_with("--listen")) {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        Alterego::run(command, tempfile::tempdir()?, args, env).await
    }

    /// Starts the proxy with a configuration file of this text, which says where to listen.
    pub async fn configured(config: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Alterego> {
        let state = tempfile::tempdir()?;
        let file = state.path().join(CONFIG);
        std::fs::write(&file, config)?;
        let mut command = Alterego::command()?;
        command.arg("--config").arg(file);
        Alterego::run(command, state, args, env).await
    }

    /// Replaces the text of the configuration file; `signal("HUP")` has it read.
    pub fn reconfigure(&self, config: &str) -> Result<()> {
        Ok(std::fs::write(self.state.path().join(CONFIG), config)?)
    }

    async fn run(command: Command, state: TempDir, args: &[&str], env: &[(&str, &str)]) -> Result<Alterego> {
        let log = Arc::default();
        let mut process = Alterego::begin(command, &state, args, env, &log)?;
        let address = wait_until_it_listens(&mut process, &log).await?;
        Ok(Alterego {
            process,
            log,
            address: Some(address),
            stops: 0,
            state,
        })
    }

    /// Starts the process, and keeps what it logs.
    fn begin(
        mut command: Command,
        state: &TempDir,
        args: &[&str],
        env: &[(&str, &str)],
        log: &Arc<Mutex<String>>,
    ) -> Result<Process> {
        command
            .args(args)
            .env("NO_COLOR", "1")
            .env_remove("STATE_DIRECTORY")
            .env("XDG_STATE_HOME", state.path())
            .env("TMPDIR", state.path())
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::spawn(command, None)?;
        let stderr = process
            .child()
            .stderr
            .take()
            .context("the proxy's log is not piped")?;
        collect(stderr, Arc::clone(log));
        Ok(process)
    }

    /// Starts the proxy in front of `server` without waiting: with a failpoint it may stop before it listens.
    pub fn spawn(server: &Server, args: &[&str], env: &[(&str, &str)]) -> Result<Alterego> {
        let mut command = Alterego::command()?;
        command
            .arg(server.url("root", ""))
            .args(["--listen", "127.0.0.1:0"]);
        let (state, log) = (tempfile::tempdir()?, Arc::default());
        let process = Alterego::begin(command, &state, args, env, &log)?;
        Ok(Alterego {
            process,
            log,
            address: None,
            stops: 0,
            state,
        })
    }

    /// The binary under test, for tests that look at what it prints before it listens.
    pub fn command() -> Result<Command> {
        Ok(Command::new(binary()?))
    }

    /// The TCP port that the proxy listens on.
    ///
    /// # Panics
    /// If it has never been said to listen.
    pub fn port(&self) -> u16 {
        self.listens().expect("the proxy does not listen").port()
    }

    /// Where the proxy listens, once it does.
    pub fn listens(&self) -> Option<SocketAddr> {
        self.address
            .or_else(|| self.log().lines().find_map(listening_address))
    }

    /// The failpoint at which the proxy has stopped since this was last asked.
    pub async fn stopped_at(&mut self) -> Result<Option<String>> {
        const WORDS: &str = "stopped at the failpoint ";
        if !self.process.was_stopped() {
            return Ok(None);
        }
        let nth = self.stops;
        self.stops += 1;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            // It was logged before, but the log comes by a way of its own.
            let log = self.log();
            let mut names = log.lines().filter_map(|line| Some(line.split_once(WORDS)?.1));
            if let Some(name) = names.nth(nth) {
                return Ok(Some(without_colours(name).trim().to_owned()));
            }
            if Instant::now() > deadline {
                bail!("the proxy was stopped and does not say where:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the proxy has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }

    /// The TCP port of the listener of that name, once it is said to listen.
    pub async fn port_of(&self, listener: &str) -> Result<u16> {
        self.logged(&format!("listener=\"{listener}\""), START_TIMEOUT)
            .await?;
        let log = self.log();
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains(&format!("listener=\"{listener}\"")));
        let address = line.and_then(listening_address);
        Ok(address
            .with_context(|| format!("no port of {listener}:\n{log}"))?
            .port())
    }

    /// The proxy's process id.
    pub fn id(&mut self) -> u32 {
        self.process.child().id()
    }

    /// Options for a connection of root through the proxy.
    pub fn root_opts(&self) -> Opts {
        client_opts(self.port(), "root", "", None)
    }

    /// A connection of root through the proxy.
    pub async fn root(&self) -> Result<Conn> {
        Conn::new(self.root_opts())
            .await
            .context("root cannot connect through the proxy")
    }

    /// Everything the proxy has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines of the log contain both texts.
    pub fn log_lines_with(&self, text: &str, other: &str) -> usize {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.lines()
            .filter(|line| line.contains(text) && line.contains(other))
            .count()
    }

    /// Waits until the log contains `text`.
    pub async fn logged(&self, text: &str, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while !self.log().contains(text) {
            if Instant::now() > deadline {
                bail!(
                    "'{text}' is not in the proxy's log after {timeout:?}:\n{}",
                    self.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Kills the proxy with signal 9.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Asks the proxy to end and waits until it has; fails if it does not end by itself.
    pub async fn stop(&mut self) -> Result<()> {
        self.signal("TERM")?;
        self.ended().await.map(drop)
    }

    /// Sends the proxy a signal: `TERM`, `INT`, `HUP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        self.process.signal(name)
    }

    /// Waits until the proxy has ended, and says how; fails if it does not end by itself.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = self.process.child().try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                self.kill9();
                bail!("the proxy did not end when asked to:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Where the binary is: named by `ALTEREGO_BIN` or by the test runner, else beside this program.
fn binary() -> Result<PathBuf> {
    for variable in [
        "ALTEREGO_BIN",
        "CARGO_BIN_EXE_alterego",
        "NEXTEST_BIN_EXE_alterego",
    ] {
        if let Some(named) = std::env::var_os(variable) {
            return Ok(named.into());
        }
    }
    let program = std::env::current_exe()?;
    // Tests and examples are one folder below the binaries.
    program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("alterego"))
        .find(|candidate| candidate.is_file())
        .with_context(|| {
            format!(
                "no alterego binary near {}: run `cargo build` first",
                program.display()
            )
        })
}

/// Keeps what the proxy logs; its own thread, because a full pipe would stop the proxy.
fn collect(stderr: ChildStderr, log: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

async fn wait_until_it_listens(process: &mut Process, log: &Mutex<String>) -> Result<SocketAddr> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        // Before the log is read, so that the last lines of a proxy that gave up are in the message.
        let ended = process.has_ended();
        let text = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(address) = text.lines().find_map(listening_address) {
            return Ok(address);
        }
        if ended {
            tokio::time::sleep(Duration::from_millis(50)).await;
            bail!(
                "the proxy did not start: {}",
                log.lock().unwrap_or_else(PoisonError::into_inner).trim()
            );
        }
        if Instant::now() > deadline {
            bail!("the proxy does not listen:\n{text}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The address in a log line that says that the proxy listens. The admin endpoint has a line of its own.
fn listening_address(line: &str) -> Option<SocketAddr> {
    let line = without_colours(line);
    if !line.contains("listening") || line.contains("admin") {
        return None;
    }
    line.split(|c: char| c.is_whitespace() || c == '=' || c == ',' || c == '"')
        .find_map(|word| word.parse().ok())
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_either_form_of_the_line() {
        fn check(line: &str, expected: Option<&str>) {
            assert_eq!(
                listening_address(line),
                expected.map(|text| text.parse().unwrap()),
                "{line}"
            );
        }
        check(
            "2026-01-01T00:00:00Z  INFO alterego: listening on 127.0.0.1:4567",
            Some("127.0.0.1:4567"),
        );
        check(
            "INFO alterego: listening addr=127.0.0.1:4567 strategy=auto",
            Some("127.0.0.1:4567"),
        );
        check(
            "\u{1b}[32m INFO\u{1b}[0m listening \u{1b}[3maddr\u{1b}[0m\u{1b}[2m=\u{1b}[0m[::1]:45",
            Some("[::1]:45"),
        );
        check("INFO alterego: listening path=/tmp/s.sock", None);
        check(
            "INFO alterego: admin endpoint listening addr=127.0.0.1:4567",
            None,
        );
        check("INFO alterego: connected to 127.0.0.1:3306", None);
    }
}
