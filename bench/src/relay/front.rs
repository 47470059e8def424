//! What stands between the clients and the server: nothing, another proxy, or alterego.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use alterego_testkit::{Alterego, Server};
use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::cpu::Process;
use crate::tools;

/// How long a proxy may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A way to the server, running until it is dropped.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) name: &'static str,
    pub(super) port: u16,
    /// Whose CPU time is counted; none where there is no proxy.
    pub(super) process: Option<Process>,
    /// The proxy's process.
    pub(super) id: Option<u32>,
    _running: Running,
}

#[derive(Debug)]
enum Running {
    Nothing,
    Other { _child: Child, _folder: TempDir },
    Alterego { _proxy: Alterego },
}

impl Front {
    /// No proxy.
    pub(super) fn direct(server: &Server) -> Self {
        Self {
            name: "direct",
            port: server.port(),
            process: None,
            id: None,
            _running: Running::Nothing,
        }
    }

    /// HAProxy as a plain TCP proxy, with as many threads as it takes by itself.
    pub(super) async fn haproxy(server: &Server) -> Result<Self> {
        let config = |port: u16, _: &Path| {
            format!(
                "global\n maxconn 2000\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
                 listen mysql\n bind 127.0.0.1:{port}\n server one 127.0.0.1:{}\n",
                server.port()
            )
        };
        Self::other("HAProxy", "haproxy", &["-db", "-f"], config).await
    }

    /// MySQL Router, relaying bytes without TLS.
    pub(super) async fn router(server: &Server) -> Result<Self> {
        let config = |port: u16, folder: &Path| {
            let folder = folder.display();
            format!(
                "[DEFAULT]\nlogging_folder=\nruntime_folder={folder}\ndata_folder={folder}\nmax_total_connections=1000\n\
                 [logger]\nlevel=error\n[routing:bench]\nbind_address=127.0.0.1\nbind_port={port}\n\
                 destinations=127.0.0.1:{}\nrouting_strategy=first-available\nprotocol=classic\n\
                 client_ssl_mode=DISABLED\nserver_ssl_mode=DISABLED\nmax_connections=1000\n",
                server.port()
            )
        };
        Self::other("MySQL Router", "mysqlrouter", &["-c"], config).await
    }

    /// alterego, started with these options.
    pub(super) async fn alterego(name: &'static str, server: &Server, arguments: &[&str]) -> Result<Self> {
        let mut proxy = Alterego::start(server, arguments, &[]).await?;
        let id = proxy.id();
        Ok(Self {
            name,
            port: proxy.port(),
            process: Some(Process::of(id)),
            id: Some(id),
            _running: Running::Alterego { _proxy: proxy },
        })
    }

    async fn other(
        name: &'static str,
        tool: &str,
        arguments: &[&str],
        config: impl Fn(u16, &Path) -> String,
    ) -> Result<Self> {
        let program = tools::provide(tool).await?;
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = folder.path().join("config");
        std::fs::write(&file, config(port, folder.path()))?;
        let mut child = Command::new(&program)
            .args(arguments)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let deadline = Instant::now() + START_TIMEOUT;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure!(child.try_wait()?.is_none(), "{name} ended by itself");
            ensure!(Instant::now() < deadline, "{name} does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let id = child.id().with_context(|| format!("{name} ended by itself"))?;
        Ok(Self {
            name,
            port,
            process: Some(Process::of(id)),
            id: Some(id),
            _running: Running::Other {
                _child: child,
                _folder: folder,
            },
        })
    }
}
