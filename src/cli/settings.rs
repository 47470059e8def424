//! What the operator meant: every default applied, every source of a value weighed.
//!
//! What is nearer to the operator's hands wins: the URL that was typed, then the file of `--password-file`, then the
//! environment, then the option file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alterego_engine::owner_check::TableCheck;
use alterego_proxy::ProxyNetworks;
use mysql_async::OptsBuilder;

use super::low::LowArgs;
use super::server_url::{self, ServerUrl};
use super::{ClientSettings, Secret, UpstreamSettings, option_file};
use crate::config_file::{self, Account, Routing};

/// A server's port where none is said.
pub(crate) const DEFAULT_PORT: u16 = 3306;
const DEFAULT_LISTEN: &str = "127.0.0.1:3307";

/// How schema changes are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Strategy {
    /// The server does at once what it can, the rest is done online
    Auto,
    /// Everything that can be done online is, even what the server could do at once
    Ghost,
    /// Everything is left to the server: alterego only forwards
    Native,
}

/// What the process is to do.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The server, or the servers.
    pub(crate) servers: Servers,
    /// TLS towards servers.
    pub(crate) upstream_tls: UpstreamSettings,
    /// TLS towards clients.
    pub(crate) client_tls: ClientSettings,
    /// Where the servers and the listeners were read, if that was a file.
    pub(crate) config: Option<ConfigSource>,
    /// Where clients connect.
    pub(crate) listeners: Vec<ListenerSettings>,
    /// Whether servers are told where clients come from.
    pub(crate) upstream_proxy_protocol: bool,
    /// Whose connections may begin with a PROXY protocol header.
    pub(crate) proxy_networks: ProxyNetworks,
    /// How many clients may be connected, if that was said.
    pub(crate) max_clients: Option<u32>,
    /// How long clients may finish at the end.
    pub(crate) drain_timeout: Duration,
    /// How schema changes are carried out.
    pub(crate) strategy: Strategy,
    /// How long a replaced table is kept.
    pub(crate) keep_old_table: Duration,
    /// The owner's checks.
    pub(crate) checks: Vec<TableCheck>,
    /// The admin endpoint, if there is to be one.
    pub(crate) admin: Option<AdminSettings>,
}

/// What is behind the process.
#[derive(Clone, Debug)]
pub(crate) enum Servers {
    /// One server for every client.
    One(ServerAddress),
    /// Groups of servers, and rules.
    Routed(Routing),
}

/// The file of `--config`, and all that it was completed with.
#[derive(Clone, Debug)]
pub(crate) struct ConfigSource {
    low: Box<LowArgs>,
    environment: Environment,
    path: PathBuf,
}

impl ConfigSource {
    /// Reads the file as it is now.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub(crate) fn read(&self) -> Result<(Routing, Vec<ListenerSettings>), String> {
        let tls = UpstreamSettings::from_low(&self.low)?;
        configured(&self.low, &self.environment, &tls, &self.path)
    }
}

/// Where clients connect, by TCP, by unix socket, or either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenerSettings {
    /// The name by which rules know it.
    pub(crate) name: String,
    /// The TCP address.
    pub(crate) address: Option<SocketAddr>,
    /// The unix socket.
    pub(crate) socket: Option<PathBuf>,
}

/// How to reach the server with alterego's own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress {
    /// The account's name.
    pub(crate) user: String,
    /// Its password; empty for none.
    pub(crate) password: Secret,
    /// Host name or address.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// How connections to it are protected.
    pub(crate) tls: UpstreamSettings,
}

impl ServerAddress {
    /// The server that a URL names in full, but for a password that may be in the environment.
    pub(super) fn of_url(
        text: &str,
        environment: &Environment,
        tls: UpstreamSettings,
    ) -> Result<Self, String> {
        let url = server_url::parse(text)?;
        Ok(Self {
            user: url.user.ok_or("the account is missing: mysql://USER@host")?,
            password: url
                .password
                .or_else(|| environment.password.clone())
                .unwrap_or_default(),
            host: url.host.ok_or("the server is missing: mysql://user@HOST")?,
            port: url.port.unwrap_or(DEFAULT_PORT),
            tls,
        })
    }

    /// As the client library takes it, without TLS.
    pub(crate) fn opts(&self) -> OptsBuilder {
        let password = (!self.password.is_empty()).then(|| self.password.expose().to_owned());
        OptsBuilder::default()
            .ip_or_hostname(self.host.clone())
            .tcp_port(self.port)
            .user(Some(self.user.clone()))
            .pass(password)
            .prefer_socket(false)
    }
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The admin endpoint.
#[derive(Clone, Debug)]
pub(crate) struct AdminSettings {
    /// Where it listens.
    pub(crate) bind: Bind,
    /// Its one account.
    pub(crate) user: String,
    /// That account's password, never empty.
    pub(crate) password: Secret,
}

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// The variables that matter, taken once so that tests can hand in their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `ALTEREGO_URL`.
    pub(crate) url: Option<String>,
    /// `ALTEREGO_PASSWORD`.
    pub(crate) password: Option<Secret>,
    /// `ALTEREGO_ADMIN_PASSWORD`.
    pub(crate) admin_password: Option<Secret>,
}

impl Environment {
    /// The process's own.
    pub(crate) fn of_process() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            url: read("ALTEREGO_URL"),
            password: read("ALTEREGO_PASSWORD").map(Secret::new),
            admin_password: read("ALTEREGO_ADMIN_PASSWORD").map(Secret::new),
        }
    }
}

impl Settings {
    /// What `low` means in this environment.
    ///
    /// # Errors
    /// One line that says what is wrong or missing.
    pub(crate) fn from_low(low: LowArgs, environment: &Environment) -> Result<Self, String> {
        let upstream_tls = UpstreamSettings::from_low(&low)?;
        let config = low.config.clone().map(|path| ConfigSource {
            low: Box::new(low.clone()),
            environment: environment.clone(),
            path,
        });
        let (servers, listeners) = match &config {
            Some(config) => {
                let (routing, listeners) = config.read()?;
                (Servers::Routed(routing), listeners)
            }
            None => (
                Servers::One(server(&low, environment, &upstream_tls)?),
                vec![listener(&low)?],
            ),
        };
        Ok(Self {
            servers,
            upstream_tls,
            client_tls: ClientSettings::from_low(&low)?,
            admin: admin(&low, environment)?,
            config,
            listeners,
            upstream_proxy_protocol: low.upstream_proxy_protocol,
            proxy_networks: low.proxy_protocol_networks.clone(),
            max_clients: low.max_clients,
            drain_timeout: low.drain_timeout,
            strategy: low.strategy,
            keep_old_table: low.keep_old_table,
            checks: low.checks,
        })
    }
}

/// The listener of the command line.
fn listener(low: &LowArgs) -> Result<ListenerSettings, String> {
    let listen = low.listen.as_deref().unwrap_or(DEFAULT_LISTEN);
    let address = listen.parse().map_err(|_| {
        format!("`--listen {listen}` is not an address with a port, for example {DEFAULT_LISTEN}")
    })?;
    Ok(ListenerSettings {
        name: "default".to_owned(),
        address: Some(address),
        socket: low.socket.clone(),
    })
}

/// What the configuration file says, with the command line's listener if it has none.
fn configured(
    low: &LowArgs,
    environment: &Environment,
    tls: &UpstreamSettings,
    path: &Path,
) -> Result<(Routing, Vec<ListenerSettings>), String> {
    if low.url.is_some() || environment.url.is_some() {
        return Err("--config names the servers, so there is no place for a server's URL".to_owned());
    }
    let given = option_file(low)?;
    let password_file = low.password_file.as_deref().map(password_file).transpose()?;
    let password = password_file.or_else(|| environment.password.clone());
    let account = Account {
        user: given.user,
        password: password.or(given.password),
    };
    let file = config_file::read(path, &account, tls)?;
    let listeners = match file.listeners {
        listeners if listeners.is_empty() => vec![listener(low)?],
        _ if low.listen.is_some() || low.socket.is_some() => {
            return Err(format!(
                "--listen and --socket have no place beside the [[listener]] of {}",
                path.display()
            ));
        }
        listeners => listeners,
    };
    Ok((file.routing, listeners))
}

fn option_file(low: &LowArgs) -> Result<ServerUrl, String> {
    let file = low.defaults_file.as_deref().map(option_file::read);
    Ok(file.transpose()?.unwrap_or_default())
}

fn server(low: &LowArgs, environment: &Environment, tls: &UpstreamSettings) -> Result<ServerAddress, String> {
    let url = match low.url.as_ref().or(environment.url.as_ref()) {
        Some(text) => server_url::parse(text)?,
        None => ServerUrl::default(),
    };
    let file = option_file(low)?;
    let password_file = low.password_file.as_deref().map(password_file).transpose()?;
    let password = url
        .password
        .or(password_file)
        .or_else(|| environment.password.clone())
        .or(file.password)
        .unwrap_or_default();
    Ok(ServerAddress {
        user: url.user.or(file.user).ok_or("the server's account is missing: alterego mysql://USER@host")?,
        password,
        host: url.host.or(file.host).ok_or(
            "the server is missing: alterego mysql://user@host[:port], or ALTEREGO_URL, or host in --defaults-file",
        )?,
        port: url.port.or(file.port).unwrap_or(DEFAULT_PORT),
        tls: tls.clone(),
    })
}

/// The first line of a file.
pub(crate) fn password_file(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the password file {}: {error}", path.display()))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

fn admin(low: &LowArgs, environment: &Environment) -> Result<Option<AdminSettings>, String> {
    let Some(place) = &low.admin else {
        return Ok(None);
    };
    let password = environment
        .admin_password
        .clone()
        .ok_or("--admin needs a password for its account in ALTEREGO_ADMIN_PASSWORD")?;
    Ok(Some(AdminSettings {
        bind: admin_bind(place)?,
        user: low.admin_user.clone(),
        password,
    }))
}

/// The endpoint has no encryption of its own, so it is never reachable from another machine.
fn admin_bind(place: &str) -> Result<Bind, String> {
    if let Some(path) = place.strip_prefix("unix:") {
        return if path.is_empty() {
            Err("`--admin unix:` lacks the path of the socket".to_owned())
        } else {
            Ok(Bind::Unix(path.into()))
        };
    }
    match place.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(Bind::Tcp(address)),
        Ok(address) => Err(format!(
            "`--admin {address}` can be reached from other machines; use a loopback address or unix:PATH"
        )),
        Err(_) => Err(format!(
            "`--admin {place}` is neither a loopback ADDR:PORT nor unix:PATH, for example 127.0.0.1:3308"
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn settings(args: &[&str], environment: &Environment) -> Result<Settings, String> {
        let low =
            LowArgs::try_parse_from(std::iter::once(&"alterego").chain(args)).map_err(|e| e.to_string())?;
        Settings::from_low(low, environment)
    }

    fn only_server(settings: &Settings) -> &ServerAddress {
        match &settings.servers {
            Servers::One(server) => server,
            Servers::Routed(_) => panic!("there is a configuration file"),
        }
    }

    #[test]
    fn one_argument_is_a_deployment() {
        let settings = settings(&["mysql://u:p@db"], &Environment::default()).unwrap();
        let server = only_server(&settings);
        assert_eq!(server.to_string(), "db:3306");
        assert_eq!(server.user, "u");
        assert_eq!(server.password.expose(), "p");
        let listener = &settings.listeners[0];
        assert_eq!(listener.address, "127.0.0.1:3307".parse().ok());
        assert_eq!(settings.strategy, Strategy::Auto);
        assert_eq!(settings.keep_old_table, Duration::ZERO);
        assert!(settings.admin.is_none() && listener.socket.is_none());
    }

    #[test]
    fn nearer_sources_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my.cnf");
        std::fs::write(&file, "[client]\nuser=fu\npassword=fp\nhost=fh\nport=3310\n").unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "sp\n").unwrap();
        let (file, secret) = (file.to_str().unwrap(), secret.to_str().unwrap());
        let environment = Environment {
            url: Some("mysql://eu@eh".to_owned()),
            password: Some(Secret::new("ep")),
            admin_password: None,
        };
        let check = |args: &[&str], environment: &Environment, expected: &str| {
            let settings = settings(args, environment).unwrap();
            let server = only_server(&settings);
            assert_eq!(
                format!("{}:{}@{server}", server.user, server.password.expose()),
                expected
            );
        };
        let none = Environment::default();
        check(&["--defaults-file", file], &none, "fu:fp@fh:3310");
        check(&["--defaults-file", file, "mysql://u@h"], &none, "u:fp@h:3310");
        check(
            &["--defaults-file", file, "mysql://u@h:1"],
            &environment,
            "u:ep@h:1",
        );
        check(&[], &environment, "eu:ep@eh:3306");
        check(&["--password-file", secret], &environment, "eu:sp@eh:3306");
        check(
            &["--password-file", secret, "mysql://u:p@h"],
            &environment,
            "u:p@h:3306",
        );
    }

    #[test]
    fn the_admin_endpoint_stays_at_home() {
        let check =
            |place: &str, expected: Option<Bind>| assert_eq!(admin_bind(place).ok(), expected, "{place}");
        check(
            "127.0.0.1:3308",
            Some(Bind::Tcp("127.0.0.1:3308".parse().unwrap())),
        );
        check("[::1]:0", Some(Bind::Tcp("[::1]:0".parse().unwrap())));
        check("unix:/run/a.sock", Some(Bind::Unix("/run/a.sock".into())));
        for wrong in [
            "0.0.0.0:3308",
            "10.0.0.1:1",
            "[::]:1",
            "unix:",
            "3308",
            "localhost",
        ] {
            check(wrong, None);
        }
        let error = settings(
            &["mysql://u@h", "--admin", "127.0.0.1:0"],
            &Environment::default(),
        )
        .unwrap_err();
        assert!(error.contains("ALTEREGO_ADMIN_PASSWORD"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |args: &[&str], expected: &str| {
            let error = settings(args, &Environment::default()).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert_eq!(error.lines().count(), 1);
        };
        check(&[], "account is missing");
        check(&["mysql://u@"], "malformed");
        check(&["mysql://db"], "account is missing");
        check(&["mysql://u@h", "--listen", "3307"], "--listen 3307");
        check(
            &["mysql://u@h", "--defaults-file", "/nonexistent/x"],
            "/nonexistent/x",
        );
        check(
            &["mysql://u@h", "--password-file", "/nonexistent/x"],
            "/nonexistent/x",
        );
        check(&["--config", "/nonexistent/x"], "/nonexistent/x");
        check(
            &["mysql://u@h", "--config", "/nonexistent/x"],
            "no place for a server's URL",
        );
    }

    #[test]
    fn the_file_and_the_command_line_say_where_clients_connect() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alterego.toml");
        let group = "[[group]]\nname = 'g'\nuser = 'u'\n[[group.server]]\naddress = 'db'\n";
        let listeners = |text: &str, args: &[&str]| {
            std::fs::write(&file, format!("{group}{text}")).unwrap();
            let args = [&["--config", file.to_str().unwrap()], args].concat();
            let settings = settings(&args, &Environment::default());
            settings.map(|settings| settings.listeners)
        };
        let default = listeners("", &["--socket", "/s"]).unwrap();
        assert_eq!(default[0].address, "127.0.0.1:3307".parse().ok());
        assert_eq!(default[0].socket, Some("/s".into()));
        let own = "[[listener]]\nname = 'a'\naddress = '127.0.0.1:1'\n";
        assert_eq!(listeners(own, &[]).unwrap()[0].name, "a");
        assert!(
            listeners(own, &["--socket", "/s"])
                .unwrap_err()
                .contains("[[listener]]")
        );
    }
}
