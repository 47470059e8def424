//! A mixed workload over `orders` from ordinary clients, each of which knows what its rows must hold.
//!
//! A client owns its rows: nobody else writes them. So each read can be checked at once, each write must
//! change exactly the row it names, and the final state is known without asking the server.

mod client;
mod operations;
mod stats;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::Opts;
use tokio::task::JoinHandle;

use crate::Model;
use crate::orders::{BUCKETS, Layout};
use client::Client;
use stats::Stats;

pub use stats::Stall;

/// What the workload does.
#[derive(Clone, Debug)]
pub struct WorkloadOptions {
    /// The table's schema.
    pub schema: String,
    /// The table, filled by [`fill`](crate::orders::fill) with the rows of `layout`.
    pub table: String,
    /// The first rows.
    pub layout: Layout,
    /// How many clients there are, at most 64.
    pub clients: u64,
    /// How long a client thinks between two transactions.
    pub pause: Duration,
    /// Whether there are multi-statement transactions. Around a native ALTER, or any lock on the whole table
    /// that is queued directly at the server, these get error 1213: what they hold and what the lock holds
    /// are wanted by each other.
    pub transactions: bool,
    /// Where the pseudo-random choices begin.
    pub seed: u64,
}

impl WorkloadOptions {
    /// Eight clients on `app.orders` that hardly think.
    pub fn new(layout: Layout) -> WorkloadOptions {
        WorkloadOptions {
            schema: "app".to_owned(),
            table: "orders".to_owned(),
            layout,
            clients: 8,
            pause: Duration::from_millis(2),
            transactions: true,
            seed: 1,
        }
    }
}

/// The running workload.
#[derive(Debug)]
pub struct Workload {
    clients: Vec<JoinHandle<Client>>,
    stats: Arc<Stats>,
    stop: Arc<AtomicBool>,
    layout: Layout,
}

/// What a workload did and saw.
#[derive(Debug)]
pub struct Outcome {
    /// Statements sent, `BEGIN` and `COMMIT` included.
    pub statements: u64,
    /// Transactions committed, single statements included.
    pub transactions: u64,
    /// Rows changed by what was committed.
    pub changes: u64,
    /// Every error and every wrong answer.
    pub errors: Vec<String>,
    /// The statement that took longest.
    pub longest_stall: Stall,
    /// What the table must hold now.
    pub model: Model,
}

impl Workload {
    /// Connects the clients, every one as `opts` say, and lets them work.
    pub async fn start(opts: &Opts, options: &WorkloadOptions) -> Result<Workload> {
        let stats = Arc::new(Stats::default());
        let stop = Arc::new(AtomicBool::new(false));
        let mut ready = Vec::new();
        for number in 0..options.clients.clamp(1, BUCKETS) {
            let client = Client::connect(opts.clone(), options, number, Arc::clone(&stats)).await;
            ready.push(client.with_context(|| format!("client {number} cannot connect"))?);
        }
        let clients = ready
            .into_iter()
            .map(|client| tokio::spawn(client.run(Arc::clone(&stop), options.pause)))
            .collect();
        Ok(Workload {
            clients,
            stats,
            stop,
            layout: options.layout,
        })
    }

    /// Statements sent so far.
    pub fn statements(&self) -> u64 {
        self.stats.statements()
    }

    /// How many errors there were so far.
    pub fn errors(&self) -> u64 {
        self.stats.error_count()
    }

    /// The longest stall so far.
    pub fn longest_stall(&self) -> Stall {
        self.stats.longest_stall()
    }

    /// The longest stall so far; from now on it is measured anew.
    pub fn take_longest_stall(&self) -> Stall {
        self.stats.take_longest_stall()
    }

    /// Lets each client finish its transaction, then says what all of them did.
    pub async fn stop(self) -> Result<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        let mut model = Model::new(self.layout);
        for client in self.clients {
            let client = client.await.context("a client panicked")?;
            client.add_to(&mut model);
        }
        Ok(Outcome {
            statements: self.stats.statements(),
            transactions: self.stats.transactions(),
            changes: self.stats.changes(),
            errors: self.stats.errors(),
            longest_stall: self.stats.longest_stall(),
            model,
        })
    }
}
