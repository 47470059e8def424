//! Many cases, a few at a time, on one server with one proxy.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, bail, ensure};
use mysql_async::prelude::Queryable;
use tokio::sync::Mutex;

use crate::case::{Case, Script};
use crate::kept;
use crate::lane::Lane;
use crate::play::{Verdict, play};
use crate::shrink::shrink;

/// How many cases are played, unless the environment says otherwise: for seconds.
const CASES: u64 = 30;
/// The first case's seed; the next ones count up from it.
const SEED: u64 = 20_261_121;
/// Cases at a time.
const LANES: usize = 2;
/// Failures that are made smaller; more of them are only counted.
const SHRUNK_MAX: usize = 25;
/// After so many cases it is said how they came out.
const TOLD_EVERY: u64 = 50;
/// Rows of a chunk: few, so that small tables have many chunks.
const CHUNK_ROWS: &str = "23";

#[ignore = "not steady yet; CONTRIBUTING.md says how to play it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() -> Result<()> {
    cases(Flavor::MySql).await
}

#[ignore = "not steady yet; CONTRIBUTING.md says how to play it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() -> Result<()> {
    cases(Flavor::MariaDb).await
}

/// A server, the proxy, and lanes to play in.
pub(crate) struct Rig {
    server: Server,
    proxy: Alterego,
    lanes: Vec<Lane>,
}

impl Rig {
    pub(crate) async fn start(flavor: Flavor, lanes: usize) -> Result<Rig> {
        let server = Server::start(flavor, &Options::relaxed()).await?;
        let env = [("ALTEREGO_CHUNK_ROWS", CHUNK_ROWS)];
        let proxy = Alterego::start(&server, &["--strategy", "ghost"], &env).await?;
        let mut rig = Rig {
            server,
            proxy,
            lanes: Vec::new(),
        };
        for number in 0..lanes {
            rig.lanes.push(Lane::make(&rig.server, &rig.proxy, number).await?);
        }
        Ok(rig)
    }

    pub(crate) fn flavor(&self) -> Flavor {
        self.server.flavor()
    }

    pub(crate) fn lane(&self, number: usize) -> Result<&Lane> {
        self.lanes.get(number).context("no such lane")
    }

    /// How often such a statement was left to the server.
    fn left_to_server(&self, script: &Script) -> usize {
        let plain = |c: &char| c.is_ascii() && !matches!(c, '"' | '\\');
        let head: String = script.alter.chars().take(60).take_while(plain).collect();
        self.proxy.log_lines_with("left to the server", &head)
    }

    /// How many migrations in the lane swapped their tables.
    fn swaps(&self, lane: &Lane) -> usize {
        self.proxy.log_lines_with("the tables are swapped", &lane.ours)
    }
}

/// What has been found so far.
#[derive(Default)]
struct Findings {
    verdicts: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

async fn cases(flavor: Flavor) -> Result<()> {
    let count = number_from("ALTEREGO_DIFF_CASES", CASES)?;
    let first = number_from("ALTEREGO_DIFF_SEED", SEED)?;
    let rig = Arc::new(Rig::start(flavor, LANES).await?);
    let kept = kept::all(&rig).await;
    let next = Arc::new(AtomicU64::new(first));
    let end = if count == 0 {
        u64::MAX
    } else {
        first.saturating_add(count)
    };
    let findings = Arc::new(Mutex::new(Findings::default()));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..LANES {
        let (rig, next, findings) = (Arc::clone(&rig), Arc::clone(&next), Arc::clone(&findings));
        tasks.push(tokio::spawn(async move {
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= end {
                    return Ok(());
                }
                one(&rig, number, seed, &findings).await?;
            }
        }));
    }
    for task in tasks {
        let ended: Result<()> = task.await?;
        ended.map_err(|error| error.context(last_words(&rig)))?;
    }
    let findings = findings.lock().await;
    println!(
        "{flavor}: {:?} in {:?}, from seed {first} on",
        findings.verdicts,
        started.elapsed()
    );
    if !findings.failures.is_empty() {
        bail!(
            "{} cases fail on {flavor}\n\n{}",
            findings.failures.len(),
            findings.failures.join("\n\n")
        );
    }
    kept?;
    nothing_left(&rig).await?;
    // A proof over cases that all went to the server would be none.
    let online = findings.verdicts.get(ONLINE).copied().unwrap_or_default();
    ensure!(
        online * 4 >= count,
        "only {online} of {count} cases were carried out by alterego"
    );
    Ok(())
}

/// What is counted as carried out by alterego.
const ONLINE: &str = "altered online";

async fn one(rig: &Rig, number: usize, seed: u64, findings: &Mutex<Findings>) -> Result<()> {
    let lane = rig.lane(number)?;
    let case = Case::of(seed, lane.flavor);
    let script = case.script();
    let (swaps, left) = (rig.swaps(lane), rig.left_to_server(&script));
    let verdict = play(lane, &script)
        .await
        .with_context(|| format!("seed {seed}:\n{script}"))?;
    let servers_own = rig.left_to_server(&script) > left && is_servers_own(&script, &verdict);
    let kind = match &verdict {
        _ if servers_own => "altered by the server",
        Verdict::Same { altered: true } if rig.swaps(lane) > swaps => ONLINE,
        Verdict::Same { altered: true } => "altered by the server",
        Verdict::Same { altered: false } => "refused alike",
        Verdict::Invalid(_) => "invalid",
        Verdict::Different(_) => "different",
        Verdict::NoEnd => "no end",
    };
    let failed = {
        let mut findings = findings.lock().await;
        *findings.verdicts.entry(kind).or_default() += 1;
        if findings.verdicts.values().sum::<u64>() % TOLD_EVERY == 0 {
            println!("{}: {:?}", lane.flavor, findings.verdicts);
        }
        findings.failures.len()
    };
    let head = format!("seed {seed} on {}", lane.flavor);
    let mut text = match &verdict {
        Verdict::Different(difference) => format!("## {head}: {difference}\n\n{script}"),
        Verdict::NoEnd => format!("## {head} has no end\n\n{script}\n\n{}", last_words(rig)),
        Verdict::Same { .. } | Verdict::Invalid(_) => return Ok(()),
    };
    if servers_own {
        return Ok(());
    }
    println!("{text}\n");
    if let Verdict::Different(difference) = verdict
        && failed < SHRUNK_MAX
    {
        let (small, difference) = shrink(lane, case, difference).await;
        let (small, file) = (small.script(), found(lane.flavor, seed));
        keep(&file, lane.flavor, &difference, &small.to_string())?;
        text = format!(
            "## {head}, smaller, in {}: {difference}\n\n{small}",
            file.display()
        );
        println!("{text}\n");
    }
    findings.lock().await.failures.push(text);
    Ok(())
}

/// Whether what differs is between the server's own ALTER and itself. It copies among writers, too, and then forgets numbers
/// of AUTO_INCREMENT, or meets duplicates that were rolled back; and where it changes nothing but a counter, its place among
/// the transactions is not seen.
fn is_servers_own(script: &Script, verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Different(_)) && !script.transactions.is_empty()
}

/// The file of a case that was found and made smaller; `kept/` is for those that were mended.
fn found(flavor: Flavor, seed: u64) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("differential");
    folder.join(format!("{}_{seed}.sql", flavor.name()))
}

/// Writes a case as `kept::all` reads it.
fn keep(file: &PathBuf, flavor: Flavor, difference: &str, script: &str) -> Result<()> {
    let remarks: Vec<String> = difference.lines().map(|line| format!("# {line}")).collect();
    let text = format!("# {}\n{}\n{script}", flavor.name(), remarks.join("\n"));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

/// No migration leaves anything behind.
async fn nothing_left(rig: &Rig) -> Result<()> {
    let mut root = rig.server.root().await?;
    let sql = "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
               WHERE schema_name LIKE '%\\_\\_ghost' OR schema_name LIKE '%\\_\\_old'";
    for _ in 0..6000 {
        let left: Vec<String> = root.query(sql).await?;
        if left.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    bail!("schemas of migrations are left behind")
}

fn last_words(rig: &Rig) -> String {
    let log = rig.proxy.log();
    let lines: Vec<&str> = log.lines().collect();
    lines
        .get(lines.len().saturating_sub(40)..)
        .unwrap_or_default()
        .join("\n")
}

fn number_from(variable: &str, default: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(default),
    }
}
