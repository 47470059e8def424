//! SQL scripts as judges of transparency: what a client hears of each statement, directly and through the proxy.
//!
//! Every file of `tests/scripts` is a family of ALTERs, written as a tester of the server would write it. It is played on two
//! servers at once, statement by statement: directly on one, and through the proxy with `--strategy ghost` on the other, so
//! that whatever can be done online is. All that is heard of each statement is compared (rows with their columns, OK and ERR
//! packets, `SHOW WARNINGS`), and after each statement that may change a schema all tables of the script's schema: their
//! definitions and their rows.
//!
//! What may differ is said at the statement it differs at, by the words of the README that tell users of it (`script.rs`).
//! A difference that is said and not found fails as well as one that is found and not said.
//!
//! Unless it is asked for more, each family is played on one of the two servers, and only the short ones on both.
//! `ALTEREGO_SCRIPT=columns` plays one family on both, and `ALTEREGO_SCRIPT=all` all of them.

mod hear;
mod judge;
mod look;
mod script;

use std::path::Path;

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream;

use self::judge::judge;
use self::script::Script;
use crate::pair::Pair;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() -> Result<()> {
    all(Flavor::MySql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() -> Result<()> {
    all(Flavor::MariaDb).await
}

/// How many scripts are played at a time: a migration waits for the server more than it works.
const AT_ONCE: usize = 4;

/// How many changes the scripts send at least, and how many of them are done online. Fewer, and little is judged.
const CHANGES_MIN: usize = 250;
const ONLINE_MIN: usize = 90;

/// A family with so many changes is a short one.
const SHORT: usize = 20;

async fn all(flavor: Flavor) -> Result<()> {
    let wanted = std::env::var("ALTEREGO_SCRIPT").ok();
    let scripts = Script::read_all(flavor)?.into_iter().enumerate();
    let is_wanted = |nth: usize, script: &Script| match wanted.as_deref() {
        None => script.changes() <= SHORT || nth.is_multiple_of(2) == (flavor == Flavor::MySql),
        Some(wanted) => wanted == "all" || wanted == script.name,
    };
    let scripts = scripts.filter(|(nth, script)| is_wanted(*nth, script));
    let mut scripts: Vec<Script> = scripts.map(|(_, script)| script).collect();
    // The longest first, so that none is left over in the end.
    scripts.sort_by_key(|script| std::cmp::Reverse(script.changes()));
    let changes: usize = scripts.iter().map(Script::changes).sum();
    let pair = Pair::with(flavor, &["--strategy", "ghost"]).await?;
    let judged = stream::iter(&scripts).map(async |script| {
        let judged = judge(&pair, script).await;
        judged.with_context(|| script.name.clone())
    });
    let judged: Vec<Result<Vec<String>>> = judged.buffer_unordered(AT_ONCE).collect().await;
    let mut failures = Vec::new();
    for judged in judged {
        match judged {
            Ok(found) => failures.extend(found),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    let online = pair.proxy.log_lines_with("schema change: done online", "");
    println!(
        "{flavor}: {} scripts, {changes} schema changes, {online} of them online",
        scripts.len()
    );
    if !failures.is_empty() {
        // All of it: one of many scripts failed, and the others went on.
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scripts-{}.log", flavor.name()));
        std::fs::write(file, pair.proxy.log())?;
    }
    pair.none(&failures)?;
    ensure!(
        wanted.is_some() || changes >= CHANGES_MIN && online >= ONLINE_MIN,
        "only {changes} schema changes, {online} of them online"
    );
    Ok(())
}
