//! ALTER by a placed connection.

use super::*;
use crate::support::migrations;

crate::both!(an_alter_goes_to_its_groups_engine, all_follows_a_failover);

async fn an_alter_goes_to_its_groups_engine(flavor: Flavor) -> Result<()> {
    const PASSWORD: &str = "sesame";
    let ([a, b], c) = tokio::try_join!(replicated(flavor), primary(flavor))?;
    for server in [&a, &c] {
        let mut conn = server.root().await?;
        conn.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY, v INT)")
            .await?;
        conn.query_drop("INSERT INTO app.t VALUES (1, 10), (2, 20), (3, 30)")
            .await?;
    }
    a.create_user("reader", "", None, &["ALL ON app.*"]).await?;
    b.catch_up(&a).await?;
    let folder = tempfile::tempdir()?;
    let admin = folder.path().join("admin.sock");
    let config = [
        group("main", &[("a", &a, 1), ("b", &b, 1)]),
        group("other", &[("c", &c, 1)]),
        "[[rule]]\nuser = \"reader\"\ngroup = \"main\"\nrole = \"read-only\"\n".to_owned(),
        "[[rule]]\nschema = \"app\"\ngroup = \"other\"\n[[rule]]\ngroup = \"main\"\n".to_owned(),
    ]
    .concat();
    let place = format!("unix:{}", admin.display());
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--admin",
        &place,
        "--strategy",
        "ghost",
    ];
    let proxy = Alterego::configured(&config, &args, &[("ALTEREGO_ADMIN_PASSWORD", PASSWORD)]).await?;

    let mut on_a = Conn::new(root(proxy.port())).await?;
    let mut on_c = Conn::new(root(proxy.port()).db_name(Some("app"))).await?;
    on_a.query_drop("ALTER TABLE app.t MODIFY v BIGINT").await?;
    ensure!(migrations(&mut on_a).await?.len() == 1 && migrations(&mut on_c).await?.is_empty());
    on_c.query_drop("ALTER TABLE t ADD w INT DEFAULT 7").await?;
    on_c.query_drop("ALTER TABLE t ADD x INT DEFAULT 8").await?;
    let (main, other) = (migrations(&mut on_a).await?, migrations(&mut on_c).await?);
    ensure!(main.len() == 1 && other.len() == 2, "{main:?} {other:?}");
    ensure!(
        main.iter()
            .chain(&other)
            .all(crate::support::Migration::succeeded),
        "{main:?} {other:?}"
    );
    let rows: Vec<(i32, i64)> = a.root().await?.query("SELECT id, v FROM app.t").await?;
    ensure!(rows == [(1, 10), (2, 20), (3, 30)], "{rows:?}");
    let rows: Vec<(i32, i32, i32, i32)> = c.root().await?.query("SELECT * FROM app.t").await?;
    ensure!(rows == [(1, 10, 7, 8), (2, 20, 7, 8), (3, 30, 7, 8)], "{rows:?}");

    // The admin endpoint shows both groups'.
    let opts = OptsBuilder::default()
        .socket(admin.to_str())
        .user(Some("admin"))
        .pass(Some(PASSWORD));
    let mut conn = Conn::new(opts).await?;
    let rows: Vec<mysql_async::Row> = conn.query("SHOW MIGRATIONS").await?;
    let groups: Vec<String> = rows.iter().filter_map(|row| row.get("group")).collect();
    ensure!(groups == ["main", "other", "other"], "{groups:?}");
    let routes: Vec<mysql_async::Row> = conn.query("SHOW ROUTES").await?;
    let upstreams: Vec<mysql_async::Row> = conn.query("SHOW UPSTREAMS").await?;
    ensure!((routes.len(), upstreams.len()) == (3, 3));

    // An operator's word reaches whoever watches the groups.
    let accept = "ACCEPT PRIMARY 'b' IN GROUP 'elsewhere' WITHOUT 'UNKNOWN'";
    let error = conn
        .query_drop(accept)
        .await
        .err()
        .context("there is no such group")?
        .to_string();
    ensure!(error.contains("there is no server group 'elsewhere'"), "{error}");

    // On a replica it is the server's.
    let mut on_b = Conn::new(root(proxy.port()).user(Some("reader"))).await?;
    let error = on_b.query_drop("ALTER TABLE app.t MODIFY v BIGINT").await;
    let error = error.err().context("a replica was altered")?.to_string();
    ensure!(error.contains("1290") && error.contains("read-only"), "{error}");
    ensure!(
        migrations(&mut on_b).await?.len() == 1,
        "those of the group are shown"
    );
    ends(proxy).await
}

/// Connections and schema changes go to the next primary, with the migrations of the last.
async fn all_follows_a_failover(flavor: Flavor) -> Result<()> {
    let [mut a, b] = replicated(flavor).await?;
    let mut conn = a.root().await?;
    conn.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY, v INT)")
        .await?;
    conn.query_drop("INSERT INTO app.t VALUES (1, 10), (2, 20)")
        .await?;
    let config = group("main", &[("a", &a, 1), ("b", &b, 1)]);
    let args = ["--listen", "127.0.0.1:0", "--strategy", "ghost"];
    let proxy = Alterego::configured(&config, &args, &[]).await?;
    let mut client = Conn::new(root(proxy.port())).await?;
    client.query_drop("ALTER TABLE app.t MODIFY v BIGINT").await?;
    client.query_drop("INSERT INTO app.t VALUES (3, 30)").await?;
    ensure!(migrations(&mut client).await?.len() == 1);
    b.catch_up(&a).await?;
    clients_on(&mut client, "a", 1).await?;
    // The monitor has seen what the primary has, and so has the replica.
    a.kill();
    b.stop_following().await?;
    b.set_writable(true).await?;
    crate::support::eventually("the next primary", async || {
        Ok(port_behind(root(proxy.port()))
            .await
            .ok()
            .filter(|port| *port == b.port()))
    })
    .await?;
    proxy
        .logged(
            "schema changes go to the primary group=\"main\" server=\"b\"",
            crate::support::DEADLINE,
        )
        .await?;
    let mut client = Conn::new(root(proxy.port())).await?;
    client.query_drop("ALTER TABLE app.t ADD w INT DEFAULT 7").await?;
    let both = migrations(&mut client).await?;
    ensure!(
        both.len() == 2 && both.iter().all(crate::support::Migration::succeeded),
        "{both:?}"
    );
    let rows: Vec<(i32, i64, i32)> = b.root().await?.query("SELECT * FROM app.t").await?;
    ensure!(rows == [(1, 10, 7), (2, 20, 7), (3, 30, 7)], "{rows:?}");
    ends(proxy).await
}
