//! TLS on either side: who logs in how, what is verified, what travels.

mod certificates;
mod groups;
mod identity;
mod logins;
mod reload;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use alterego_testkit::{Flavor, Server};
use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::DEADLINE;

const PASSWORD: &str = "s3cret ü";

/// A login with the server's own command-line client.
#[derive(Clone, Debug)]
struct Login {
    flavor: Flavor,
    command: Vec<String>,
    password: String,
    /// Whether it has to be by TLS, or must not be.
    encrypted: Option<bool>,
}

/// Where it goes.
#[derive(Clone, Copy, Debug)]
enum At<'a> {
    /// 127.0.0.1.
    Port(u16),
    /// The name `localhost`, by TCP. MariaDB's client trusts 127.0.0.1 more.
    Name(u16),
    Socket(&'a Path),
}

impl Login {
    fn new(flavor: Flavor, at: At<'_>, user: &str) -> Self {
        let mut command = vec![
            format!("--user={user}"),
            "--default-character-set=utf8mb4".to_owned(),
        ];
        match at {
            At::Port(port) => {
                command.extend([
                    "--protocol=tcp".to_owned(),
                    "--host=127.0.0.1".to_owned(),
                    format!("--port={port}"),
                ]);
            }
            At::Name(port) => {
                command.extend([
                    "--protocol=tcp".to_owned(),
                    "--host=localhost".to_owned(),
                    format!("--port={port}"),
                ]);
            }
            At::Socket(path) => {
                command.extend([
                    "--protocol=socket".to_owned(),
                    format!("--socket={}", path.display()),
                ]);
            }
        }
        Self {
            flavor,
            command,
            password: PASSWORD.to_owned(),
            encrypted: None,
        }
    }

    fn with(mut self, options: &[&str]) -> Self {
        self.command
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// With TLS or not at all.
    fn encrypted(mut self, encrypted: bool) -> Self {
        self.encrypted = Some(encrypted);
        let options: &[&str] = match (self.flavor, encrypted) {
            (Flavor::MySql, true) => &["--ssl-mode=REQUIRED"],
            (Flavor::MySql, false) => &["--ssl-mode=DISABLED", "--get-server-public-key"],
            // It verifies by default, and so takes nothing but TLS.
            (Flavor::MariaDb, true) => &[],
            (Flavor::MariaDb, false) => &["--skip-ssl"],
        };
        self.with(options)
    }

    /// Runs a statement: the rows, or the error as the client prints it.
    async fn run(&self, server: &Server, sql: &str) -> Result<std::result::Result<String, String>> {
        let mut command = Command::from(server.client_command());
        command
            .args(&self.command)
            // Not by the environment: MariaDB's client then takes the login for one without a password and verifies nothing.
            .arg(format!("--password={}", self.password))
            .args(["-N", "-e", sql])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let Output {
            status,
            stdout,
            stderr,
        } = tokio::time::timeout(DEADLINE, command.output())
            .await
            .context("the client hangs")??;
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let of_the_client = ["[Warning] Using a password", "WARNING: no verification of server"];
            let is_answer = |line: &&str| !of_the_client.iter().any(|warning| line.contains(warning));
            let lines = text.lines().filter(is_answer);
            lines.collect::<Vec<_>>().join("\n")
        };
        Ok(if status.success() {
            Ok(text(&stdout))
        } else {
            Err(text(&stderr))
        })
    }

    /// Logs in; says whether the server's connection is encrypted.
    async fn enters(&self, server: &Server) -> Result<bool> {
        let login = match self.flavor {
            Flavor::MySql => self.clone().with(&["--commands"]),
            Flavor::MariaDb => self.clone(),
        };
        let shown = login
            .run(
                server,
                "SELECT CURRENT_USER(); SHOW STATUS LIKE 'Ssl_cipher'; \\s",
            )
            .await?;
        let shown = shown.map_err(|error| anyhow::anyhow!("{self:?}: {error}"))?;
        ensure!(
            shown.starts_with(&format!("{}@", self.user())),
            "{self:?}: {shown}"
        );
        let line = |start: &str| shown.lines().find(|line| line.trim_start().starts_with(start));
        let own = line("SSL:").with_context(|| shown.clone())?;
        if let Some(wanted) = self.encrypted {
            ensure!(own.contains("Cipher in use") == wanted, "{self:?}: {own}");
        }
        let upstream = line("Ssl_cipher").with_context(|| shown.clone())?;
        Ok(upstream.contains("TLS_"))
    }

    fn user(&self) -> &str {
        self.command[0].trim_start_matches("--user=")
    }

    /// Is refused with an error that contains all of `parts`.
    async fn is_refused(&self, server: &Server, parts: &[&str]) -> Result<()> {
        let error = self
            .run(server, "SELECT CURRENT_USER()")
            .await?
            .err()
            .with_context(|| format!("{self:?} logs in"))?;
        for part in parts {
            ensure!(error.contains(part), "{self:?}: {error}\nwithout: {part}");
        }
        Ok(())
    }
}

/// The plugins of each server that send or prove a password.
fn plugins(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MySql => &["caching_sha2_password", "sha256_password"],
        Flavor::MariaDb => &["mysql_native_password", "ed25519", "parsec"],
    }
}

/// An account for each plugin, named as the plugin.
async fn accounts(server: &Server) -> Result<()> {
    for plugin in plugins(server.flavor()) {
        server
            .create_user(plugin, PASSWORD, Some(plugin), &["ALL ON *.*"])
            .await?;
    }
    Ok(())
}

/// An authority, and certificates it signs, as files.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let name = folder.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key)?.pem())?;
        Ok(Self {
            folder,
            issuer: Issuer::new(params, key),
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The files of a certificate for `name` and of its key, replaced if they are there.
    fn sign(&self, file: &str, name: &str) -> Result<(PathBuf, PathBuf)> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        let folder = self.folder.path();
        let paths = (
            folder.join(format!("{file}.pem")),
            folder.join(format!("{file}-key.pem")),
        );
        std::fs::write(&paths.0, certificate.pem())?;
        std::fs::write(&paths.1, key.serialize_pem())?;
        Ok(paths)
    }
}
