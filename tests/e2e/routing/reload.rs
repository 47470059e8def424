//! SIGHUP: the configuration is read again, as a whole or not at all.

use super::*;
use crate::support::eventually;

crate::both!(a_file_is_read_again, weights_change);

const RELOADED: &str = "the configuration file is reloaded";

/// Has `config` read; waits until the log says what became of it once more than before.
async fn reads(proxy: &Alterego, config: &str, expected: &str) -> Result<()> {
    let said = || proxy.log().matches(expected).count();
    let before = said();
    proxy.reconfigure(config)?;
    proxy.signal("HUP")?;
    eventually(expected, async || Ok((said() > before).then_some(()))).await
}

async fn a_file_is_read_again(flavor: Flavor) -> Result<()> {
    let (a, b) = tokio::try_join!(primary(flavor), primary(flavor))?;
    let (main, other) = (group("main", &[("a", &a, 1)]), group("other", &[("b", &b, 1)]));
    let all_to = |name: &str| format!("[[rule]]\ngroup = \"{name}\"\n");
    let by_schema = format!(
        "[[rule]]\nschema = \"app\"\ngroup = \"other\"\n{}",
        all_to("main")
    );
    let config = |rules: &str| [&*listener("x"), &main, &other, rules].concat();
    let proxy = Alterego::configured(&config(&all_to("main")), &[], &[]).await?;
    let places = async || -> Result<[u16; 2]> {
        let with_schema = root(proxy.port()).db_name(Some("app"));
        Ok([
            port_behind(root(proxy.port())).await?,
            port_behind(with_schema).await?,
        ])
    };
    ensure!(places().await? == [a.port(), a.port()]);
    let mut before = Conn::new(root(proxy.port()).db_name(Some("app"))).await?;

    reads(&proxy, &config(&by_schema), RELOADED).await?;
    ensure!(places().await? == [a.port(), b.port()]);
    ensure!(
        before.query_first("SELECT @@port").await? == Some(a.port()),
        "it was moved"
    );
    let routes: Vec<mysql_async::Row> = before.query("SHOW ROUTES").await?;
    ensure!(routes.len() == 2, "{routes:?}");

    // What is wrong, or would take a restart, changes nothing.
    let moved = main.replace(&a.port().to_string(), &b.port().to_string());
    let elsewhere = config(&by_schema).replace("127.0.0.1:0", "127.0.0.1:1");
    let refused = [
        (
            config("[[rule]]\ngroup = \"mian\"\n"),
            "group: there is no group 'mian'",
        ),
        (elsewhere, "other listeners take a restart"),
        (
            [&*listener("x"), &moved, &other, &by_schema].concat(),
            "other servers, or another account or TLS, in group 'main' take a restart",
        ),
        (
            [&*listener("x"), &main, &all_to("main")].concat(),
            "to take group 'other' away takes a restart",
        ),
        (
            config(&[&group("third", &[("b", &b, 1)]), &*all_to("third")].concat()),
            "a new group, 'third', takes a restart",
        ),
    ];
    for (config, reason) in refused {
        reads(&proxy, &config, reason).await?;
        let log = proxy.log();
        let line = log.lines().find(|line| line.contains(reason)).unwrap_or_default();
        ensure!(line.contains("the configuration stays as it was: "), "{line}");
        ensure!(places().await? == [a.port(), b.port()], "{reason}");
    }

    // Groups in another order are the same groups.
    let swapped = [&*listener("x"), &other, &main, &all_to("other")].concat();
    reads(&proxy, &swapped, RELOADED).await?;
    ensure!(places().await? == [b.port(), b.port()]);
    ends(proxy).await
}

async fn weights_change(flavor: Flavor) -> Result<()> {
    let [a, b] = replicated(flavor).await?;
    a.create_user("reader", "", None, &["ALL ON app.*"]).await?;
    b.catch_up(&a).await?;
    let config = |weight| {
        let rules = "[[rule]]\nuser = \"reader\"\ngroup = \"main\"\nrole = \"read-only\"\n[[rule]]\ngroup = \"main\"\n";
        [&group("main", &[("a", &a, 1), ("b", &b, weight)]), rules].concat()
    };
    let proxy = Alterego::configured(&config(1), &["--listen", "127.0.0.1:0"], &[]).await?;
    let reader = || root(proxy.port()).user(Some("reader"));
    ensure!(port_behind(reader()).await? == b.port());
    reads(&proxy, &config(0), RELOADED).await?;
    eventually("the replica gets nobody", async || {
        let told = Conn::new(reader()).await.err().map(|error| error.to_string());
        Ok(told
            .filter(|told| told.contains("'b' has the weight 0"))
            .map(drop))
    })
    .await?;
    reads(&proxy, &config(2), RELOADED).await?;
    eventually("the replica is read from again", async || {
        Ok(port_behind(reader())
            .await
            .ok()
            .filter(|port| *port == b.port())
            .map(drop))
    })
    .await?;
    ends(proxy).await
}
