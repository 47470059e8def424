//! A login in front of a router: what the server says is what the client hears.

use mysql_async::{ChangeUserOpts, SslOpts};

use super::*;

crate::both!(
    errors_are_the_servers_own,
    sessions_are_the_servers_own,
    a_kill_finds_its_connection,
    tls_that_is_required,
);

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

/// A client is killed by the id it was greeted with, and by the server's.
async fn a_kill_finds_its_connection(flavor: Flavor) -> Result<()> {
    let (a, b) = tokio::try_join!(primary(flavor), primary(flavor))?;
    let config = [
        group("one", &[("a", &a, 1)]),
        group("two", &[("b", &b, 1)]),
        "[[rule]]\nschema = \"app\"\ngroup = \"two\"\n[[rule]]\ngroup = \"one\"\n".to_owned(),
    ]
    .concat();
    let proxy = Alterego::configured(&config, &["--listen", "127.0.0.1:0"], &[]).await?;
    let mut killer = Conn::new(root(proxy.port())).await?;
    let mut watcher = a.root().await?;
    for kill in ["KILL QUERY", "/* Ctrl-C */ kill query", "KILL CONNECTION", "KILL"] {
        let mut victim = Conn::new(root(proxy.port())).await?;
        let (told, own): (u32, Option<u32>) =
            (victim.id(), victim.query_first("SELECT CONNECTION_ID()").await?);
        ensure!(own.is_some_and(|own| own != told));
        let sleeping = tokio::spawn(async move {
            let slept: mysql_async::Result<Option<u32>> = victim.query_first("SELECT SLEEP(600)").await;
            (slept.is_err(), victim.ping().await.is_ok())
        });
        let asleep = "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(600)'";
        crate::support::eventually("somebody sleeps", async || {
            let count: Option<u32> = watcher.query_first(asleep).await?;
            Ok((count == Some(1)).then_some(()))
        })
        .await?;
        killer
            .query_drop(format!("{kill} {told}"))
            .await
            .with_context(|| kill.to_owned())?;
        let (_, lives) = tokio::time::timeout(crate::support::DEADLINE, sleeping).await??;
        ensure!(
            lives == kill.to_lowercase().contains("query"),
            "{kill}: lives on: {lives}"
        );
    }
    // Nobody any more, somebody elsewhere, and a number of the server's own.
    let gone = killer
        .query_drop("KILL 4000000000")
        .await
        .err()
        .context("nobody was killed")?
        .to_string();
    ensure!(gone.contains("1094") && gone.contains("4000000000"), "{gone}");
    let elsewhere = Conn::new(root(proxy.port()).db_name(Some("app"))).await?;
    let refused = killer.query_drop(format!("KILL {}", elsewhere.id())).await;
    let refused = refused.err().context("somebody else was killed")?.to_string();
    ensure!(
        refused.contains("1094") && refused.contains("on another server"),
        "{refused}"
    );
    let mut victim = Conn::new(root(proxy.port())).await?;
    let own: Option<u32> = victim.query_first("SELECT CONNECTION_ID()").await?;
    killer
        .query_drop(format!("KILL {}", own.context("no id")?))
        .await?;
    ensure!(victim.ping().await.is_err(), "it lives on");
    ends(proxy).await
}

/// On the client's side before anything is opened, on the server's when it turns out to have none.
async fn tls_that_is_required(flavor: Flavor) -> Result<()> {
    let server = primary(flavor).await?;
    let config = group("main", &[("a", &server, 1)]);
    let proxy = |args: &'static [&'static str]| {
        let args = [&["--listen", "127.0.0.1:0"], args].concat();
        let config = config.clone();
        async move { Alterego::configured(&config, &args, &[]).await }
    };
    let encrypted = |port| root(port).ssl_opts(SslOpts::default().with_danger_accept_invalid_certs(true));
    let required = proxy(&["--client-ssl-mode", "REQUIRED"]).await?;
    let told = refusal(root(required.port())).await?;
    ensure!(
        told.contains("3159") && told.contains("require_secure_transport"),
        "{told}"
    );
    ensure!(port_behind(encrypted(required.port())).await? == server.port());
    let disabled = proxy(&["--client-ssl-mode", "DISABLED"]).await?;
    ensure!(
        Conn::new(encrypted(disabled.port())).await.is_err(),
        "TLS is offered"
    );
    ensure!(port_behind(root(disabled.port())).await? == server.port());
    let verified = proxy(&["--upstream-ssl-mode", "REQUIRED"]).await?;
    let mut conn = Conn::new(root(verified.port())).await?;
    let cipher: Option<(String, String)> = conn.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await?;
    ensure!(
        cipher.is_some_and(|(_, cipher)| cipher.contains("TLS")),
        "the server is reached without TLS"
    );
    Ok(())
}
