//! Ordinary command-line clients, and what people do with them.

use std::process::{Output, Stdio};
use std::time::Duration;

use alterego_testkit::{Alterego, Flavor};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{DEADLINE, Failures, Outcome, Rig, eventually, fill, migrations, nothing_left, run};

crate::both!(
    the_command_line_client,
    passwords,
    a_killed_statement,
    a_client_that_leaves,
    the_admin_endpoint,
);

/// Where a command-line client connects.
enum At<'a> {
    Tcp(u16),
    Socket(&'a str),
}

/// The server's own command-line client, with nothing to ask yet.
fn client(rig: &Rig, at: &At<'_>, user: &str, password: &str) -> Command {
    let mut command = Command::from(rig.server.client_command());
    match at {
        At::Tcp(port) => command.args(["--protocol=tcp", "-h", "127.0.0.1", "-P", &port.to_string()]),
        At::Socket(path) => command.args(["--protocol=socket", "-S", path]),
    };
    if rig.flavor() == Flavor::MySql {
        // Its client commands are off by default.
        command.arg("--commands");
    }
    command.args(["-u", user, "--local-infile=1"]);
    if !password.is_empty() {
        // Not by the environment: MariaDB's client then takes the login for one without a password.
        command.arg(format!("--password={password}"));
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Feeds `input` to a client.
async fn feed(mut command: Command, input: &str) -> Result<Output> {
    use tokio::io::AsyncWriteExt;
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    Ok(tokio::time::timeout(DEADLINE, child.wait_with_output())
        .await
        .context("the client hangs")??)
}

/// A folder for a socket, whose path must be short.
fn socket_folder() -> Result<(TempDir, String)> {
    let folder = tempfile::Builder::new().prefix("ae-").tempdir()?;
    let path = folder.path().join("p.sock").display().to_string();
    Ok((folder, path))
}

async fn the_command_line_client(flavor: Flavor) -> Result<()> {
    let (folder, socket) = socket_folder()?;
    let rig = Rig::start(flavor, &["--socket", &socket]).await?;
    let data = folder.path().join("data.tsv");
    let sourced = folder.path().join("sourced.sql");
    std::fs::write(&data, "7\tseven\n8\teight\n9\t\\N\n")?;
    std::fs::write(
        &sourced,
        "SELECT 'sourced', COUNT(*) FROM t;\nALTER TABLE t ADD INDEX by_b (b);\n",
    )?;
    let session = format!(
        "SELECT 40 + 2, 'é', NULL;
USE SCHEMA;
DROP TABLE IF EXISTS t;
CREATE TABLE t (id INT PRIMARY KEY, b VARCHAR(20)) DEFAULT CHARSET=utf8mb4;
LOAD DATA LOCAL INFILE '{}' INTO TABLE t;
SELECT * FROM t;
ALTER TABLE t MODIFY id BIGINT;
SHOW CREATE TABLE t\\G
source {}
delimiter //
SELECT 1; ALTER TABLE t ADD INDEX by_b_id (b, id); SELECT 2//
delimiter ;
SELECT * FROM nope;
INSERT INTO t VALUES (7, 'again');
SHOW WARNINGS;
SELECT REPEAT('x', 5000000) = CONCAT(REPEAT('x', 5000000)) AS big;
CREATE INDEX i ON t (id, b);
DROP TABLE t;\n",
        data.display(),
        sourced.display()
    );
    let direct = feed(
        in_force(&rig, &At::Tcp(rig.server.port())),
        &session.replace("SCHEMA", "nat"),
    )
    .await?;
    let (direct, direct_errors) = texts(&direct);
    ensure!(
        direct.contains("seven") && direct.contains("sourced"),
        "{direct}\n{direct_errors}"
    );
    for at in [At::Tcp(rig.proxy.port()), At::Socket(&socket)] {
        let before = rig.migrations().await?.len();
        let ours = feed(in_force(&rig, &at), &session.replace("SCHEMA", "app")).await?;
        let (ours, errors) = texts(&ours);
        ensure!(
            ours == direct,
            "through the proxy:\n{ours}\n{errors}\ndirectly:\n{direct}"
        );
        ensure!(
            errors.replace("app.", "nat.") == direct_errors,
            "{errors}\n{direct_errors}"
        );
        let migrations = rig.migrations().await?.len() - before;
        ensure!(migrations == 4, "{migrations} migrations\n{}", rig.proxy.log());
        let status = feed(in_force(&rig, &at), "\\s\n").await?;
        let (status, errors) = texts(&status);
        ensure!(
            status.contains("Server version") && status.contains("Uptime"),
            "{status}\n{errors}"
        );
    }
    Ok(())
}

/// A client that goes on after errors and shows info texts and warnings.
fn in_force(rig: &Rig, at: &At<'_>) -> Command {
    let mut command = client(rig, at, "root", "");
    command.args([
        "--force",
        "--table",
        "-vv",
        "--show-warnings",
        "--default-character-set=utf8mb4",
        "--comments",
    ]);
    command
}

/// Without the parts that are different each time.
fn texts(output: &Output) -> (String, String) {
    let steady = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lines = text
            .lines()
            .map(|line| line.split(" (0.").next().unwrap_or(line).trim().to_owned());
        lines
            .filter(|line| !line.starts_with("WARNING: ") && !line.contains("[Warning] Using a password"))
            .collect::<Vec<_>>()
            .join("\n")
            .replace("app", "nat")
    };
    (steady(&output.stdout), steady(&output.stderr))
}

async fn passwords(flavor: Flavor) -> Result<()> {
    let (_folder, socket) = socket_folder()?;
    let rig = Rig::start(flavor, &["--socket", &socket]).await?;
    let plugins: &[&str] = match flavor {
        Flavor::MySql => &["caching_sha2_password"],
        Flavor::MariaDb => &["mysql_native_password", "ed25519"],
    };
    let mut failures = Failures::default();
    for plugin in plugins {
        rig.server
            .create_user(plugin, PASSWORD, Some(plugin), &["ALL ON app.*"])
            .await?;
        for (name, at) in [
            ("tcp", At::Tcp(rig.proxy.port())),
            ("socket", At::Socket(&socket)),
        ] {
            // Forgets who logged in before: the next login is a full one, the one after it a fast one.
            rig.server.root().await?.query_drop("FLUSH PRIVILEGES").await?;
            for login in ["first", "second"] {
                let result = logs_in(&rig, &at, plugin).await;
                failures.note(&rig, &format!("{plugin} by {name}, {login} login"), result);
            }
            failures.note(
                &rig,
                &format!("{plugin} by {name}, wrong password"),
                is_refused(&rig, &at, plugin).await,
            );
        }
    }
    failures.none()
}

const PASSWORD: &str = "s3cret ü";

async fn logs_in(rig: &Rig, at: &At<'_>, user: &str) -> Result<()> {
    let mut command = client(rig, at, user, PASSWORD);
    command.arg("--default-character-set=utf8mb4");
    if rig.flavor() == Flavor::MySql {
        command.arg("--get-server-public-key");
    }
    let (shown, errors) = texts(&feed(command, "SELECT CURRENT_USER();\n").await?);
    ensure!(shown.contains(user), "{shown} {errors}");
    Ok(())
}

async fn is_refused(rig: &Rig, at: &At<'_>, user: &str) -> Result<()> {
    let mut command = client(rig, at, user, "wrong");
    if rig.flavor() == Flavor::MySql {
        command.arg("--get-server-public-key");
    }
    let (shown, errors) = texts(&feed(command, "SELECT CURRENT_USER();\n").await?);
    ensure!(
        errors.contains("ERROR 1045 (28000)") && shown.is_empty(),
        "{shown} {errors}"
    );
    Ok(())
}

/// A table that takes a while, in both schemas.
async fn a_large_table(rig: &Rig) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, a INT, pad VARCHAR(250), KEY by_pad (pad))")
            .await?;
    }
    fill(
        &mut root,
        "app.t",
        100_000,
        "n, n, CONCAT(SHA2(n, 512), '0123456789')",
    )
    .await?;
    root.query_drop("INSERT INTO nat.t SELECT * FROM app.t").await?;
    Ok(())
}

async fn copy_has_begun(rig: &Rig) -> Result<()> {
    eventually("the copy has begun", async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations
            .first()
            .is_some_and(|migration| migration.rows_copied > 0)
            .then_some(()))
    })
    .await
}

/// `KILL QUERY` is what Ctrl-C in a client sends.
async fn a_killed_statement(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    a_large_table(&rig).await?;
    let mut held = rig.client().await?;
    let id: u64 = held
        .query_first("SELECT CONNECTION_ID()")
        .await?
        .context("no id")?;
    let alter = tokio::spawn(async move {
        let outcome = run(&mut held, "ALTER TABLE t MODIFY a BIGINT").await?;
        // The session goes on as before.
        let rows: Option<u64> = held.query_first("SELECT COUNT(*) FROM t").await?;
        anyhow::Ok((outcome, rows))
    });
    copy_has_begun(&rig).await?;
    rig.client().await?.query_drop(format!("KILL QUERY {id}")).await?;
    let (outcome, rows) = tokio::time::timeout(DEADLINE, alter)
        .await
        .context("it is not killed")???;
    ensure!(
        matches!(&outcome, Outcome::Err { code: 1317, state, .. } if state == "70100"),
        "{outcome:?}"
    );
    ensure!(rows == Some(100_000), "{rows:?}");
    rig.tables_are_equal("t").await.context("the table was touched")?;
    let mut root = rig.direct("").await?;
    nothing_left(&mut root).await?;
    let migrations = rig.migrations_of("t").await?;
    ensure!(
        matches!(migrations.as_slice(), [one] if one.phase == "cancelled"),
        "{migrations:?}"
    );
    // Nothing stands in the way of another try.
    let (ours, native) = rig.both_ways("", "ALTER TABLE t MODIFY a BIGINT").await?;
    ensure!(ours == native, "{ours:?} {native:?}");
    rig.tables_are_equal("t").await
}

/// The client is gone, its ALTER goes on.
async fn a_client_that_leaves(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    a_large_table(&rig).await?;
    let mut command = client(&rig, &At::Tcp(rig.proxy.port()), "root", "");
    command.args(["app", "-e", "ALTER TABLE t MODIFY a BIGINT"]);
    let mut child = command.spawn()?;
    copy_has_begun(&rig).await?;
    child.kill().await?;
    eventually("the migration is done", async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations
            .first()
            .is_some_and(|migration| migration.phase == "done")
            .then_some(()))
    })
    .await
    .map_err(|error| rig.explain(error))?;
    rig.direct("nat")
        .await?
        .query_drop("ALTER TABLE t MODIFY a BIGINT")
        .await?;
    rig.tables_are_equal("t").await
}

async fn the_admin_endpoint(flavor: Flavor) -> Result<()> {
    let (_folder, socket) = socket_folder()?;
    let mut rig = Rig::start(flavor, &[]).await?;
    let admin = format!("unix:{socket}");
    rig.proxy = Alterego::start(
        &rig.server,
        &["--admin", &admin],
        &[("ALTEREGO_ADMIN_PASSWORD", "letmein")],
    )
    .await?;
    let mut root = rig.direct("app").await?;
    root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, a INT)")
        .await?;
    fill(&mut root, "t", 2000, "n, n").await?;
    rig.client()
        .await?
        .query_drop("ALTER TABLE t MODIFY a BIGINT")
        .await?;
    let opts = |password: &str| {
        OptsBuilder::default()
            .socket(Some(socket.clone()))
            .user(Some("admin"))
            .pass(Some(password.to_owned()))
    };
    ensure!(Conn::new(opts("wrong")).await.is_err(), "any password will do");
    for alive in [true, false] {
        if !alive {
            rig.server.kill();
        }
        let seen = tokio::time::timeout(Duration::from_secs(60), async {
            let mut conn = Conn::new(opts("letmein")).await?;
            migrations(&mut conn).await
        })
        .await
        .context("the admin endpoint hangs")??;
        let expected = |migration: &crate::support::Migration| {
            migration.table == "app.t"
                && migration.succeeded()
                && migration.statement == "ALTER TABLE t MODIFY a BIGINT"
        };
        ensure!(
            seen.len() == 1 && seen.iter().all(expected),
            "alive: {alive}, {seen:?}\n{}",
            rig.proxy.log()
        );
        // The server's own client can read it, too.
        let mut command = client(&rig, &At::Socket(&socket), "admin", "letmein");
        if flavor == Flavor::MariaDb {
            // It asks for TLS by default, which this endpoint does not speak.
            command.arg("--skip-ssl");
        }
        let (shown, errors) = texts(&feed(command, "SHOW MIGRATIONS;\n").await?);
        ensure!(shown.contains("MODIFY a BIGINT"), "{shown} {errors}");
    }
    Ok(())
}
