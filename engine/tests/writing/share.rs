//! Others who write get half of the server's processors.

use std::sync::Arc;
use std::time::Duration;

use alterego_engine::checkpoint::Frontier;
use alterego_engine::throttle::{self, STATEMENTS_MAX, Share};
use alterego_testkit::Flavor;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;

use crate::fixture::{Case, Fixture, STRICT, server};

#[tokio::test]
async fn on_mysql() -> anyhow::Result<()> {
    others_who_write_are_noticed(Flavor::MySql).await
}

#[tokio::test]
async fn on_mariadb() -> anyhow::Result<()> {
    others_who_write_are_noticed(Flavor::MariaDb).await
}

/// Each write is followed by this pause: some fifty a second.
const PAUSE: Duration = Duration::from_millis(20);

async fn others_who_write_are_noticed(flavor: Flavor) -> anyhow::Result<()> {
    let server = server(flavor).await?;
    let case = Case {
        schema: "share",
        source: "id INT PRIMARY KEY",
        ghost: "id INT PRIMARY KEY",
        new_unique: None,
        sql_mode: STRICT,
    };
    let fixture = Fixture::new(&server, case).await?;
    let (applier, _log) = fixture.applier(&fixture.ledger(Frontier::Nothing));
    let (reason, _reasons) = watch::channel(None);
    let share = Arc::new(Share::default());
    let watching = throttle::watch_reasons(fixture.upstream.clone(), applier, reason, Arc::clone(&share));
    let mut other = fixture.upstream.control().await?;
    let scenario = async {
        comes_to(&share, STATEMENTS_MAX).await;
        let writing = async {
            loop {
                other
                    .query_drop(format!(
                        "UPDATE {} SET id = 2 WHERE id = 1",
                        fixture.plan.source_name()
                    ))
                    .await?;
                tokio::time::sleep(PAUSE).await;
            }
        };
        let half = (processors()? / 2).clamp(1, STATEMENTS_MAX);
        tokio::select! {
            failed = writing => failed,
            () = comes_to(&share, half) => anyhow::Ok(()),
        }
    };
    tokio::select! {
        () = watching => anyhow::bail!("nobody watches any more"),
        result = scenario => result,
    }
}

async fn comes_to(share: &Share, statements: usize) {
    while share.statements() != statements {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The processors of this process, which are those of the server that it has started.
fn processors() -> anyhow::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .ok_or_else(|| anyhow::anyhow!("no list of processors"))?;
    list.trim().split(',').try_fold(0, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Ok(sum + last.parse::<usize>()? - first.parse::<usize>()? + 1)
    })
}
