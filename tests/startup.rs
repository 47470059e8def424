//! Starting in front of real servers: what is missing is said with the statement that mends it, and that
//! statement does mend it.

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

const PASSWORD: &str = "hunter2";

/// Starts in front of the server as `user` and returns what is printed by a start that fails.
async fn refused(server: &Server, user: &str, args: &[&str]) -> Result<Vec<String>> {
    let mut command = Alterego::command()?;
    command
        .arg(server.url(user, PASSWORD))
        .args(["--listen", "127.0.0.1:0"])
        .args(args)
        .env("NO_COLOR", "1");
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(output.status.code() == Some(1), "{output:?}");
    let stderr = String::from_utf8(output.stderr)?;
    ensure!(!stderr.contains(PASSWORD), "the password was printed: {stderr}");
    Ok(stderr
        .lines()
        .filter(|line| line.starts_with("alterego: "))
        .map(str::to_owned)
        .collect())
}

/// The statement at the end of a line of advice.
fn remedy(line: &str) -> &str {
    line.rsplit_once(": ")
        .map_or(line, |(_, remedy)| remedy)
        .trim_end_matches(';')
}

async fn each_missing_grant_is_named_and_mends(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let mut root = server.root().await?;
    root.query_drop(format!("CREATE USER 'newcomer'@'%' IDENTIFIED BY '{PASSWORD}'"))
        .await?;

    let advice = refused(&server, "newcomer", &[]).await?;
    ensure!(
        advice.len() > 5 && advice.iter().all(|line| remedy(line).starts_with("GRANT ")),
        "{advice:?}"
    );
    // What was granted on one schema does not count for all.
    root.query_drop("CREATE DATABASE app").await?;
    root.query_drop("GRANT ALL PRIVILEGES ON app.* TO 'newcomer'@'%'")
        .await?;
    ensure!(refused(&server, "newcomer", &[]).await? == advice);

    for line in &advice {
        root.query_drop(remedy(line))
            .await
            .with_context(|| line.clone())?;
    }
    let mut alterego = Alterego::start_at(
        &server.url("newcomer", PASSWORD),
        &[],
        &[("ALTEREGO_LOG", "trace")],
    )
    .await?;
    alterego.stop().await?;
    ensure!(!alterego.log().contains(PASSWORD), "the password is in the log");

    for line in &advice {
        let grant = remedy(line);
        root.query_drop(grant.replacen("GRANT", "REVOKE", 1).replace(" TO ", " FROM "))
            .await?;
        let found = refused(&server, "newcomer", &[]).await?;
        ensure!(found == [line.clone()], "without {grant}: {found:?}");
        root.query_drop(grant).await?;
    }
    Ok(())
}

async fn a_server_that_hides_changes_is_refused(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed().arg("--binlog-ignore-db=hidden")).await?;
    let mut root = server.root().await?;
    root.query_drop(format!("CREATE USER 'migrator'@'%' IDENTIFIED BY '{PASSWORD}'"))
        .await?;
    root.query_drop("GRANT ALL PRIVILEGES ON *.* TO 'migrator'@'%'")
        .await?;
    root.query_drop("SET GLOBAL binlog_format='STATEMENT'").await?;
    root.query_drop("SET GLOBAL read_only=ON").await?;
    let found = refused(&server, "migrator", &[]).await?.join("\n");
    for expected in ["binlog_format=STATEMENT", "(hidden)", "read-only"] {
        ensure!(found.contains(expected), "{expected} is not in {found}");
    }
    // Nothing of this matters to a proxy that only forwards.
    let native = ["--strategy", "native"];
    Alterego::start_at(&server.url("migrator", PASSWORD), &native, &[])
        .await?
        .stop()
        .await
}

async fn the_admin_endpoint_outlives_the_server(flavor: Flavor) -> Result<()> {
    let mut server = Server::start(flavor, &Options::relaxed()).await?;
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("admin.sock");
    let place = format!("unix:{}", socket.display());
    let env = [("ALTEREGO_ADMIN_PASSWORD", PASSWORD)];
    let mut alterego = Alterego::start(&server, &["--admin", &place], &env).await?;
    alterego
        .logged("listening admin=", std::time::Duration::from_secs(10))
        .await?;
    server.kill();
    let opts = OptsBuilder::default()
        .socket(Some(socket.display().to_string()))
        .user(Some("admin"))
        .pass(Some(PASSWORD));
    let mut conn = Conn::new(opts).await?;
    conn.query_drop("SHOW MIGRATIONS").await?;
    conn.disconnect().await?;
    alterego.stop().await?;
    ensure!(!socket.exists(), "the socket was left behind");
    Ok(())
}

#[tokio::test]
async fn each_missing_grant_is_named_and_mends_mysql() -> Result<()> {
    each_missing_grant_is_named_and_mends(Flavor::MySql).await
}

#[tokio::test]
async fn each_missing_grant_is_named_and_mends_mariadb() -> Result<()> {
    each_missing_grant_is_named_and_mends(Flavor::MariaDb).await
}

#[tokio::test]
async fn a_server_that_hides_changes_is_refused_mysql() -> Result<()> {
    a_server_that_hides_changes_is_refused(Flavor::MySql).await
}

#[tokio::test]
async fn a_server_that_hides_changes_is_refused_mariadb() -> Result<()> {
    a_server_that_hides_changes_is_refused(Flavor::MariaDb).await
}

#[tokio::test]
async fn the_admin_endpoint_outlives_the_server_mysql() -> Result<()> {
    the_admin_endpoint_outlives_the_server(Flavor::MySql).await
}

#[tokio::test]
async fn the_admin_endpoint_outlives_the_server_mariadb() -> Result<()> {
    the_admin_endpoint_outlives_the_server(Flavor::MariaDb).await
}
