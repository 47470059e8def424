//! Each kind of rule, weights, and servers that are not there.

use super::*;

crate::both!(
    every_kind_of_rule,
    one_server_is_shown_too,
    replicas_share,
    a_group_without_a_primary,
    a_primary_that_is_down,
);

async fn every_kind_of_rule(flavor: Flavor) -> Result<()> {
    let ([a, b], c) = tokio::try_join!(replicated(flavor), primary(flavor))?;
    for server in [&a, &c] {
        let mut conn = server.root().await?;
        conn.query_drop("CREATE DATABASE archive").await?;
        for user in ["bi_daily", "near", "known"] {
            conn.query_drop(format!("CREATE USER {user}@'%'")).await?;
        }
    }
    b.catch_up(&a).await?;
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("app.sock");
    let servers = [
        group("main", &[("a", &a, 1), ("b", &b, 1)]),
        group("other", &[("c", &c, 1)]),
        listener("app"),
        format!("socket = \"{}\"\n", socket.display()),
        listener("reports"),
        listener("tools"),
        listener("strict"),
    ];
    let rules = [
        "[[rule]]\nlistener = \"reports\"\ngroup = \"main\"\nrole = \"read-only\"\n",
        "[[rule]]\nuser = [\"nobody\", \"bi_*\"]\ngroup = \"main\"\nrole = \"read-only\"\n",
        "[[rule]]\nschema = \"archive\"\ngroup = \"other\"\n",
        "[[rule]]\nsource = [\"10.0.0.0/8\", \"unix\"]\ngroup = \"other\"\n",
        "[[rule]]\nsource = \"127.0.0.0/8\"\nuser = \"near\"\ngroup = \"other\"\n",
        "[[rule]]\nlistener = \"tools\"\nattributes = { program_name = \"m*\" }\ngroup = \"other\"\n",
        "[[rule]]\nlistener = [\"app\", \"reports\", \"tools\"]\ngroup = \"main\"\n",
        "[[rule]]\nlistener = \"strict\"\nuser = \"known\"\ngroup = \"main\"\n",
    ];
    let config = [servers.concat(), rules.concat()].concat();
    let proxy = Alterego::configured(&config, &[], &[]).await?;
    let (app, reports) = (proxy.port_of("app").await?, proxy.port_of("reports").await?);
    let (tools, strict) = (proxy.port_of("tools").await?, proxy.port_of("strict").await?);
    let check = async |name: &str, opts: OptsBuilder, server: &Server| -> Result<()> {
        let found = port_behind(opts).await.with_context(|| name.to_owned())?;
        ensure!(
            found == server.port(),
            "{name}: {found} instead of {}",
            server.port()
        );
        Ok(())
    };
    check("the last rule", root(app), &a).await?;
    check("a listener", root(reports), &b).await?;
    check("a user", root(app).user(Some("bi_daily")), &b).await?;
    check("a schema", root(app).db_name(Some("archive")), &c).await?;
    check("another schema", root(app).db_name(Some("app")), &a).await?;
    check(
        "the first rule goes first",
        root(reports).db_name(Some("archive")),
        &b,
    )
    .await?;
    check("a unix socket", root(app).socket(socket.to_str()), &c).await?;
    check("a source network", root(app).user(Some("near")), &c).await?;
    check("another program", root(tools), &a).await?;
    check(
        "no other attribute than asked for",
        root(strict).user(Some("known")),
        &a,
    )
    .await?;
    let told = by_client(&a, tools).await?;
    ensure!(told == c.port().to_string(), "a program: {told}");
    let told = refusal(root(strict)).await?;
    ensure!(
        told.contains("1429") && told.contains("no rule says where to connect user 'root'"),
        "{told}"
    );
    shown(app, &[&a, &b, &c]).await?;
    ends(proxy).await
}

/// Where the server's own client is placed, which says of itself that it is `mysql` or `mariadb`. The server hears so, too.
async fn by_client(server: &Server, port: u16) -> Result<String> {
    let mut command = tokio::process::Command::from(server.client_command());
    let port = format!("--port={port}");
    command.args(["--protocol=tcp", "--host=127.0.0.1", &port, "--user=root", "-Ne"]);
    let attributes = "SELECT COUNT(*) FROM performance_schema.session_connect_attrs \
                      WHERE processlist_id = CONNECTION_ID() AND attr_name = 'program_name'";
    // MariaDB has them where its performance schema is on, which it is not by default.
    match server.flavor() {
        Flavor::MySql => command.arg(format!(
            "SELECT IF(({attributes}) = 1, @@port, 'a program without a name')"
        )),
        Flavor::MariaDb => command.arg("SELECT @@port"),
    };
    let output = command.output().await?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// What is shown of all this, in-band.
async fn shown(port: u16, servers: &[&Server]) -> Result<()> {
    type Line = (
        u32,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        String,
        String,
    );
    let mut conn = Conn::new(root(port)).await?;
    let routes: Vec<Line> = conn.query("SHOW ROUTES").await?;
    ensure!(routes.len() == 8, "{routes:?}");
    let text = |text: &str| Some(text.to_owned());
    ensure!(
        routes[0]
            == (
                1,
                text("reports"),
                None,
                None,
                None,
                None,
                "main".into(),
                "read-only".into()
            ),
        "{routes:?}"
    );
    ensure!(
        routes[1].2 == text("nobody, bi_*") && routes[2].3 == text("archive"),
        "{routes:?}"
    );
    ensure!(
        routes[3].5 == text("10.0.0.0/8, unix") && routes[5].4 == text("program_name=m*"),
        "{routes:?}"
    );
    let rows: Vec<mysql_async::Row> = conn.query("SHOW UPSTREAMS").await?;
    let cell = |row: &mysql_async::Row, name: &str| row.get::<String, _>(name).unwrap_or_default();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| ["group", "server", "address", "role", "state"].map(|name| cell(row, name)))
        .collect();
    let expected: Vec<_> = [
        ("main", "a", "primary"),
        ("main", "b", "replica"),
        ("other", "c", "primary"),
    ]
    .into_iter()
    .zip(servers)
    .map(|((group, name, role), server)| {
        [group, name, &format!("127.0.0.1:{}", server.port()), role, "up"].map(str::to_owned)
    })
    .collect();
    ensure!(rows == expected, "{rows:?}");
    let others: Vec<Conn> = vec![Conn::new(root(port)).await?, Conn::new(root(port)).await?];
    clients_on(&mut conn, "a", 3).await?;
    drop(others);
    clients_on(&mut conn, "a", 1).await?;
    Ok(())
}

/// Without a configuration file.
async fn one_server_is_shown_too(flavor: Flavor) -> Result<()> {
    let server = primary(flavor).await?;
    let proxy = Alterego::start(&server, &[], &[]).await?;
    let mut conn = proxy.root().await?;
    let routes: Vec<mysql_async::Row> = conn.query("SHOW ROUTES").await?;
    ensure!(routes.len() == 1 && routes[0].get::<String, _>("role").as_deref() == Some("primary"));
    let other = proxy.root().await?;
    clients_on(&mut conn, &format!("127.0.0.1:{}", server.port()), 2).await?;
    drop(other);
    clients_on(&mut conn, &format!("127.0.0.1:{}", server.port()), 1).await?;
    // What only begins so is the server's.
    let error = conn
        .query_drop("SHOW ROUTES FOR x")
        .await
        .err()
        .context("it is understood")?;
    ensure!(error.to_string().contains("1064"), "{error}");
    Ok(())
}

async fn replicas_share(flavor: Flavor) -> Result<()> {
    let [a, mut b, c, d] = replicated(flavor).await?;
    let config = [
        group("main", &[("a", &a, 1), ("b", &b, 2), ("c", &c, 1), ("d", &d, 0)]),
        "[[rule]]\ngroup = \"main\"\nrole = \"read-only\"\n".to_owned(),
    ]
    .concat();
    let proxy = Alterego::configured(&config, &["--listen", "127.0.0.1:0"], &[]).await?;
    let (mut on_b, mut on_c) = (0, 0);
    // That one of them gets none by chance happens once in 2^40 runs.
    for _ in 0..100 {
        let port = port_behind(root(proxy.port())).await?;
        on_b += usize::from(port == b.port());
        on_c += usize::from(port == c.port());
    }
    ensure!(
        on_b + on_c == 100 && on_b > 0 && on_c > 0,
        "{on_b} on b, {on_c} on c"
    );
    // One that does not answer is passed over.
    b.kill();
    for _ in 0..10 {
        ensure!(port_behind(root(proxy.port())).await? == c.port());
    }
    drop(c);
    crate::support::eventually("both are found down", async || {
        let told = refusal(root(proxy.port())).await?;
        let parts = [
            "1429",
            "group 'main' has no replica to read from",
            "'a' is the primary",
            "'b' is down",
            "'c' is down",
            "'d' has the weight 0",
        ];
        Ok(parts.iter().all(|part| told.contains(part)).then_some(()))
    })
    .await?;
    ends(proxy).await
}

async fn a_group_without_a_primary(flavor: Flavor) -> Result<()> {
    let [a, b] = replicated(flavor).await?;
    let config = [
        group("main", &[("a", &a, 1), ("b", &b, 1)]),
        "[[rule]]\nschema = \"app\"\ngroup = \"main\"\nrole = \"read-only\"\n[[rule]]\ngroup = \"main\"\n"
            .to_owned(),
    ]
    .concat();
    b.catch_up(&a).await?;
    a.set_writable(false).await?;
    let mut proxy = Alterego::configured(&config, &["--listen", "127.0.0.1:0"], &[]).await?;
    let told = refusal(root(proxy.port())).await?;
    ensure!(
        told.contains("1429") && told.contains("group 'main' has no primary"),
        "{told}"
    );
    // It is found as soon as there is one, and its schema changes go there.
    a.set_writable(true).await?;
    crate::support::eventually("a primary", async || {
        Ok(Conn::new(root(proxy.port())).await.ok().map(drop))
    })
    .await?;
    ensure!(port_behind(root(proxy.port())).await? == a.port());
    ensure!(port_behind(root(proxy.port()).db_name(Some("app"))).await? == b.port());
    proxy
        .logged("schema changes go to the primary", crate::support::DEADLINE)
        .await?;
    proxy.stop().await?;
    // Two are as bad as none.
    b.stop_following().await?;
    b.set_writable(true).await?;
    let proxy = Alterego::configured(&config, &["--listen", "127.0.0.1:0"], &[]).await?;
    let told = refusal(root(proxy.port())).await?;
    ensure!(
        told.contains("1429") && told.contains("group 'main' has no primary"),
        "{told}"
    );
    Ok(())
}

async fn a_primary_that_is_down(flavor: Flavor) -> Result<()> {
    let mut a = primary(flavor).await?;
    let config = group("main", &[("a", &a, 1)]);
    let proxy = Alterego::configured(&config, &["--listen", "127.0.0.1:0"], &[]).await?;
    let mut conn = Conn::new(root(proxy.port())).await?;
    a.kill();
    let told = refusal(root(proxy.port())).await?;
    ensure!(told.contains("1429") && told.contains("group 'main'"), "{told}");
    ensure!(
        conn.query_drop("DO 1").await.is_err(),
        "a server that is gone answers"
    );
    a.restart().await?;
    crate::support::eventually("the primary is back", async || {
        Ok(Conn::new(root(proxy.port())).await.ok().map(drop))
    })
    .await?;
    ensure!(port_behind(root(proxy.port())).await? == a.port());
    Ok(())
}
