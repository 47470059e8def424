//! Starts that fail, each with one line that says why.

use std::process::Output;

use super::*;
use crate::support::eventually;

/// Starts with a configuration that is wrong; the exit status and what is printed.
async fn failed(config: &str, args: &[&str]) -> Result<(Option<i32>, Vec<String>)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("c.toml");
    std::fs::write(&file, config)?;
    let mut command = Alterego::command()?;
    command.arg("--config").arg(&file).args(args).env("NO_COLOR", "1");
    command
        .env("XDG_STATE_HOME", folder.path())
        .env_remove("ALTEREGO_URL");
    let running = tokio::task::spawn_blocking(move || command.output());
    let Output { status, stderr, .. } = running.await??;
    let lines = String::from_utf8(stderr)?;
    let lines = lines.lines().filter(|line| line.starts_with("alterego: "));
    Ok((status.code(), lines.map(str::to_owned).collect()))
}

#[tokio::test]
async fn a_mistake_in_the_file_is_one_line() -> Result<()> {
    let server = "[[group.server]]\naddress = \"127.0.0.1:1\"\n";
    let good = format!("[[group]]\nname = \"g\"\nuser = \"u\"\n{server}");
    for (config, expected) in [
        (String::new(), "c.toml:1: there is no [[group]]"),
        (
            format!("{good}wieght = 3\n"),
            "c.toml:6: wieght: unknown field `wieght`",
        ),
        (
            format!("{good}weight = \"3\"\n"),
            "c.toml:6: weight: invalid type",
        ),
        (
            format!("{good}[[rule]]\ngroup = \"h\"\n"),
            "c.toml:7: group: there is no group 'h'",
        ),
        (format!("{good}[[rule]]\ngroup = \"g\n"), "c.toml:7: group: "),
    ] {
        let (code, lines) = failed(&config, &[]).await?;
        ensure!(code == Some(2), "{code:?}: {lines:?}");
        ensure!(
            lines.len() == 1 && lines[0].contains(expected),
            "{lines:?}\nwithout {expected}"
        );
    }
    let (code, lines) = failed(&good, &["mysql://u@h"]).await?;
    ensure!(
        code == Some(2) && lines[0].contains("no place for a server's URL"),
        "{lines:?}"
    );
    Ok(())
}

#[tokio::test]
async fn mysql_and_mariadb_share_no_listener() -> Result<()> {
    let (mysql, mariadb) = tokio::try_join!(primary(Flavor::MySql), primary(Flavor::MariaDb))?;
    let groups = [
        group("old", &[("m", &mysql, 1)]),
        group("new", &[("n", &mariadb, 1)]),
    ]
    .concat();
    let rules = "[[rule]]\nuser = \"a\"\ngroup = \"old\"\n[[rule]]\ngroup = \"new\"\n";
    let (code, lines) = failed(&[&groups, rules].concat(), &["--listen", "127.0.0.1:0"]).await?;
    let expected = "listener 'default': MySQL and MariaDB cannot share a listener";
    ensure!(
        code == Some(1) && lines.len() == 1 && lines[0].contains(expected),
        "{code:?} {lines:?}"
    );
    ensure!(
        lines[0].contains("group 'old' is MySQL, group 'new' is MariaDB"),
        "{lines:?}"
    );
    // A listener each.
    let rules =
        "[[rule]]\nlistener = \"one\"\ngroup = \"old\"\n[[rule]]\nlistener = \"two\"\ngroup = \"new\"\n";
    let config = [&groups, &*listener("one"), &listener("two"), rules].concat();
    let proxy = Alterego::configured(&config, &[], &[]).await?;
    ensure!(port_behind(root(proxy.port_of("one").await?)).await? == mysql.port());
    ensure!(port_behind(root(proxy.port_of("two").await?)).await? == mariadb.port());
    ends(proxy).await
}

crate::both!(an_account_that_may_not_look);

/// It leaves its group without a primary; the log says which right is missing, and clients do not hear of the account.
async fn an_account_that_may_not_look(flavor: Flavor) -> Result<()> {
    let server = primary(flavor).await?;
    server.create_user("newcomer", "", None, &[]).await?;
    let config = group("main", &[("a", &server, 1)]).replace("root", "newcomer");
    let proxy = Alterego::configured(&config, &["--listen", "127.0.0.1:0"], &[]).await?;
    let told = refusal(root(proxy.port())).await?;
    ensure!(
        told.contains("1429") && told.contains("group 'main' has no primary") && !told.contains("newcomer"),
        "{told}"
    );
    let grant = match flavor {
        Flavor::MySql => "GRANT REPLICATION CLIENT ON *.* TO 'newcomer'@'%';",
        Flavor::MariaDb => "GRANT SLAVE MONITOR ON *.* TO 'newcomer'@'%';",
    };
    proxy.logged(grant, crate::support::DEADLINE).await?;
    ensure!(proxy.log().matches(grant).count() == 1, "{}", proxy.log());
    // With it the server can be watched; what else a migration takes is said by the check of the primary.
    server.root().await?.query_drop(grant).await?;
    eventually("the group has a primary", async || {
        Ok(Conn::new(root(proxy.port())).await.ok().map(drop))
    })
    .await?;
    ends(proxy).await
}

#[tokio::test]
async fn servers_that_cannot_be_used_are_named() -> Result<()> {
    let server = primary(Flavor::MariaDb).await?;
    let nowhere = "[[group]]\nname = \"g\"\nuser = \"u\"\n[[group.server]]\naddress = \"127.0.0.1:1\"\n";
    let (code, lines) = failed(nowhere, &["--listen", "127.0.0.1:0"]).await?;
    let expected = "listener 'default': none of its servers answers";
    ensure!(
        code == Some(1) && lines.len() == 1 && lines[0].contains(expected),
        "{lines:?}"
    );
    let unused = [
        &group("main", &[("a", &server, 1)]),
        &*listener("x"),
        &listener("y"),
        "[[rule]]\nlistener = \"x\"\ngroup = \"main\"\n",
    ]
    .concat();
    let (code, lines) = failed(&unused, &[]).await?;
    ensure!(
        code == Some(1) && lines[0].contains("no rule says where clients of listener 'y' go"),
        "{lines:?}"
    );
    Ok(())
}
