//! A client may do through the proxy what its own account may do, and no more.

use alterego_testkit::{Alterego, Flavor, Server, client_opts};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use crate::support::{Failures, Outcome, Rig, fill, nothing_left, run};

crate::both!(
    the_clients_privileges_count,
    a_missing_grant_of_the_proxys_account_is_named
);

/// Privileges, the statement, and the error it must end in, if any.
const CASES: &[(&[&str], &str, Option<u16>)] = &[
    (
        &["SELECT, INSERT, UPDATE, DELETE"],
        "ALTER TABLE t MODIFY a BIGINT",
        Some(1142),
    ),
    (
        &["SELECT, INSERT, UPDATE, DELETE"],
        "ALTER TABLE t ADD c INT",
        Some(1142),
    ),
    (
        &["SELECT, INSERT, UPDATE, DELETE"],
        "CREATE INDEX i ON t (a)",
        Some(1142),
    ),
    (&["SELECT"], "ALTER TABLE app.other MODIFY a BIGINT", Some(1142)),
    (&["SELECT, INDEX"], "ALTER TABLE t MODIFY a BIGINT", Some(1142)),
    (&["SELECT, INDEX"], "ALTER TABLE t ADD INDEX i (a)", Some(1142)),
    (&["SELECT, INDEX"], "CREATE INDEX i ON t (a)", None),
    (&["SELECT, ALTER"], "ALTER TABLE t MODIFY a BIGINT", None),
    (
        &["SELECT, ALTER, CREATE, INSERT"],
        "ALTER TABLE t MODIFY a BIGINT",
        None,
    ),
];

async fn the_clients_privileges_count(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut failures = Failures::default();
    for strategy in ["auto", "ghost"] {
        let proxy = Alterego::start(&rig.server, &["--strategy", strategy], &[]).await?;
        for (number, (grants, alter, error)) in CASES.iter().enumerate() {
            let user = format!("{strategy}{number}");
            let result = one(&rig, &proxy, &user, grants, alter, *error).await;
            failures.note(&rig, &format!("{strategy}, {grants:?}, {alter}"), result);
        }
    }
    failures.none()
}

async fn one(
    rig: &Rig,
    proxy: &Alterego,
    user: &str,
    grants: &[&str],
    alter: &str,
    error: Option<u16>,
) -> Result<()> {
    let mut root = rig.direct("").await?;
    for schema in ["app", "nat"] {
        root.query_drop(format!("USE {schema}")).await?;
        root.query_drop("DROP TABLE IF EXISTS t").await?;
        root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, a INT)")
            .await?;
        fill(&mut root, "t", 500, "n, n").await?;
    }
    let everywhere: Vec<String> = grants
        .iter()
        .flat_map(|grant| [format!("{grant} ON app.*"), format!("{grant} ON nat.*")])
        .collect();
    let everywhere: Vec<&str> = everywhere.iter().map(String::as_str).collect();
    rig.server.create_user(user, "secret", None, &everywhere).await?;
    let before = rig.migrations().await?.len();
    let mut outcomes = Vec::new();
    for (port, schema) in [(proxy.port(), "app"), (rig.server.port(), "nat")] {
        // The first login needs the server's key or a secure connection; the proxy is tried with it, too.
        let opts = OptsBuilder::from_opts(client_opts(port, user, "secret", Some(schema)));
        let mut conn = Conn::new(opts).await?;
        outcomes.push(
            run(&mut conn, &alter.replace("app.", &format!("{schema}.")))
                .await?
                .told_of_app(),
        );
    }
    let [ours, native] = outcomes.as_slice() else {
        unreachable!("two outcomes")
    };
    ensure!(
        native.code() == error,
        "the case itself is wrong: natively {native:?}"
    );
    ensure!(
        ours == native,
        "through the proxy: {ours:?}\nnatively: {native:?}"
    );
    let migrations = rig.migrations().await?.len() - before;
    ensure!(
        migrations == usize::from(error.is_none()),
        "{migrations} migrations"
    );
    nothing_left(&mut root).await?;
    if matches!(native, Outcome::Ok { .. }) {
        rig.tables_are_equal("t").await
    } else {
        Ok(())
    }
}

async fn a_missing_grant_of_the_proxys_account_is_named(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &alterego_testkit::Options::relaxed()).await?;
    let enough = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, LOCK TABLES, PROCESS, REPLICATION CLIENT ON *.*";
    server.create_user("migrator", "secret", None, &[enough]).await?;
    let output = refused(&server).await?;
    for needed in [
        "GRANT REPLICATION SLAVE ON *.* TO 'migrator'@'%'",
        "GRANT TRIGGER ON *.* TO 'migrator'@'%'",
    ] {
        ensure!(output.contains(needed), "{needed} is not in: {output}");
    }
    ensure!(!output.contains("panicked"), "{output}");
    // What it says is all that is missing.
    let mut root = server.root().await?;
    for line in output
        .lines()
        .filter_map(|line| line.find("GRANT ").and_then(|at| line.get(at..)))
    {
        root.query_drop(line.trim_end_matches(';')).await?;
    }
    let mut proxy = Alterego::start_at(&server.url("migrator", "secret"), &[], &[]).await?;
    root.query_drop("CREATE DATABASE app").await?;
    root.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY, a INT)")
        .await?;
    fill(&mut root, "app.t", 500, "n, n").await?;
    let mut client = proxy.root().await?;
    client.query_drop("ALTER TABLE app.t MODIFY a BIGINT").await?;
    ensure!(client.affected_rows() == 500);
    let migrations = crate::support::migrations(&mut client).await?;
    ensure!(
        migrations.len() == 1,
        "not by a migration: {migrations:?}\n{}",
        proxy.log()
    );
    drop(client);
    proxy.stop().await
}

/// A table with a trigger is left to the server as long as the account may not create that trigger, and the log says what
/// is missing; with all that it says the table is altered online.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_account_lacks_for_triggers_is_named_on_mysql() -> Result<()> {
    let server = Server::start(Flavor::MySql, &alterego_testkit::Options::relaxed()).await?;
    let at_the_start = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, TRIGGER, LOCK TABLES, \
         CREATE TEMPORARY TABLES, PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.*";
    server
        .create_user("migrator", "secret", None, &[at_the_start])
        .await?;
    let mut root = server.root().await?;
    root.query_drop("CREATE DATABASE app").await?;
    root.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY, a INT)")
        .await?;
    fill(&mut root, "app.t", 500, "n, n").await?;
    for statement in [
        "SET GLOBAL log_bin_trust_function_creators=OFF",
        "CREATE USER plain",
        "CREATE USER gone",
        "CREATE USER powerful",
        "GRANT SYSTEM_USER ON *.* TO powerful",
        "CREATE DEFINER=plain TRIGGER app.one AFTER INSERT ON app.t FOR EACH ROW SET @one = 1",
        "CREATE DEFINER=gone TRIGGER app.two AFTER UPDATE ON app.t FOR EACH ROW SET @two = 1",
        "CREATE DEFINER=powerful TRIGGER app.three AFTER DELETE ON app.t FOR EACH ROW SET @three = 1",
        "DROP USER gone",
    ] {
        root.query_drop(statement).await?;
    }
    let mut proxy = Alterego::start_at(&server.url("migrator", "secret"), &[], &[]).await?;
    let mut client = proxy.root().await?;
    let mut granted = Vec::new();
    for alter in ["BIGINT", "INT", "BIGINT", "INT", "BIGINT", "INT"] {
        let before = proxy.log().len();
        client
            .query_drop(format!("ALTER TABLE app.t MODIFY a {alter}"))
            .await?;
        ensure!(client.affected_rows() == 500);
        if crate::support::migrations(&mut client)
            .await?
            .iter()
            .any(crate::support::Migration::succeeded)
        {
            break;
        }
        let log = proxy.log();
        let said = log.get(before..).unwrap_or_default();
        let missing = said.split_once("what is missing: ").map(|(_, missing)| missing);
        let end = "'migrator'@'%'";
        let grant = missing.and_then(|missing| missing.split_once(end));
        let (grant, _) = grant.with_context(|| format!("no grant is named: {said}"))?;
        root.query_drop(format!("{grant}{end}")).await?;
        granted.push(grant.to_owned());
    }
    let expected = |privilege: &str| granted.iter().any(|grant| grant.contains(privilege));
    ensure!(
        expected("SYSTEM_USER") && (expected("SUPER") || expected("SET_ANY_DEFINER")) && granted.len() < 6,
        "{granted:?}\n{}",
        proxy.log()
    );
    nothing_left(&mut root).await?;
    drop(client);
    proxy.stop().await
}

/// What the proxy prints when it does not start.
async fn refused(server: &Server) -> Result<String> {
    let url = server.url("migrator", "secret");
    let output = tokio::task::spawn_blocking(move || -> Result<_> {
        Ok(Alterego::command()?
            .arg(url)
            .args(["--listen", "127.0.0.1:0"])
            .env("NO_COLOR", "1")
            .output()?)
    })
    .await??;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "it started: {text}");
    Ok(text)
}
