//! Two servers with the same data, one of them behind the proxy.

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::login::is_placed;
use crate::normal::normal;
use crate::packet::Frame;
use crate::player::{Side, Transcript, play};
use crate::script::Script;

/// What is made once.
const SCHEMAS: &[&str] = &[
    "CREATE DATABASE other",
    "CREATE TABLE other.t (id INT PRIMARY KEY, z INT)",
    "CREATE DATABASE app",
    "USE app",
    "CREATE PROCEDURE nothing() BEGIN END",
    "CREATE PROCEDURE two() BEGIN SELECT 1; SELECT id FROM t; END",
    "CREATE PROCEDURE fails() BEGIN SELECT 1; SELECT * FROM nowhere; END",
    "CREATE PROCEDURE outs(OUT x INT) BEGIN SELECT 5; SET x = 42; END",
    "CREATE PROCEDURE alters() ALTER TABLE t COMMENT = 'by a procedure'",
    "CREATE PROCEDURE widens() ALTER TABLE t MODIFY b BIGINT",
    "CREATE PROCEDURE prepares() PREPARE s FROM 'DO 1'",
    "CREATE TABLE all_numbers (id INT PRIMARY KEY)",
    "INSERT INTO all_numbers WITH RECURSIVE numbers AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM numbers WHERE id < 500) \
     SELECT id FROM numbers",
    "CREATE TABLE t (id INT)",
    "CREATE VIEW v AS SELECT id FROM t",
];

/// What every script finds as if nobody had been there before.
const TABLES: &[&str] = &[
    "USE app",
    "DROP TABLE IF EXISTS t, n, w, f, fresh",
    "CREATE TABLE t (id INT PRIMARY KEY, b INT)",
    "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)",
    "CREATE TABLE n (id INT PRIMARY KEY)",
    "INSERT INTO n SELECT id FROM all_numbers",
    "CREATE TABLE w (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(10))",
    "CREATE TABLE f (a VARCHAR(20), b VARCHAR(20))",
];

/// The two servers, and the proxy before the second.
pub(crate) struct Pair {
    pub(crate) direct: Server,
    pub(crate) proxied: Server,
    pub(crate) proxy: Alterego,
}

impl Pair {
    /// Starts both servers and the proxy.
    pub(crate) async fn start(flavor: Flavor) -> Result<Pair> {
        Pair::with(flavor, &[]).await
    }

    /// Starts both servers, and the proxy with these arguments.
    pub(crate) async fn with(flavor: Flavor, args: &[&str]) -> Result<Pair> {
        let options = Options::relaxed()
            .arg(format!("--max-allowed-packet={}", 64 << 20))
            // MariaDB's connections count their statements on from those of the connection whose thread they take over.
            .arg("--thread-cache-size=0");
        let (direct, proxied) =
            tokio::try_join!(Server::start(flavor, &options), Server::start(flavor, &options))?;
        // The other client's connection is not encrypted either.
        let args = [&["--upstream-ssl-mode", "DISABLED"], args].concat();
        let proxy = if is_placed() {
            let address = format!("[[group.server]]\naddress = '127.0.0.1:{}'\n", proxied.port());
            let config = ["[[group]]\nname = 'g'\nuser = 'root'\n", &*address].concat();
            let args = [&*args, &["--listen", "127.0.0.1:0"]].concat();
            Alterego::configured(&config, &args, &[]).await?
        } else {
            Alterego::start(&proxied, &args, &[]).await?
        };
        let pair = Pair {
            direct,
            proxied,
            proxy,
        };
        pair.on_both(SCHEMAS).await?;
        pair.reset().await?;
        Ok(pair)
    }

    /// Runs statements on both servers.
    pub(crate) async fn on_both(&self, statements: &[&str]) -> Result<()> {
        async fn run(server: &Server, statements: &[&str]) -> Result<()> {
            let mut root: Conn = server.root().await?;
            for sql in statements {
                root.query_drop(*sql).await.with_context(|| (*sql).to_owned())?;
            }
            Ok(root.disconnect().await?)
        }
        tokio::try_join!(run(&self.direct, statements), run(&self.proxied, statements))?;
        Ok(())
    }

    /// Gives both servers the same tables again.
    pub(crate) async fn reset(&self) -> Result<()> {
        self.on_both(TABLES).await
    }

    /// Fails with all failures and the end of the proxy's log, if there is any.
    pub(crate) fn none(&self, failures: &[String]) -> Result<()> {
        ensure!(
            failures.is_empty(),
            "{} failures\n\n{}\n\nthe proxy's log:\n{}",
            failures.len(),
            failures.join("\n\n"),
            self.last_words()
        );
        Ok(())
    }

    /// The end of the proxy's log.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 200;
        let log = self.proxy.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// Plays a script to both sides at once.
    pub(crate) async fn play(&self, script: &Script) -> Result<(Transcript, Transcript)> {
        tokio::try_join!(
            play(self.direct.port(), Side::Direct, script),
            play(self.proxy.port(), Side::Proxied, script)
        )
    }

    /// Plays a script to both sides, which must answer alike.
    pub(crate) async fn same(&self, script: &Script) -> Result<Transcript> {
        let played = self.play(script).await;
        let compared = played.and_then(|(direct, proxied)| {
            compare(&direct, &proxied)?;
            Ok(direct)
        });
        compared.with_context(|| script.to_string())
    }
}

/// Compares everything received, step by step.
pub(crate) fn compare(direct: &Transcript, proxied: &Transcript) -> Result<()> {
    for (index, (direct, proxied)) in direct.iter().zip(proxied).enumerate() {
        let is_login = index == 0;
        let (direct, proxied) = (
            normal(direct.clone(), is_login),
            normal(proxied.clone(), is_login),
        );
        let step = if is_login {
            "in the login".to_owned()
        } else {
            format!("in step {}", index - 1)
        };
        if direct != proxied {
            return Err(difference(&direct, &proxied)).context(step);
        }
    }
    ensure!(
        direct.len() == proxied.len(),
        "the server closed after {} steps, the proxy after {}",
        direct.len(),
        proxied.len()
    );
    Ok(())
}

/// The first frames that differ, and what was before them.
fn difference(direct: &[Frame], proxied: &[Frame]) -> anyhow::Error {
    const BEFORE: usize = 3;
    let first = direct
        .iter()
        .zip(proxied)
        .take_while(|(direct, proxied)| direct == proxied)
        .count();
    let equal = direct
        .get(first.saturating_sub(BEFORE)..first)
        .unwrap_or_default();
    let byte = match (direct.get(first), proxied.get(first)) {
        (Some(direct), Some(proxied)) => {
            let (direct, proxied) = (&direct.payload, &proxied.payload);
            direct
                .iter()
                .zip(proxied)
                .take_while(|(direct, proxied)| direct == proxied)
                .count()
        }
        _ => 0,
    };
    anyhow::anyhow!(
        "frame {first} differs from byte {byte} on\nboth before:  {equal:?}\ndirectly:     {:?}\nproxied:      {:?}",
        direct.get(first),
        proxied.get(first)
    )
}
