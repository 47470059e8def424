//! The kit against real servers: what the other tests rely on.

use std::process::Stdio;
use std::time::{Duration, Instant};

use alterego_testkit::{Flavor, Options, Server, client_opts, compare_tables};
use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

#[tokio::test]
async fn a_killed_server_comes_back_with_its_data() -> Result<()> {
    for flavor in Flavor::ALL {
        let mut server = Server::start(flavor, &Options::durable()).await?;
        let mut root = server.root().await?;
        root.query_drop("CREATE SCHEMA app").await?;
        root.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY)").await?;
        root.query_drop("INSERT INTO app.t VALUES (1), (2)").await?;
        server.kill();
        assert!(root.ping().await.is_err());
        server.restart().await?;
        let mut root = server.root().await?;
        let rows: Option<u64> = root.query_first("SELECT COUNT(*) FROM app.t").await?;
        assert_eq!(rows, Some(2));
    }
    Ok(())
}

#[tokio::test]
async fn created_users_connect_and_so_does_the_command_line_client() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &Options::relaxed()).await?;
        let plugin = (flavor == Flavor::MariaDb).then_some("ed25519");
        server
            .create_user("plain", "secret", None, &["SELECT ON mysql.*"])
            .await?;
        server
            .create_user("special", "secret", plugin, &["ALL ON *.*"])
            .await?;
        Conn::new(client_opts(server.port(), "plain", "secret", None))
            .await?
            .disconnect()
            .await?;
        let output = server
            .client_command()
            .args([
                "-h",
                "127.0.0.1",
                "-P",
                &server.port().to_string(),
                "-u",
                "special",
                "-NBe",
                "SELECT 40 + 2",
            ])
            .env("MYSQL_PWD", "secret")
            .stdin(Stdio::null())
            .output()?;
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "42", "{output:?}");
    }
    Ok(())
}

#[tokio::test]
async fn stalled_commits_are_invisible_until_released() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &Options::relaxed()).await?;
        let mut root = server.root().await?;
        root.query_drop("CREATE SCHEMA app").await?;
        root.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY)").await?;
        for round in 1..=2_u64 {
            server.stall_commits(Duration::from_secs(60)).await?;
            let opts = server.root_opts();
            let insert = tokio::spawn(async move {
                let mut conn = Conn::new(opts).await?;
                conn.exec_drop("INSERT INTO app.t VALUES (?)", (round,)).await?;
                conn.disconnect().await
            });
            while server.stalled_commits().await? == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(
                root.query_first("SELECT COUNT(*) FROM app.t").await?,
                Some(round - 1),
                "{flavor}"
            );
            let started = Instant::now();
            server.release().await?;
            insert.await??;
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "{flavor}: {:?}",
                started.elapsed()
            );
            assert_eq!(
                root.query_first("SELECT COUNT(*) FROM app.t").await?,
                Some(round),
                "{flavor}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_kind_of_difference_is_counted() -> Result<()> {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &Options::relaxed()).await?;
        let mut root = server.root().await?;
        for schema in ["one", "two"] {
            root.query_drop(format!("CREATE SCHEMA {schema}")).await?;
            root.query_drop(format!(
                "CREATE TABLE {schema}.t (id INT PRIMARY KEY, f FLOAT, v VARCHAR(9) CHARACTER SET latin1)"
            ))
            .await?;
            root.query_drop(format!(
                "INSERT INTO {schema}.t VALUES (1,1.1,'é'), (2,2.2,NULL), (3,3.3,'x')"
            ))
            .await?;
        }
        assert!(
            compare_tables(&mut root, ("one", "t"), ("two", "t"))
                .await?
                .is_none()
        );
        root.query_drop("UPDATE two.t SET f = f * 1.0000003 WHERE id = 1")
            .await?;
        root.query_drop("UPDATE two.t SET id = 9 WHERE id = 2").await?;
        root.query_drop("DELETE FROM one.t WHERE id = 3").await?;
        let found = compare_tables(&mut root, ("one", "t"), ("two", "t")).await?;
        assert_eq!((found.rows, found.changed), ((2, 3), 1), "{flavor}: {found}");
        assert_eq!(
            (found.only_in_first, found.only_in_second),
            (1, 2),
            "{flavor}: {found}"
        );
        assert!(found.definitions.is_none(), "{found}");
        root.query_drop("ALTER TABLE two.t COMMENT 'other'").await?;
        assert!(
            compare_tables(&mut root, ("one", "t"), ("two", "t"))
                .await?
                .definitions
                .is_some()
        );
    }
    Ok(())
}
