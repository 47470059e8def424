//! Plays a script to both sides and compares them statement by statement.

use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::time::timeout;

use super::hear::{Heard, hear};
use super::look::look;
use super::script::{Aspect, Script, Statement};
use crate::pair::Pair;

/// Only something broken reaches it.
const DEADLINE: Duration = Duration::from_secs(90);

/// One side of a play.
struct Side {
    /// The client.
    conn: Conn,
    /// Looks at the tables past the client and past the proxy.
    observer: Conn,
    /// The client holds locks on whole tables, which the observer would wait for.
    locked: bool,
}

impl Side {
    async fn begin(client: Opts, server: Opts, schema: &str) -> Result<Side> {
        let mut observer = Conn::new(server).await?;
        observer
            .query_drop(format!(
                "CREATE DATABASE `{schema}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
            ))
            .await?;
        let client = OptsBuilder::from_opts(client)
            .db_name(Some(schema))
            .stmt_cache_size(0);
        let conn = Conn::new(client).await?;
        Ok(Side {
            conn,
            observer,
            locked: false,
        })
    }

    async fn play(&mut self, script: &Script, statement: &Statement, with_warnings: bool) -> Result<Heard> {
        let mut heard = hear(&mut self.conn, statement, with_warnings).await?;
        self.locked = statement.locks().unwrap_or(self.locked);
        if statement.may_change_schema() && !self.locked {
            for line in look(&mut self.observer, &script.name).await? {
                heard.add(Aspect::Tables, line);
            }
        }
        Ok(heard)
    }
}

/// What differs and is not known to, and what is known to differ and does not.
pub(super) async fn judge(pair: &Pair, script: &Script) -> Result<Vec<String>> {
    let schema = script.name.as_str();
    let (direct, proxied) = (pair.direct.root_opts(), pair.proxied.root_opts());
    let mut direct = Side::begin(direct.clone(), direct, schema)
        .await
        .context("directly")?;
    let mut proxied = Side::begin(pair.proxy.root_opts(), proxied, schema)
        .await
        .context("through the proxy")?;
    let mut found = Vec::new();
    for (at, statement) in script.statements.iter().enumerate() {
        let next = script.statements.get(at + 1);
        let with_warnings = !next.is_some_and(Statement::asks_about_last);
        let both = async {
            tokio::try_join!(
                direct.play(script, statement, with_warnings),
                proxied.play(script, statement, with_warnings)
            )
        };
        let both = timeout(DEADLINE, both)
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer")));
        let (direct, proxied) = both.with_context(|| place(script, statement))?;
        found.extend(differences(script, statement, &direct, &proxied));
    }
    Ok(found)
}

fn differences(script: &Script, statement: &Statement, direct: &Heard, proxied: &Heard) -> Vec<String> {
    let mut found = Vec::new();
    for (aspect, name) in Aspect::ALL {
        let (direct, proxied) = (direct.of(aspect), proxied.of(aspect));
        match (direct == proxied, statement.known.contains(&aspect)) {
            (true, false) | (false, true) => {}
            (true, true) => found.push(format!(
                "{}\n  {name}: does not differ any more",
                place(script, statement)
            )),
            (false, false) => found.push(format!(
                "{}\n  {name}, directly:\n{}  {name}, through the proxy:\n{}",
                place(script, statement),
                only_in(&direct, &proxied),
                only_in(&proxied, &direct)
            )),
        }
    }
    found
}

/// The lines that the other side does not have.
fn only_in(lines: &[&str], others: &[&str]) -> String {
    let own = lines.iter().filter(|line| !others.contains(line));
    own.map(|line| format!("    {line}\n")).collect()
}

fn place(script: &Script, statement: &Statement) -> String {
    format!("{}.sql:{}: {}", script.name, statement.line, statement.sql)
}
