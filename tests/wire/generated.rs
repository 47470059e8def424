//! Random scripts, one after the other, for a while.

use std::time::{Duration, Instant};

use alterego_testkit::Flavor;
use anyhow::{Context, Result, bail};

use crate::generator;
use crate::pair::Pair;
use crate::script::{Script, Step};

/// How long the scripts go on, unless the environment says otherwise.
const SECONDS: u64 = 12;
/// The first script's seed; the next ones count up from it.
const SEED: u64 = 20_260_701;
/// How long a failing script is made shorter.
const SHORTENING: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() -> Result<()> {
    scripts(Flavor::MySql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() -> Result<()> {
    scripts(Flavor::MariaDb).await
}

async fn scripts(flavor: Flavor) -> Result<()> {
    let first = number_from("ALTEREGO_WIRE_SEED", SEED)?;
    let length = Duration::from_secs(number_from("ALTEREGO_WIRE_SECONDS", SECONDS)?);
    let pair = Pair::start(flavor).await?;
    let started = Instant::now();
    let mut seed = first;
    let mut steps = 0;
    while started.elapsed() < length {
        let mut script = generator::script(seed, flavor);
        script.steps.push(Step::Probe);
        if let Err(error) = play(&pair, &script).await {
            let short = shorten(&pair, script).await;
            let again = play(&pair, &short).await.err();
            bail!(
                "seed {seed} on {flavor}: {error:#}\n\nshortest script that fails:\n{short}\n{}\n\nthe proxy's log:\n{}",
                again.map_or("(it does not fail every time)".to_owned(), |error| format!(
                    "{error:#}"
                )),
                pair.last_words()
            );
        }
        seed += 1;
        steps += script.steps.len();
    }
    println!(
        "{flavor}: {} scripts with {steps} steps, from seed {first} on",
        seed - first
    );
    Ok(())
}

async fn play(pair: &Pair, script: &Script) -> Result<()> {
    pair.reset().await?;
    pair.same(script).await.map(|_| ())
}

fn number_from(variable: &str, default: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(default),
    }
}

/// Takes steps and commands out of a failing script as long as it goes on failing.
async fn shorten(pair: &Pair, mut script: Script) -> Script {
    let started = Instant::now();
    let mut place = 0;
    while started.elapsed() < SHORTENING {
        let Some(shorter) = without(&script, place) else {
            return script;
        };
        if play(pair, &shorter).await.is_err() {
            script = shorter;
        } else {
            place += 1;
        }
    }
    script
}

/// The script without its part at `place`; parts are whole steps first, then single commands.
fn without(script: &Script, place: usize) -> Option<Script> {
    let mut shorter = script.clone();
    if place < script.steps.len() {
        shorter.steps.remove(place);
        return Some(shorter);
    }
    let mut place = place - script.steps.len();
    for step in &mut shorter.steps {
        if let Step::Commands(commands) | Step::File { then: commands, .. } = step {
            if place < commands.len() {
                commands.remove(place);
                return Some(shorter);
            }
            place -= commands.len();
        }
    }
    None
}
