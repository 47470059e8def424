//! Many clients at once: what an idle one costs in the proxy's memory, and that busy ones see no error meanwhile.
//!
//! A client that has logged in and waits holds two connections of the proxy's, its own and the server's. The memory is the
//! proxy's resident set, so buffers that were touched once and are kept count, and what the allocator does not give back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

use crate::memory::Memory;
use crate::table::thousands;

/// Arguments of the clients benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server to use: mysql or mariadb.
    #[arg(long, env = "SERVER", default_value = "mysql")]
    server: Flavor,
    /// How many clients are idle.
    #[arg(long, default_value_t = 5000)]
    idle: usize,
    /// How many are active beside them.
    #[arg(long, default_value_t = 500)]
    active: usize,
    /// How long they are active.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// TLS towards the server, as alterego names it.
    #[arg(long, default_value = "DISABLED")]
    upstream_ssl_mode: String,
    /// Clients use TLS.
    #[arg(long)]
    tls: bool,
}

/// How many log in at a time.
const LOGINS_AT_ONCE: usize = 16;
/// How many clients come and go before anything is measured, so that what the process itself needs is there.
const WARM_UP: usize = 64;
/// How long a process may take to come to rest.
const REST: Duration = Duration::from_secs(3);

/// Runs the benchmark.
pub(crate) async fn run(args: Args) -> Result<()> {
    provide_files()?;
    let clients = args.idle + args.active + WARM_UP;
    println!(
        "starting a private {} server for {} clients",
        args.server,
        thousands(clients as u64)
    );
    let server = Server::start(args.server, &options(clients)).await?;
    let most = clients.to_string();
    let options = [
        "--max-clients",
        &most,
        "--upstream-ssl-mode",
        &args.upstream_ssl_mode,
    ];
    let mut proxy = Alterego::start(&server, &options, &[]).await?;
    let memory = Memory::of(proxy.id());
    let opts = client_opts(&proxy, args.tls);

    drop(connect(&opts, WARM_UP).await?);
    tokio::time::sleep(REST).await;
    let before = memory.resident()?;
    let mut idle = connect(&opts, args.idle).await?;
    tokio::time::sleep(REST).await;
    let with_idle = memory.resident()?;

    let (queries, peak) = keep_busy(&opts, &args, &memory).await?;
    for conn in &mut idle {
        conn.ping().await.context("an idle client was lost")?;
    }
    tokio::time::sleep(REST).await;
    let afterwards = memory.resident()?;

    let each = |bytes: u64| bytes.saturating_sub(before) as f64 / args.idle.max(1) as f64 / 1024.0;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "\n  the proxy's resident memory, TLS towards the server {}, {}",
        args.upstream_ssl_mode,
        if args.tls {
            "clients with TLS"
        } else {
            "clients without TLS"
        }
    );
    println!(
        "    without clients                        {:8.1} MiB",
        mib(before)
    );
    println!(
        "    {:>6} idle clients                    {:8.1} MiB, {:5.1} KiB a client",
        thousands(args.idle as u64),
        mib(with_idle),
        each(with_idle)
    );
    println!(
        "    with {:>4} active ones beside them, peak {:8.1} MiB",
        args.active,
        mib(peak)
    );
    println!(
        "    when these have left                   {:8.1} MiB, {:5.1} KiB a client",
        mib(afterwards),
        each(afterwards)
    );
    println!(
        "  {} queries of {} active clients in {} s, no error",
        thousands(queries),
        args.active,
        args.seconds
    );
    Ok(())
}

/// A client takes a file here, and another one in the server.
fn provide_files() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, highest).context("the limit of open files cannot be raised")
}

fn options(clients: usize) -> Options {
    Options::relaxed()
        .arg(format!("--max-connections={}", clients + 50))
        .arg(format!("--open-files-limit={}", clients * 2 + 5000))
        .arg("--back-log=4096")
        .arg("--thread-stack=256K")
        .arg("--performance-schema=OFF")
}

fn client_opts(proxy: &Alterego, tls: bool) -> Opts {
    let ssl = SslOpts::default().with_danger_accept_invalid_certs(true);
    OptsBuilder::from_opts(proxy.root_opts())
        .ssl_opts(tls.then_some(ssl))
        .into()
}

async fn connect(opts: &Opts, count: usize) -> Result<Vec<Conn>> {
    stream::iter(0..count)
        .map(|_| Conn::new(opts.clone()))
        .buffer_unordered(LOGINS_AT_ONCE)
        .try_collect()
        .await
        .context("a client could not log in")
}

/// Queries without a pause; the first error is the benchmark's. Says how many, and the most memory seen meanwhile.
async fn keep_busy(opts: &Opts, args: &Args, memory: &Memory) -> Result<(u64, u64)> {
    let (is_over, queries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut active = JoinSet::new();
    for conn in connect(opts, args.active).await? {
        active.spawn(query(conn, Arc::clone(&is_over), Arc::clone(&queries)));
    }
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut peak = 0;
    while Instant::now() < end {
        peak = peak.max(memory.resident()?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = active.join_next().await {
        ended?.context("an active client")?;
    }
    Ok((queries.load(Ordering::Relaxed), peak))
}

async fn query(mut conn: Conn, is_over: Arc<AtomicBool>, queries: Arc<AtomicU64>) -> Result<()> {
    let mut number = u64::from(conn.id()) << 32;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let answer: Option<u64> = conn.query_first(format!("SELECT {number}")).await?;
        ensure!(answer == Some(number), "{answer:?} is the answer to {number}");
        queries.fetch_add(1, Ordering::Relaxed);
    }
    conn.disconnect().await?;
    Ok(())
}
