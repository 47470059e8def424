//! Each way to rebuild the table, and how its time is taken.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use alterego_testkit::{Alterego, Server};
use anyhow::{Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::process::Command;

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
    pub(crate) async fn rebuild(&self, server: &Server, proxy: &Alterego) -> Result<Measured> {
        match self {
            Contender::NativeCopy => {
                native(server, "ALTER TABLE app.orders ENGINE=InnoDB, ALGORITHM=COPY").await
            }
            Contender::NativeInplace => {
                native(server, "ALTER TABLE app.orders ENGINE=InnoDB, ALGORITHM=INPLACE").await
            }
            Contender::Alterego => through_proxy(proxy).await,
            Contender::GhOst(program) => gh_ost(program, server).await,
        }
    }
}

async fn native(server: &Server, sql: &str) -> Result<Measured> {
    let mut root = server.root().await?;
    let started = Instant::now();
    root.query_drop(sql).await?;
    let total = started.elapsed();
    root.disconnect().await?;
    Ok(Measured { copy: total, total })
}

/// The copy's own time is read from `SHOW MIGRATIONS`: from the first moment that rows are being copied to
/// the first moment that no more are.
async fn through_proxy(proxy: &Alterego) -> Result<Measured> {
    let mut watcher = proxy.root().await?;
    let mut client: Conn = proxy.root().await?;
    let started = Instant::now();
    let altered = client.query_drop("ALTER TABLE app.orders ENGINE=InnoDB");
    tokio::pin!(altered);
    let mut copy: Option<(Instant, Instant)> = None;
    loop {
        tokio::select! {
            result = &mut altered => break result?,
            () = tokio::time::sleep(POLL) => {
                let newest = Migration::newest(&mut watcher, "orders").await?;
                if newest.is_some_and(|migration| migration.text("phase").contains("cop")) {
                    let now = Instant::now();
                    copy = Some((copy.map_or(now, |(first, _)| first), now));
                }
            }
        }
    }
    let total = started.elapsed();
    ensure!(
        copy.is_some(),
        "SHOW MIGRATIONS never showed the copy: was the ALTER carried out natively?\n{}",
        proxy.log()
    );
    let copy = copy.map_or(total, |(first, last)| last.duration_since(first) + POLL);
    Ok(Measured { copy, total })
}

async fn gh_ost(program: &Path, server: &Server) -> Result<Measured> {
    let started = Instant::now();
    let output = Command::new(program)
        .args([
            "--host=127.0.0.1",
            "--user=root",
            "--database=app",
            "--table=orders",
            "--alter=ENGINE=InnoDB",
        ])
        .arg(format!("--port={}", server.port()))
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
    let total = started.elapsed();
    ensure!(
        output.status.success(),
        "{} failed: {}{}",
        program.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Measured { copy: total, total })
}
