//! Each way to rebuild the table, and how its time is taken.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use alterego_testkit::{Alterego, Server};
use anyhow::{Result, bail, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::process::Command;

use crate::cpu::Process;
use crate::migrations::Migration;

/// How often the proxy is asked how far it is.
const POLL: Duration = Duration::from_millis(20);

/// A way to rebuild the table.
#[derive(Clone, Debug)]
pub(crate) enum Contender {
    /// The server's own, through a copied table.
    NativeCopy,
    /// The server's own, inside InnoDB.
    NativeInplace,
    /// Ours.
    Alterego,
    /// gh-ost, the program at this path.
    GhOst(PathBuf),
}

/// One rebuild.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// From the first row to the last.
    pub(crate) copy: Duration,
    /// From sending the ALTER to its answer.
    pub(crate) total: Duration,
    /// CPU time of the server between the first row and the last.
    pub(crate) server_cpu: Duration,
    /// CPU time of alterego in that time, if it was alterego's copy.
    pub(crate) own_cpu: Option<Duration>,
}

/// The server, the proxy in front of it, and where their CPU times are read.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) proxy: Alterego,
    pub(crate) server_process: Process,
    pub(crate) proxy_process: Process,
}

/// A moment, and the CPU times used until then.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    server: Duration,
    proxy: Duration,
}

impl Bench {
    fn now(&self) -> Result<Moment> {
        Ok(Moment {
            at: Instant::now(),
            server: self.server_process.used()?,
            proxy: self.proxy_process.used()?,
        })
    }
}

impl Contender {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Contender::NativeCopy => "native ALGORITHM=COPY",
            Contender::NativeInplace => "native ALGORITHM=INPLACE",
            Contender::Alterego => "alterego",
            Contender::GhOst(_) => "gh-ost",
        }
    }

    /// Rebuilds `app.orders` once.
    pub(crate) async fn rebuild(&self, bench: &Bench) -> Result<Measured> {
        match self {
            Contender::NativeCopy => {
                native(bench, "ALTER TABLE app.orders ENGINE=InnoDB, ALGORITHM=COPY").await
            }
            Contender::NativeInplace => {
                native(bench, "ALTER TABLE app.orders ENGINE=InnoDB, ALGORITHM=INPLACE").await
            }
            Contender::Alterego => through_proxy(bench).await,
            Contender::GhOst(program) => gh_ost(program, bench).await,
        }
    }
}

async fn native(bench: &Bench, sql: &str) -> Result<Measured> {
    let mut root = bench.server.root().await?;
    let before = bench.now()?;
    root.query_drop(sql).await?;
    let measured = whole(before, bench.now()?);
    root.disconnect().await?;
    Ok(measured)
}

/// A rebuild that is all copy.
fn whole(before: Moment, after: Moment) -> Measured {
    let total = after.at - before.at;
    Measured {
        copy: total,
        total,
        server_cpu: after.server.saturating_sub(before.server),
        own_cpu: None,
    }
}

/// The copy's own time is read from `SHOW MIGRATIONS`: from the first moment that rows are being copied to the first
/// moment that the new table has all of them and all indexes.
async fn through_proxy(bench: &Bench) -> Result<Measured> {
    let proxy = &bench.proxy;
    let mut watcher = proxy.root().await?;
    let mut client: Conn = proxy.root().await?;
    let started = Instant::now();
    let altered = client.query_drop("ALTER TABLE app.orders ENGINE=InnoDB");
    tokio::pin!(altered);
    let mut first: Option<Moment> = None;
    let mut last: Option<Moment> = None;
    loop {
        tokio::select! {
            result = &mut altered => break result?,
            () = tokio::time::sleep(POLL), if last.is_none() => {
                let newest = Migration::newest(&mut watcher, "orders").await?;
                let copying = newest
                    .is_some_and(|migration| matches!(migration.text("phase"), "copying" | "indexing"));
                match (copying, first) {
                    (true, None) => first = Some(bench.now()?),
                    (false, Some(_)) => last = Some(bench.now()?),
                    (true, Some(_)) | (false, None) => {}
                }
            }
        }
    }
    let total = started.elapsed();
    let (Some(first), Some(last)) = (first, last) else {
        bail!(
            "SHOW MIGRATIONS never showed the copy: was the ALTER carried out natively?\n{}",
            proxy.log()
        );
    };
    Ok(Measured {
        total,
        own_cpu: Some(last.proxy.saturating_sub(first.proxy)),
        ..whole(first, last)
    })
}

async fn gh_ost(program: &Path, bench: &Bench) -> Result<Measured> {
    let before = bench.now()?;
    let output = Command::new(program)
        .args([
            "--host=127.0.0.1",
            "--user=root",
            "--database=app",
            "--table=orders",
            "--alter=ENGINE=InnoDB",
        ])
        .arg(format!("--port={}", bench.server.port()))
        .args([
            "--allow-on-master",
            "--initially-drop-ghost-table",
            "--initially-drop-old-table",
        ])
        .args(["--initially-drop-socket-file", "--ok-to-drop-table", "--execute"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let after = bench.now()?;
    ensure!(
        output.status.success(),
        "{} failed: {}{}",
        program.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(whole(before, after))
}
