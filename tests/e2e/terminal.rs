//! The command-line clients at a terminal: keys pressed, and what is then on the screen. `script` makes the terminal.

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use mysql_async::prelude::Queryable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use alterego_testkit::Flavor;

use crate::support::{DEADLINE, Rig, eventually, fill, nothing_left};

crate::both!(habits_of_a_terminal);

const CTRL_C: &str = "\x03";
const TAB: &str = "\t";

/// A client at a terminal of its own.
struct Terminal {
    _script: Child,
    keyboard: ChildStdin,
    output: ChildStdout,
    /// What has come to the screen since it was last looked at.
    screen: String,
}

impl Terminal {
    fn open(rig: &Rig) -> Result<Self> {
        let client = rig.server.client_command();
        let program = client.get_program().to_str().context("the client's path")?;
        let commands = match rig.flavor() {
            Flavor::MySql => "--commands",
            Flavor::MariaDb => "",
        };
        // Long lines would be broken, and shown in parts.
        let line = format!(
            "stty cols 250; exec '{program}' --protocol=tcp -h 127.0.0.1 -P {} -u root --local-infile=1 {commands} app",
            rig.proxy.port()
        );
        let mut script = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "dumb")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run script(1)")?;
        let keyboard = script.stdin.take().context("no keyboard")?;
        let output = script.stdout.take().context("no screen")?;
        Ok(Self {
            _script: script,
            keyboard,
            output,
            screen: String::new(),
        })
    }

    async fn press(&mut self, keys: &str) -> Result<()> {
        self.keyboard.write_all(keys.as_bytes()).await?;
        Ok(self.keyboard.flush().await?)
    }

    /// Waits until one of `texts` is on the screen; answers everything up to its end and forgets it.
    async fn see(&mut self, texts: &[&str]) -> Result<String> {
        loop {
            let found = texts
                .iter()
                .filter_map(|text| Some(self.screen.find(text)? + text.len()));
            if let Some(end) = found.min() {
                let rest = self.screen.split_off(end);
                return Ok(std::mem::replace(&mut self.screen, rest));
            }
            let mut bytes = [0; 4096];
            let count = match timeout(DEADLINE, self.output.read(&mut bytes)).await {
                Ok(read) => read?,
                Err(_) => bail!("none of {texts:?} comes to the screen: {:?}", self.screen),
            };
            ensure!(count > 0, "the client is gone: {:?}", self.screen);
            let text = String::from_utf8_lossy(&bytes[..count]);
            // Without the bell.
            self.screen.push_str(&text.replace(['\r', '\x07'], ""));
        }
    }

    /// Types a line and waits for the next prompt; answers what stood before it.
    async fn ask(&mut self, line: &str) -> Result<String> {
        self.press(&format!("{line}\n")).await?;
        self.prompt().await
    }

    async fn prompt(&mut self) -> Result<String> {
        self.see(&["\nmysql> ", "\nMariaDB [app]> ", "\nMariaDB [nat]> "])
            .await
    }
}

/// Waits until the server runs a statement with `text` in it for the connection `id`.
async fn runs(rig: &Rig, id: &str, text: &str) -> Result<()> {
    let mut root = rig.direct("").await?;
    let query =
        format!("SELECT 1 FROM information_schema.processlist WHERE id = {id} AND info LIKE '%{text}%'");
    eventually(text, async || {
        Ok(root.query_first::<u8, _>(&query).await?.map(drop))
    })
    .await
}

async fn habits_of_a_terminal(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("app").await?;
    root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, quantity INT)")
        .await?;
    fill(&mut root, "t", 1000, "n, n").await?;
    let mut terminal = Terminal::open(&rig)?;
    terminal.prompt().await?;

    let seen = terminal
        .ask("SELECT CONCAT('own id ', CONNECTION_ID()) AS x;")
        .await?;
    // What is typed before the prompt stands is on the screen twice: the terminal shows it, and then the client.
    let id = seen.rsplit("own id ").next().unwrap_or_default();
    let id: String = id.chars().take_while(char::is_ascii_digit).collect();
    ensure!(!id.is_empty(), "{seen}");
    let seen = terminal.ask("\\s").await?;
    ensure!(
        seen.contains(&format!("Connection id:\t\t{id}\n")) && seen.contains("Uptime"),
        "{seen}"
    );
    let seen = terminal.ask("SHOW PROCESSLIST;").await?;
    ensure!(seen.contains(&format!(" {id} | root")), "{seen}");

    // The client read the names when it started, by COM_FIELD_LIST.
    terminal.press(&format!("SELECT COUNT(quan{TAB}")).await?;
    terminal.see(&["COUNT(quantity"]).await?;
    let seen = terminal.ask(") FROM t;").await?;
    ensure!(seen.contains(" 1000 |"), "{seen}");
    terminal.ask("USE nat").await?;
    let seen = terminal.ask("SELECT DATABASE();").await?;
    ensure!(seen.contains("| nat "), "{seen}");
    terminal.ask("USE app").await?;

    terminal.press("SELECT SLEEP(1000);\n").await?;
    runs(&rig, &id, "SLEEP(1000)").await?;
    terminal.press(CTRL_C).await?;
    terminal.see(&["ERROR 1317", "query aborted"]).await?;
    terminal.prompt().await?;

    an_alter_is_given_up(&rig, &mut terminal, &id).await?;
    let seen = terminal.ask("ALTER TABLE t MODIFY quantity BIGINT;").await?;
    ensure!(seen.contains("1000 rows affected"), "{seen}");
    let seen = terminal
        .ask("SELECT CONCAT('still ', CONNECTION_ID()) AS x;")
        .await?;
    ensure!(seen.contains(&format!("still {id} ")), "{seen}");
    terminal.press("exit\n").await?;
    terminal.see(&["Bye"]).await.map(drop)
}

/// By Ctrl-C, and by another session's KILL QUERY.
async fn an_alter_is_given_up(rig: &Rig, terminal: &mut Terminal, id: &str) -> Result<()> {
    let mut holder = rig.direct("app").await?;
    for by_key in [true, false] {
        // The copy cannot end meanwhile.
        holder.query_drop("BEGIN").await?;
        holder
            .query_drop("SELECT * FROM t WHERE id = 1000 FOR UPDATE")
            .await?;
        terminal.press("ALTER TABLE t MODIFY quantity BIGINT;\n").await?;
        // Once it waits so, no kill is missed.
        runs(rig, id, "GET_LOCK").await?;
        if by_key {
            terminal.press(CTRL_C).await?;
        } else {
            rig.client().await?.query_drop(format!("KILL QUERY {id}")).await?;
        }
        terminal.see(&["ERROR 1317 (70100)"]).await?;
        terminal.prompt().await?;
        holder.query_drop("ROLLBACK").await?;
        nothing_left(&mut rig.direct("").await?).await?;
    }
    Ok(())
}
