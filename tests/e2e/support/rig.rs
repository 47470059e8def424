//! A private server with a proxy in front of it.

use alterego_testkit::{Alterego, Flavor, Options, Server, client_opts};
use anyhow::{Context, Result, anyhow, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use super::failures::last_words;
use super::{Migration, Outcome, migrations, run};

/// A server, the proxy, and the two schemas of every comparison: `app`, which is worked on through the proxy, and
/// `nat`, which has clones for the server's own ALTER.
pub(crate) struct Rig {
    /// The server.
    pub(crate) server: Server,
    /// The proxy.
    pub(crate) proxy: Alterego,
}

impl Rig {
    /// Starts both with the server's usual settings.
    pub(crate) async fn start(flavor: Flavor, args: &[&str]) -> Result<Rig> {
        Rig::with(flavor, &Options::relaxed(), args, &[]).await
    }

    /// Starts both.
    pub(crate) async fn with(
        flavor: Flavor,
        options: &Options,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Rig> {
        let server = Server::start(flavor, options).await?;
        let proxy = Alterego::start(&server, args, env).await?;
        let mut root = server.root().await?;
        root.query_drop("CREATE DATABASE app").await?;
        root.query_drop("CREATE DATABASE nat").await?;
        Ok(Rig { server, proxy })
    }

    /// Which server it is.
    pub(crate) fn flavor(&self) -> Flavor {
        self.server.flavor()
    }

    /// A client of the proxy in `app`.
    pub(crate) async fn client(&self) -> Result<Conn> {
        Conn::new(self.client_opts("app"))
            .await
            .context("no connection through the proxy")
    }

    /// How a client of the proxy connects.
    pub(crate) fn client_opts(&self, schema: &str) -> Opts {
        in_schema(client_opts(self.proxy.port(), "root", "", None), schema)
    }

    /// A client of the server itself in `schema`.
    pub(crate) async fn direct(&self, schema: &str) -> Result<Conn> {
        Conn::new(in_schema(self.server.root_opts(), schema))
            .await
            .context("no connection to the server")
    }

    /// All migrations, as a client sees them.
    pub(crate) async fn migrations(&self) -> Result<Vec<Migration>> {
        migrations(&mut self.client().await?).await
    }

    /// The migrations of `app.<table>`.
    pub(crate) async fn migrations_of(&self, table: &str) -> Result<Vec<Migration>> {
        let name = format!("app.{table}");
        Ok(self
            .migrations()
            .await?
            .into_iter()
            .filter(|migration| migration.table == name)
            .collect())
    }

    /// Runs `alter` through the proxy on `app` and directly on `nat`, each with the session prepared by `session`,
    /// and gives both outcomes, the second as if it had been in `app`.
    pub(crate) async fn both_ways(&self, session: &str, alter: &str) -> Result<(Outcome, Outcome)> {
        let (mut client, mut direct) = (self.client().await?, self.direct("nat").await?);
        if !session.is_empty() {
            client.query_drop(session).await?;
            direct.query_drop(session).await?;
        }
        let ours = run(&mut client, alter).await?;
        let native = run(
            &mut direct,
            &alter.replace("app.", "nat.").replace("`app`", "`nat`"),
        )
        .await?
        .told_of_app();
        Ok((ours, native))
    }

    /// Whether `app.<table>` and `nat.<table>` are the same, definition and rows.
    pub(crate) async fn tables_are_equal(&self, table: &str) -> Result<()> {
        let mut root = self.server.root().await?;
        let difference = alterego_testkit::compare_tables(&mut root, ("app", table), ("nat", table)).await?;
        ensure!(
            difference.is_none(),
            "app.{table} is not as the server's own ALTER leaves it: {difference}"
        );
        Ok(())
    }

    /// `error`, with what the proxy logged last.
    pub(crate) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        anyhow!("{error:#}\n{}", last_words(self))
    }
}

fn in_schema(opts: Opts, schema: &str) -> Opts {
    OptsBuilder::from_opts(opts)
        .db_name((!schema.is_empty()).then_some(schema))
        .into()
}
