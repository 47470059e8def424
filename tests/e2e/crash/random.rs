//! Migration after migration under writes, and at random moments somebody dies.
//!
//! `make test` has a few deaths. `ALTEREGO_CRASH_KILLS=300 cargo test --test e2e crash::random -- --nocapture` goes on
//! until so many with each server; `ALTEREGO_CRASH_SEED` gives it other moments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::scene::{Client, Scene, Victim, is_true_of_an_altered_table};

crate::both!(deaths_at_random_moments);

/// There and back. The server itself would copy the table.
const ALTERS: [&str; 2] = [
    "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w VARCHAR(10) DEFAULT 'new' AFTER id, ADD UNIQUE KEY by_v (v)",
    "ALTER TABLE t MODIFY v INT, DROP COLUMN w, DROP KEY by_v",
];

const ROWS: u32 = 20_000;
const KILLS: u64 = 5;
const SEED: u64 = 1;

/// A migration takes about as long here, from its beginning and from being taken up.
const LONGEST_LIFE: Duration = Duration::from_millis(2500);

/// So many deaths in one migration; then it may come to its end.
const KILLS_OF_ONE: u64 = 6;

/// Only something broken needs so long, on a busy machine too.
const LONGEST_MIGRATION: Duration = Duration::from_secs(240);

/// Transactions a writer never comes to while one migration lasts.
const TRANSACTIONS_OF_ONE: u64 = 100_000;

fn given(variable: &str, otherwise: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(otherwise),
    }
}

async fn deaths_at_random_moments(flavor: Flavor) -> Result<()> {
    let kills = given("ALTEREGO_CRASH_KILLS", KILLS)?;
    let seed = given("ALTEREGO_CRASH_SEED", SEED)?;
    let mut scene = Scene::start(flavor).await?;
    scene.prepare(ROWS).await?;
    scene.start_proxy("")?;
    let mut run = Run {
        scene,
        random: StdRng::seed_from_u64(seed),
        kills_left: kills,
        deaths: BTreeMap::new(),
    };
    let mut migrations = 0;
    while run.kills_left > 0 {
        let result = run.migration(migrations).await;
        let numbered = || {
            format!(
                "seed {seed}, migration {migrations}, {} kills left",
                run.kills_left
            )
        };
        result
            .with_context(numbered)
            .map_err(|error| run.scene.rig.explain(error))?;
        migrations += 1;
        println!("{flavor}: {migrations} migrations, deaths {:?}", run.deaths);
    }
    Ok(())
}

struct Run {
    scene: Scene,
    random: StdRng,
    kills_left: u64,
    /// How often who died, in which phase.
    deaths: BTreeMap<(String, String), u64>,
}

impl Run {
    async fn migration(&mut self, number: u64) -> Result<()> {
        let alter = ALTERS[usize::try_from(number % 2)?];
        let writers = self.scene.writers(number * TRANSACTIONS_OF_ONE);
        self.scene.road.follow(&self.scene.rig.proxy);
        let client = Client::sends(&self.scene.road, alter);
        self.lives_and_deaths(&client, number).await?;
        self.scene.needs_no_repair()?;
        is_true_of_an_altered_table(client.answer().await?)?;
        let ends = self.scene.ends().await?;
        ensure!(ends.len() as u64 == number + 1, "{ends:?}");
        ensure!(ends.iter().all(|end| end == "done"), "{ends:?}");
        self.scene.all_is_well(writers, Some(alter)).await
    }

    /// Kills again and again, until the migration has ended.
    async fn lives_and_deaths(&mut self, client: &Client, number: u64) -> Result<()> {
        let deadline = Instant::now() + LONGEST_MIGRATION;
        let mut kills_here = KILLS_OF_ONE.min(self.kills_left);
        loop {
            let life = LONGEST_LIFE.mul_f64(self.random.random_range(0.0..1.0));
            let death = Instant::now() + life;
            while kills_here == 0 || Instant::now() < death {
                self.scene.road.follow(&self.scene.rig.proxy);
                self.keep_a_proxy()?;
                ensure!(Instant::now() < deadline, "the migration has no end");
                if client.has_its_answer() && self.scene.has_done(number + 1).await? {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let victim = match self.random.random_range(0..10) {
                0..=4 => Victim::Proxy,
                5..=8 => Victim::Server,
                _ => Victim::Both,
            };
            let phase = self.phase().await.unwrap_or_else(|| "none".to_owned());
            self.scene.needs_no_repair()?;
            self.scene.kill(victim, "").await?;
            *self.deaths.entry((format!("{victim:?}"), phase)).or_default() += 1;
            kills_here -= 1;
            self.kills_left -= 1;
        }
    }

    /// A proxy that finds no server when it starts ends, and whoever looks after it starts it again. No other ends by itself.
    fn keep_a_proxy(&mut self) -> Result<()> {
        let proxy = &mut self.scene.rig.proxy;
        if !proxy.has_ended() {
            return Ok(());
        }
        ensure!(proxy.listens().is_none(), "the proxy ended by itself");
        self.scene.start_proxy("")
    }

    async fn phase(&self) -> Option<String> {
        let mut root = self.scene.rig.server.root().await.ok()?;
        let sql = "SELECT phase FROM alterego.migrations WHERE ended_at IS NULL";
        root.query_first(sql).await.ok().flatten()
    }
}
