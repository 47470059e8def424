//! ALTER by a placed connection.

use super::*;
use crate::support::migrations;

crate::both!(an_alter_goes_to_its_groups_engine);

async fn an_alter_goes_to_its_groups_engine(flavor: Flavor) -> Result<()> {
    const PASSWORD: &str = "sesame";
    let (a, b, c) = tokio::try_join!(primary(flavor), replica(flavor), primary(flavor))?;
    for server in [&a, &b, &c] {
        let mut conn = server.root().await?;
        conn.query_drop("CREATE TABLE app.t (id INT PRIMARY KEY, v INT)")
            .await?;
        conn.query_drop("INSERT INTO app.t VALUES (1, 10), (2, 20), (3, 30)")
            .await?;
    }
    b.create_user("reader", "", None, &["ALL ON app.*"]).await?;
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
