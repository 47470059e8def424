//! A private server: own data folder, own port and socket, gone when dropped.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use rand::RngExt;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::process::Process;
use crate::provided::Provided;
use crate::{Flavor, Options, template};

/// How long a server may take to answer; generous, because many may start on few cores.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Connection options for `user` at a local port. They never switch to the server's unix socket, as
/// `mysql_async` would do by itself: a client of the proxy would leave the proxy that way.
pub fn client_opts(port: u16, user: &str, password: &str, schema: Option<&str>) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(user))
        .pass((!password.is_empty()).then_some(password))
        .db_name(schema)
        .prefer_socket(false)
        .into()
}

/// A server process that belongs to the test that started it.
#[derive(Debug)]
pub struct Server {
    flavor: Flavor,
    options: Options,
    provided: Provided,
    port: u16,
    process: Option<Process>,
    // Last, so that the process is gone before its folder is removed.
    folder: TempDir,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub async fn start(flavor: Flavor, options: &Options) -> Result<Server> {
        let (provided, folder) = spawn_blocking(move || -> Result<_> {
            let provided = Provided::find(flavor)?;
            let folder = tempfile::Builder::new().prefix("alterego-").tempdir()?;
            template::copy_to(flavor, &provided, &folder.path().join("data"))?;
            Ok((provided, folder))
        })
        .await??;
        let options = options.clone();
        let mut server = Server {
            flavor,
            options,
            provided,
            port: 0,
            process: None,
            folder,
        };
        for _ in 0..10 {
            // Another process may take the port in between: then the server ends and another port is tried.
            server.port = free_port()?;
            server.spawn()?;
            if server.answers().await? {
                return Ok(server);
            }
        }
        bail!("{flavor} does not start: {}", server.error_log())
    }

    /// Which server it is.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Its TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s.sock")
    }

    /// Its data folder.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its address as alterego's command line wants it.
    pub fn url(&self, user: &str, password: &str) -> String {
        let separator = if password.is_empty() { "" } else { ":" };
        format!("mysql://{user}{separator}{password}@127.0.0.1:{}", self.port)
    }

    /// Options for a connection of root, over TCP.
    pub fn root_opts(&self) -> Opts {
        client_opts(self.port, "root", "", None)
    }

    /// A connection of root.
    pub async fn root(&self) -> Result<Conn> {
        Conn::new(self.root_opts()).await.context("root cannot connect")
    }

    /// The command-line client that belongs to this server, with no arguments yet.
    pub fn client_command(&self) -> Command {
        self.provided.client()
    }

    /// What the server has written to its error log.
    pub fn error_log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Creates an account for any host, identified by `plugin` (the server's default when `None`), with each
    /// of `grants`, such as `ALL ON app.*`.
    pub async fn create_user(
        &self,
        name: &str,
        password: &str,
        plugin: Option<&str>,
        grants: &[&str],
    ) -> Result<()> {
        let mut root = self.root().await?;
        if let Some(plugin @ ("ed25519" | "parsec")) = plugin {
            let sql = format!("SELECT 1 FROM information_schema.plugins WHERE plugin_name = '{plugin}'");
            if root.query_first::<u8, _>(sql).await?.is_none() {
                root.query_drop(format!("INSTALL SONAME 'auth_{plugin}'")).await?;
            }
        }
        let identified = match (plugin, self.flavor) {
            (None, _) => format!("BY '{password}'"),
            (Some(plugin), Flavor::MySql) => format!("WITH {plugin} BY '{password}'"),
            (Some(plugin), Flavor::MariaDb) => format!("VIA {plugin} USING PASSWORD('{password}')"),
        };
        root.query_drop(format!("CREATE USER '{name}'@'%' IDENTIFIED {identified}"))
            .await?;
        for grant in grants {
            root.query_drop(format!("GRANT {grant} TO '{name}'@'%'")).await?;
        }
        root.disconnect().await?;
        Ok(())
    }

    /// Kills the server with signal 9. The data folder stays, for [`Server::restart`].
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts the server again, on the same data folder and port; kills it first if it still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        self.spawn()?;
        ensure!(
            self.answers().await?,
            "{} does not start again: {}",
            self.flavor,
            self.error_log()
        );
        Ok(())
    }

    /// Stops the server in its tracks: its connections stay open and nothing is answered.
    pub fn freeze(&self) -> Result<()> {
        self.process
            .as_ref()
            .context("the server does not run")?
            .signal("STOP")
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) -> Result<()> {
        self.process
            .as_ref()
            .context("the server does not run")?
            .signal("CONT")
    }

    /// Kills the server and puts a fresh one with another server id in its place, on the same port: as a clone of
    /// anything that it then follows from the beginning. (With the old id it would skip its own former writes.)
    pub async fn begin_anew(&mut self, server_id: u32) -> Result<()> {
        self.kill();
        self.options.args.push(format!("--server-id={server_id}"));
        let (flavor, provided, data) = (self.flavor, self.provided.clone(), self.data_folder());
        // The logs lie in it, too.
        spawn_blocking(move || -> Result<_> {
            std::fs::remove_dir_all(&data)?;
            template::copy_to(flavor, &provided, &data)
        })
        .await??;
        self.restart().await
    }

    /// A copy of everything the server has at this moment, as a snapshot of its disk would be; it stands still meanwhile.
    pub async fn copy(&self) -> Result<TempDir> {
        self.freeze()?;
        let data = self.data_folder();
        let copied = spawn_blocking(move || -> Result<_> {
            let folder = tempfile::Builder::new().prefix("alterego-copy-").tempdir()?;
            template::copy(&data, &folder.path().join("data"))?;
            Ok(folder)
        })
        .await?;
        self.thaw()?;
        copied
    }

    /// Kills the server and starts it on such a copy.
    pub async fn put_back(&mut self, copy: &TempDir) -> Result<()> {
        self.kill();
        let (kept, data) = (copy.path().join("data"), self.data_folder());
        spawn_blocking(move || -> Result<_> {
            std::fs::remove_dir_all(&data)?;
            template::copy(&kept, &data)
        })
        .await??;
        self.restart().await
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("error.log")
    }

    fn spawn(&mut self) -> Result<()> {
        self.process = None;
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = self.provided.server();
        command
            .args(arguments(
                self.flavor,
                &self.options,
                self.port,
                self.folder.path(),
            ))
            .args(&self.options.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.process = Some(Process::spawn(command, Some(self.folder.path()))?);
        Ok(())
    }

    /// Waits until the server answers on its own socket, which no other server can do; false if it ended.
    async fn answers(&mut self) -> Result<bool> {
        let opts: Opts = OptsBuilder::default()
            .socket(self.socket().to_str())
            .user(Some("root"))
            .into();
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Ok(connection) = Conn::new(opts.clone()).await {
                connection.disconnect().await?;
                return Ok(true);
            }
            if self.process.as_mut().is_none_or(Process::has_ended) {
                return Ok(false);
            }
            if Instant::now() > deadline {
                bail!("{} gives no answer: {}", self.flavor, self.error_log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn arguments(flavor: Flavor, options: &Options, port: u16, folder: &Path) -> Vec<String> {
    let synced = u8::from(options.durable);
    // Unsynced, but written at each commit: what is committed survives the death of the process.
    let flushed = if options.durable { 1 } else { 2 };
    let mut arguments = vec![
        format!("--datadir={}", folder.join("data").display()),
        format!("--socket={}", folder.join("s.sock").display()),
        format!("--pid-file={}", folder.join("pid").display()),
        // A starting MariaDB removes temporary tables it finds, those of other servers too.
        format!("--tmpdir={}", folder.display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--server-id=1".to_owned(),
        "--log-bin=binlog".to_owned(),
        "--binlog-format=ROW".to_owned(),
        format!("--sync-binlog={synced}"),
        format!("--innodb-flush-log-at-trx-commit={flushed}"),
        format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib),
        "--max-connections=500".to_owned(),
        "--local-infile=1".to_owned(),
        // A workload that must see no error needs the reason at hand when it sees this one.
        "--innodb-print-all-deadlocks=ON".to_owned(),
    ];
    if flavor == Flavor::MySql {
        let gtid = if options.gtid { "ON" } else { "OFF" };
        arguments.push("--mysqlx=OFF".to_owned());
        arguments.push(format!("--gtid-mode={gtid}"));
        arguments.push(format!("--enforce-gtid-consistency={gtid}"));
    }
    arguments
}

/// A port below the range from which the system takes the local ports of outgoing connections, so that a
/// restarted server finds its port still free.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..1000 {
        let port = rand::rng().random_range(14_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1")
}
