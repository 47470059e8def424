//! Our arithmetic of GTIDs and the server's own, on sets drawn at random.

use alterego_engine::Flavor;
use alterego_testkit::{Options, Server};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::health::transactions::Transactions;

const CASES: usize = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sets_are_what_the_server_says() -> Result<()> {
    let server = Server::start(alterego_testkit::Flavor::MySql, &Options::relaxed()).await?;
    let mut root = server.root().await?;
    let mut random = StdRng::seed_from_u64(38);
    let mut subsets = 0;
    for _ in 0..CASES {
        let (a, b) = (set(&mut random), set(&mut random));
        let row: Option<(String, bool, String)> = root
            .query_first(format!(
                "SELECT GTID_SUBTRACT('{a}', '{b}'), GTID_SUBSET('{a}', '{b}'), GTID_SUBTRACT('{a}', '')"
            ))
            .await?;
        let (missing, subset, normal) = row.unwrap_or_default();
        let parse = |text: &str| Transactions::parse(Flavor::MySql, text).map_err(anyhow::Error::msg);
        let (ours, theirs) = (parse(&a)?, parse(&b)?);
        let found = ours.missing_in(&theirs);
        ensure!(
            found.to_string() == missing.replace('\n', ""),
            "{a} - {b} = {missing}, not {found}"
        );
        ensure!(found.is_empty() == subset, "{a} in {b}");
        ensure!(
            ours.to_string() == normal.replace('\n', ""),
            "{a} is {normal}, not {ours}"
        );
        subsets += usize::from(subset);
    }
    ensure!(subsets > 10, "only {subsets} subsets were drawn");
    Ok(())
}

/// A few runs of a few origins, with and without a tag, small enough to meet.
fn set(random: &mut StdRng) -> String {
    let origins = (0..3).map(|origin| {
        let runs: Vec<String> = (0..random.random_range(0..3))
            .map(|_| {
                let first = random.random_range(1..20);
                let last = first + random.random_range(0..8);
                let tag = ["", "", "red:", "blue:"][random.random_range(0..4)];
                format!(":{tag}{first}-{last}")
            })
            .collect();
        (origin, runs)
    });
    let texts = origins
        .filter(|(_, runs)| !runs.is_empty())
        .map(|(origin, runs)| format!("3e11fa47-71ca-11e1-9e33-c80aa942956{origin}{}", runs.concat()));
    texts.collect::<Vec<_>>().join(",")
}
