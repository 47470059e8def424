//! What can be typed, and what `--help` says about it.

// The documentation of a field is its help text, where brackets mean what they mean on a command line.
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;
use std::time::Duration;

use alterego_engine::owner_check::TableCheck;
use alterego_proxy::ProxyNetworks;
use clap::Parser;

use super::Strategy;
use super::check;
use super::duration;
use super::tls::{ClientMode, UpstreamMode};

const EXAMPLES: &str = "\
Examples:
  alterego mysql://migrator@db.internal:3306
      Clients connect to 127.0.0.1:3307 as they would to db.internal:3306, with their own
      accounts. The password of `migrator` comes from ALTEREGO_PASSWORD.

  alterego --defaults-file /etc/alterego.cnf --listen 0.0.0.0:3306 --keep-old-table 7d
      Everything about the server is in the option file; replaced tables stay for a week.

  ALTEREGO_ADMIN_PASSWORD=… alterego mysql://migrator@db --admin unix:/run/alterego/admin.sock
      `SHOW MIGRATIONS` also answers on a socket of its own, even while the server is down.

  alterego --config /etc/alterego.toml
      Several servers; which one a client is connected to is said by rules in the file.

Tools (see `alterego TOOL --help`):
  missing-writes URL_A URL_B                Whether a server has every transaction of another one
  diff URL_A URL_B [SCHEMA[.TABLE]]         Where the tables of two servers differ

Environment:
  ALTEREGO_URL             The server's URL, when none is typed
  ALTEREGO_PASSWORD        The password of the account in the URL
  ALTEREGO_ADMIN_PASSWORD  The password of the admin endpoint
  ALTEREGO_LOG             What is logged to stderr, for example info or alterego_engine=debug";

/// A MySQL-protocol proxy that turns a plain ALTER TABLE into an online schema change.
///
/// Clients connect to alterego instead of the server and notice no difference, except that ALTER TABLE,
/// CREATE INDEX and DROP INDEX no longer block anybody: the table is rebuilt in the background, verified and
/// swapped in, and the client is answered as the server would have answered.
#[derive(Clone, Debug, Parser)]
#[command(name = "alterego", version, after_help = EXAMPLES, after_long_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct LowArgs {
    /// The server: mysql://user[:password]@host[:port].
    ///
    /// The account is alterego's own; clients log in with theirs. A password typed here can be seen by everybody on
    /// the machine: prefer ALTEREGO_PASSWORD, --password-file or --defaults-file.
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    /// A file whose first line is the password of alterego's account.
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    pub(crate) password_file: Option<PathBuf>,

    /// A MySQL option file: user, password, host and port of [client] and [alterego].
    ///
    /// What the URL or the environment says goes before what the file says.
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    pub(crate) defaults_file: Option<PathBuf>,

    /// A file with several servers: groups of them, listeners, and rules that say which connection goes where.
    ///
    /// It takes the place of the URL. The README has an example.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) config: Option<PathBuf>,

    /// How the connections to the server are protected, named as in MySQL's clients.
    ///
    /// By default PREFERRED, or VERIFY_CA if --tls-ca is given. It holds for alterego's own connections and for those it
    /// opens for clients, whether these use TLS or not.
    #[arg(
        long,
        value_enum,
        value_name = "MODE",
        ignore_case = true,
        help_heading = "Server"
    )]
    pub(crate) upstream_ssl_mode: Option<UpstreamMode>,

    /// Certificates of the authorities that may sign the server's certificate, in PEM form.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// A certificate that alterego's own connections show to the server, in PEM form.
    ///
    /// For an account of alterego's with REQUIRE X509 or SUBJECT. It is never shown for a client.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) upstream_ssl_cert: Option<PathBuf>,

    /// That certificate's key, in PEM form.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) upstream_ssl_key: Option<PathBuf>,

    /// Tells the server by the PROXY protocol where each client comes from.
    ///
    /// For MariaDB only, with this machine in its proxy_protocol_networks: it then shows the client's address and matches
    /// accounts by it. Other servers take the header for a broken packet.
    #[arg(long, help_heading = "Server")]
    pub(crate) upstream_proxy_protocol: bool,

    /// Where clients connect; port 0 takes a free one [default: 127.0.0.1:3307].
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Clients")]
    pub(crate) listen: Option<String>,

    /// A unix socket where clients connect, too.
    #[arg(long, value_name = "PATH", help_heading = "Clients")]
    pub(crate) socket: Option<PathBuf>,

    /// Whose connections may begin with a PROXY protocol header, for example 10.2.0.0/16,localhost.
    ///
    /// None by default: whoever may send one may pass for a client from anywhere. Named and written as in MariaDB; both
    /// versions of the header are taken, and it is not required.
    #[arg(
        long,
        value_name = "NETWORKS",
        default_value = "",
        hide_default_value = true,
        help_heading = "Clients"
    )]
    pub(crate) proxy_protocol_networks: ProxyNetworks,

    /// How many clients may be connected; the next one gets error 1040, "Too many connections".
    ///
    /// By default 10000, or fewer if the process may not open as many files: each client takes two.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Clients")]
    pub(crate) max_clients: Option<u32>,

    /// How long clients may finish their transactions when alterego is asked to end.
    ///
    /// A second SIGTERM or SIGINT ends it at once.
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = duration::parse, help_heading = "Clients")]
    pub(crate) drain_timeout: Duration,

    /// Whether clients use TLS.
    #[arg(
        long,
        value_enum,
        value_name = "MODE",
        ignore_case = true,
        default_value = "PREFERRED",
        help_heading = "Clients"
    )]
    pub(crate) client_ssl_mode: ClientMode,

    /// The certificate clients are shown, in PEM form, with those of its issuers behind it.
    ///
    /// Without it alterego makes one at its first start and keeps it: in STATE_DIRECTORY, or in the folder `alterego` of
    /// XDG_STATE_HOME or ~/.local/state.
    #[arg(long, value_name = "FILE", help_heading = "Clients")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's key, in PEM form.
    #[arg(long, value_name = "FILE", help_heading = "Clients")]
    pub(crate) tls_key: Option<PathBuf>,

    /// How schema changes are carried out.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Strategy::Auto, help_heading = "Schema changes")]
    pub(crate) strategy: Strategy,

    /// How long a replaced table is kept: 0, 30s, 10m, 2h, 7d.
    ///
    /// The table stays under its own name in the schema `<schema>__old`, for a look back, and is dropped afterwards.
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = duration::parse, help_heading = "Schema changes")]
    pub(crate) keep_old_table: Duration,

    /// A check of your own that must give the same before and after a change: app.accounts=SELECT SUM(balance) FROM {table}.
    ///
    /// It is put to the table and to its altered copy before they are swapped; if the results differ, the ALTER fails and
    /// the table stays. May be given several times. The README says what a check may look like.
    #[arg(long = "check", value_name = "TABLE=SQL", value_parser = check::parse, help_heading = "Schema changes")]
    pub(crate) checks: Vec<TableCheck>,

    /// Where SHOW MIGRATIONS answers without the server: a loopback ADDR:PORT or unix:PATH.
    ///
    /// Off by default. The endpoint speaks the MySQL protocol and has one account of its own, whose password is in
    /// ALTEREGO_ADMIN_PASSWORD.
    #[arg(long, value_name = "WHERE", help_heading = "Administration")]
    pub(crate) admin: Option<String>,

    /// The account of the admin endpoint.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "admin",
        help_heading = "Administration"
    )]
    pub(crate) admin_user: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        super::LowArgs::command().debug_assert();
    }
}
