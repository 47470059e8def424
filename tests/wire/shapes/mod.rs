//! Every shape of command and reply that needs a hand: each in the main dialects, compared like the generated scripts.

mod commands;
mod files;
mod lengths;
mod results;
mod statements;
mod streams;
mod users;

use alterego_testkit::Flavor;
use anyhow::Result;

use crate::command::Command;
use crate::dialect::{DEPRECATE_EOF, Dialect, MULTI};
use crate::login::ROOT;
use crate::pair::Pair;
use crate::script::{Script, Step};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() -> Result<()> {
    shapes(Flavor::MySql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() -> Result<()> {
    shapes(Flavor::MariaDb).await
}

/// What a case does, in a dialect.
type Steps = fn(&Dialect) -> Vec<Step>;

/// A case: its name, and what it does.
type Case = (&'static str, Steps);

const ON_BOTH: &[Case] = &[
    ("results", results::results),
    ("cursors", statements::cursors),
    ("OUT parameters", statements::out_parameters),
    ("long data", statements::long_data),
    ("plain commands", commands::plain_commands),
    ("a number too high", commands::wrong_number),
    ("options", commands::options),
    ("a file of 700 packets", files::long_file),
    ("files", files::files),
    ("a prepared request for a file", files::prepared_file),
    ("session tracking", results::session_tracking),
    ("warnings of a schema change", results::warnings),
    ("killed by itself", commands::kills_itself),
    ("a half-closed connection", commands::half_closed),
    ("no binary log", streams::missing_binary_log),
    ("no clone", streams::clone_command),
];

const ON_MYSQL: &[Case] = &[
    ("commands behind a change of user", users::behind_change_of_user),
    ("optional metadata", results::optional_metadata),
    ("query attributes", results::query_attributes),
    ("caching_sha2_password, twice", users::sha2_users),
    ("sha256_password", users::sha256_user),
];

const ON_MARIADB: &[Case] = &[
    ("bulk execution", statements::bulk),
    ("the statement prepared last", statements::last_statement),
    ("cached metadata", statements::cached_metadata),
    ("mysql_native_password", users::native_user),
    ("client_ed25519", users::ed25519_user),
    ("parsec", users::parsec_user),
    ("progress", results::progress),
];

async fn shapes(flavor: Flavor) -> Result<()> {
    let pair = Pair::start(flavor).await?;
    let (own, accounts) = match flavor {
        Flavor::MySql => (ON_MYSQL, users::MYSQL_ACCOUNTS),
        Flavor::MariaDb => (ON_MARIADB, users::MARIADB_ACCOUNTS),
    };
    pair.on_both(accounts).await?;
    let mut failures = Vec::new();
    for (name, steps) in ON_BOTH.iter().chain(own) {
        for dialect in Dialect::main_ones(flavor) {
            let script = script(dialect, steps(&dialect));
            if let Err(error) = pair.same(&script).await {
                failures.push(format!("## {name}\n{error:#}"));
            }
        }
    }
    // The long ones in two dialects only: they differ in nothing but the ends of result sets.
    for eof in [0, DEPRECATE_EOF] {
        let dialect = Dialect::with(flavor, MULTI | eof, 0);
        if let Err(error) = pair.same(&script(dialect, lengths::long_packets(&dialect))).await {
            failures.push(format!("## long packets\n{error:#}"));
        }
        if let Err(error) = streams::binary_log(&pair, &dialect).await {
            failures.push(format!("## binary log\n{error:#}"));
        }
    }
    pair.none(&failures)
}

fn script(dialect: Dialect, steps: Vec<Step>) -> Script {
    Script {
        dialect,
        account: &ROOT,
        steps,
        cuts: 1,
    }
}

/// Statements sent one behind the other; then the session must still be followed.
fn texts(dialect: &Dialect, texts: &[&str]) -> Vec<Step> {
    commands(texts.iter().map(|sql| Command::query(dialect, sql)).collect())
}

fn commands(commands: Vec<Command>) -> Vec<Step> {
    vec![Step::Commands(commands), Step::Probe]
}
