//! `alterego missing-writes A B`: what one server has and the other lacks, and an exit status that scripts can go by.

use std::process::Output;

use alterego_testkit::{Flavor, Options, Replication, Server};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use crate::both;
use crate::support::{cannot_say, tool};

both! {
    what_a_replica_lacks_is_named,
    another_transaction_of_the_same_number_is_another,
    what_cannot_be_told_is_an_error,
}

async fn what_a_replica_lacks_is_named(flavor: Flavor) -> Result<()> {
    let group = Replication::start(flavor, 2).await?;
    let [a, b] = group.servers.as_slice() else {
        anyhow::bail!("two servers");
    };
    a.execute(&["CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY)"])
        .await?;
    b.catch_up(a).await?;
    expect(a, b, 0, "").await?;
    expect(b, a, 0, "").await?;
    b.receive(false).await?;
    a.execute(&["INSERT INTO app.t VALUES (1)"]).await?;
    let one = lacks(a, b, 1).await?;
    expect(a, b, 1, &one).await?;
    a.execute(&["INSERT INTO app.t VALUES (2)", "INSERT INTO app.t VALUES (3)"])
        .await?;
    let three = lacks(a, b, 3).await?;
    expect(a, b, 1, &three).await?;
    expect(b, a, 0, "").await?;
    b.receive(true).await?;
    b.catch_up(a).await?;
    expect(a, b, 0, "").await
}

/// Both go on by themselves after a split: their numbers are alike.
async fn another_transaction_of_the_same_number_is_another(flavor: Flavor) -> Result<()> {
    let group = Replication::start(flavor, 2).await?;
    let [a, b] = group.servers.as_slice() else {
        anyhow::bail!("two servers");
    };
    a.execute(&["CREATE DATABASE app"]).await?;
    b.catch_up(a).await?;
    b.stop_following().await?;
    b.set_writable(true).await?;
    a.execute(&["CREATE DATABASE only_a"]).await?;
    b.execute(&["CREATE DATABASE only_b"]).await?;
    let lacked = lacks(a, b, 1).await?;
    expect(a, b, 1, &lacked).await?;
    let output = run(&a.url("root", ""), &b.url("root", "")).await?;
    let back = run(&b.url("root", ""), &a.url("root", "")).await?;
    ensure!(back.status.code() == Some(1), "{back:?}");
    ensure!(back.stdout != output.stdout, "{back:?}");
    Ok(())
}

async fn what_cannot_be_told_is_an_error(flavor: Flavor) -> Result<()> {
    let options = match flavor {
        Flavor::MySql => Options::relaxed().without_gtid(),
        Flavor::MariaDb => Options::relaxed().arg("--skip-log-bin"),
    };
    let silent = Server::start(flavor, &options).await?;
    let (url, nobody) = (silent.url("root", ""), "mysql://root@127.0.0.1:1");
    for (a, b, expected) in [
        (url.as_str(), url.as_str(), "writes no GTIDs"),
        (url.as_str(), nobody, ""),
        (nobody, url.as_str(), "cannot reach the server"),
        (url.as_str(), "127.0.0.1", "mysql://user"),
        (url.as_str(), "mysql://127.0.0.1", "the account is missing"),
    ] {
        let output = run(a, b).await?;
        cannot_say(&output, expected)?;
    }
    // Two kinds of GTIDs do not compare.
    let other = match flavor {
        Flavor::MySql => Flavor::MariaDb,
        Flavor::MariaDb => Flavor::MySql,
    };
    let with = Server::start(flavor, &Options::relaxed()).await?;
    let other = Server::start(other, &Options::relaxed()).await?;
    let output = run(&with.url("root", ""), &other.url("root", "")).await?;
    ensure!(output.status.code() == Some(2), "{output:?}");
    Ok(())
}

async fn expect(a: &Server, b: &Server, status: i32, missing: &str) -> Result<()> {
    let output = run(&a.url("root", ""), &b.url("root", "")).await?;
    ensure!(
        output.status.code() == Some(status),
        "{output:?}, expected {status}"
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(
        stdout.trim_end() == missing && output.stderr.is_empty(),
        "{output:?}, expected {missing}"
    );
    Ok(())
}

async fn run(a: &str, b: &str) -> Result<Output> {
    tool(&["missing-writes", a, b]).await
}

/// What `b` lacks of `a`, by the servers' own arithmetic: the last `count` transactions of `a`.
async fn lacks(a: &Server, b: &Server, count: u64) -> Result<String> {
    let had = a.gtids().await?;
    if a.flavor() == Flavor::MariaDb {
        let last: u64 = had.rsplit('-').next().context("a GTID")?.parse()?;
        let first = last - count + 1;
        return Ok(if count == 1 {
            had
        } else {
            format!("0-1-{first}..{had}")
        });
    }
    let mut root = b.root().await?;
    let missing: Option<String> = root
        .query_first(format!("SELECT GTID_SUBTRACT('{had}', @@GLOBAL.gtid_executed)"))
        .await?;
    root.disconnect().await?;
    Ok(missing.unwrap_or_default().replace('\n', ""))
}
