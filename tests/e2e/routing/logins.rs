//! A login in front of a router: what the server says is what the client hears.

use mysql_async::ChangeUserOpts;

use super::*;

crate::both!(errors_are_the_servers_own, sessions_are_the_servers_own);

/// Errors of a login, directly and by the proxy.
async fn errors_are_the_servers_own(flavor: Flavor) -> Result<()> {
    let server = primary(flavor).await?;
    server
        .create_user("guest", "s3cret", None, &["USAGE ON *.*"])
        .await?;
    let mut conn = server.root().await?;
    conn.query_drop("CREATE USER locked@'%' ACCOUNT LOCK").await?;
    conn.query_drop("CREATE USER expired@'%' PASSWORD EXPIRE").await?;
    let proxy = Alterego::configured(
        &group("main", &[("a", &server, 1)]),
        &["--listen", "127.0.0.1:0"],
        &[],
    )
    .await?;
    for (user, password, schema) in [
        ("guest", "wrong", None),
        ("guest", "", None),
        ("nobody", "s3cret", None),
        ("", "", None),
        ("guest", "s3cret", Some("app")),
        ("guest", "s3cret", Some("nothing")),
        ("root", "", Some("nothing")),
        ("locked", "", None),
    ] {
        let opts = |port| client_opts(port, user, password, schema);
        let direct = refusal(opts(server.port())).await?;
        let ours = refusal(opts(proxy.port())).await?;
        ensure!(
            ours == direct,
            "{user} {password} {schema:?}: {ours}\ndirectly {direct}"
        );
    }
    // Where the server takes no more clients it says so instead of a greeting.
    conn.query_drop("SET GLOBAL max_connections = 10").await?;
    let mut open = Vec::new();
    let told = loop {
        match Conn::new(root(proxy.port())).await {
            Ok(conn) if open.len() < 100 => open.push(conn),
            Ok(_) => anyhow::bail!("the server takes them all"),
            Err(error) => break error.to_string(),
        }
    };
    ensure!(
        told.contains("1040") && told.contains("Too many connections"),
        "{told}"
    );
    ends(proxy).await
}

/// What a session is, once it is there.
async fn sessions_are_the_servers_own(flavor: Flavor) -> Result<()> {
    let server = primary(flavor).await?;
    server
        .create_user("app", "s3cret", None, &["ALL ON app.*"])
        .await?;
    let proxy = Alterego::configured(
        &group("main", &[("a", &server, 1)]),
        &["--listen", "127.0.0.1:0"],
        &[],
    )
    .await?;
    let mut conn = Conn::new(client_opts(proxy.port(), "app", "s3cret", Some("app"))).await?;
    let found: Option<(String, String, u32)> = conn
        .query_first("SELECT CURRENT_USER(), DATABASE(), CONNECTION_ID()")
        .await?;
    let (user, schema, id) = found.context("no row")?;
    ensure!((user.as_str(), schema.as_str()) == ("app@%", "app"));
    // The id of the greeting is nobody's on the server; its own is in SQL.
    ensure!(conn.id() >= 1 << 31 && id < 1 << 31, "{} and {id}", conn.id());
    let version: Option<String> = conn.query_first("SELECT VERSION()").await?;
    let (major, minor, patch) = conn.server_version();
    ensure!(version.is_some_and(|text| text.starts_with(&format!("{major}.{minor}.{patch}"))));
    // A change of user stays on the server, and is challenged anew.
    for _ in 0..2 {
        conn.change_user(
            ChangeUserOpts::new()
                .with_user(Some("root".to_owned()))
                .with_pass(None),
        )
        .await?;
        let back = ChangeUserOpts::new()
            .with_user(Some("app".to_owned()))
            .with_pass(Some("s3cret".to_owned()));
        conn.change_user(back).await?;
        let found: Option<(String, u32)> = conn.query_first("SELECT CURRENT_USER(), CONNECTION_ID()").await?;
        ensure!(found == Some(("app@%".to_owned(), id)), "{found:?}");
    }
    let wrong = ChangeUserOpts::new()
        .with_user(Some("app".to_owned()))
        .with_pass(Some("wrong".to_owned()));
    let told = conn
        .change_user(wrong)
        .await
        .err()
        .context("a wrong password will do")?
        .to_string();
    ensure!(told.contains("1045"), "{told}");
    let mut conn = Conn::new(root(proxy.port())).await?;
    conn.reset().await?;
    let rows: Vec<u32> = conn.exec("SELECT ? UNION SELECT 2", (1,)).await?;
    ensure!(rows == [1, 2]);
    ends(proxy).await
}
