//! How alterego's own connections reach the server: in the same mode as those it opens for clients.
//!
//! The client library knows all modes but one. It cannot be told to verify a certificate and not its name, so in
//! `VERIFY_CA` its connections go through a relay of this process, by a socket in a folder nobody else can enter, and the
//! relay speaks TLS.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use alterego_proxy::routing::ForwardAll;
use alterego_proxy::tls::{SslMode, UpstreamTls};
use alterego_proxy::{Gate, Listeners, ProxyConfig};
use anyhow::Context;
use mysql_async::{ClientIdentity, Opts, SslOpts};
use tokio::task::JoinHandle;

use crate::cli::ServerAddress;
use crate::deployment;
use crate::listener::{SocketFile, bind_unix};

/// Options for alterego's own connections, good as long as this lives.
pub(crate) struct Way {
    /// The options.
    pub(crate) opts: Opts,
    _relay: Option<Relay>,
}

impl Way {
    /// The way to this server.
    ///
    /// # Errors
    /// A file of `server.tls` is unusable, or the relay's socket cannot be made.
    pub(crate) fn to(server: &ServerAddress) -> anyhow::Result<Self> {
        // Its files are looked at here in every mode, so that a wrong one is known at the start.
        let tls = super::own_upstream(&server.tls)?;
        let opts = server.opts();
        let identity = server.tls.identity.clone();
        let identity = identity.map(|(certificate, key)| ClientIdentity::new(certificate.into(), key.into()));
        let encrypted = SslOpts::default().with_client_identity(identity);
        let direct = |opts: Opts| Self { opts, _relay: None };
        Ok(match server.tls.mode {
            SslMode::Disabled => direct(opts.into()),
            SslMode::Preferred | SslMode::Required => direct(
                opts.ssl_opts(encrypted.with_danger_accept_invalid_certs(true))
                    .into(),
            ),
            SslMode::VerifyIdentity => {
                let authorities = server.tls.authorities.clone();
                let authorities = authorities.into_iter().map(Into::into).collect();
                let strict = encrypted
                    .with_disable_built_in_roots(true)
                    .with_root_certs(authorities);
                direct(opts.ssl_opts(strict).into())
            }
            SslMode::VerifyCa => {
                let relay = Relay::start(server, tls).context("cannot make a socket for own connections")?;
                let socket = relay.file.path().display().to_string();
                Self {
                    opts: opts.socket(Some(socket)).into(),
                    _relay: Some(relay),
                }
            }
        })
    }
}

/// A proxy that only forwards.
struct Relay {
    task: JoinHandle<()>,
    // Before its folder, which must be empty to be removed.
    file: SocketFile,
    _folder: Folder,
}

impl Relay {
    fn start(server: &ServerAddress, tls: UpstreamTls) -> anyhow::Result<Self> {
        let folder = Folder::make(&std::env::temp_dir())?;
        let (unix, file) = bind_unix(&folder.0.join("s"), 0o600)?;
        let listeners = Listeners {
            unix: Some(unix),
            ..Listeners::default()
        };
        let config = ProxyConfig {
            upstream_tls: tls,
            ..ProxyConfig::new(deployment::upstream(server))
        };
        let run = alterego_proxy::run(
            listeners,
            config,
            ForwardAll::alone(),
            Gate::default(),
            std::future::pending(),
        );
        Ok(Self {
            task: tokio::spawn(run),
            file,
            _folder: folder,
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A folder of this user's alone, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn make(parent: &Path) -> std::io::Result<Self> {
        let path = parent.join(format!("alterego-{:016x}", rand::random::<u64>()));
        // It fails if there is something already, so it is nobody else's.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What the system cleans up otherwise.
        let _ = std::fs::remove_dir(&self.0);
    }
}
