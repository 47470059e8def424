//! Changes of user, by every plugin a client may have to answer.

use super::commands;
use crate::command::{Command, LAST_STATEMENT};
use crate::dialect::Dialect;
use crate::login::{Account, ROOT, change_user_payload};
use crate::script::Step;

pub(super) const MYSQL_ACCOUNTS: &[&str] = &[
    "CREATE USER sha2@'%' IDENTIFIED WITH caching_sha2_password BY 'secret'",
    "GRANT ALL ON *.* TO sha2@'%'",
    "CREATE USER sha256@'%' IDENTIFIED WITH sha256_password BY 'secret'",
    "GRANT ALL ON *.* TO sha256@'%'",
];

pub(super) const MARIADB_ACCOUNTS: &[&str] = &[
    "INSTALL SONAME 'auth_ed25519'",
    "INSTALL SONAME 'auth_parsec'",
    "CREATE USER native@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('secret')",
    "GRANT ALL ON *.* TO native@'%'",
    "CREATE USER ed25519@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')",
    "CREATE USER parsec@'%' IDENTIFIED VIA parsec USING PASSWORD('secret')",
];

const fn account(user: &'static str, plugin: &'static str) -> Account {
    Account {
        user,
        password: "secret",
        plugin,
    }
}

static SHA2: Account = account("sha2", "caching_sha2_password");
static SHA256: Account = account("sha256", "caching_sha2_password");
static NATIVE: Account = account("native", "mysql_native_password");
static ED25519: Account = account("ed25519", "mysql_native_password");
static PARSEC: Account = account("parsec", "mysql_native_password");
static WRONG_SHA2: Account = Account {
    password: "wrong",
    ..account("sha2", "mysql_native_password")
};
static ROOT_SHA2: Account = Account {
    plugin: "caching_sha2_password",
    ..ROOT
};

/// To another user and back, with something prepared and a transaction open each time.
pub(super) fn users(dialect: &Dialect, accounts: &[&'static Account]) -> Vec<Step> {
    let mut steps = Vec::new();
    for account in accounts {
        steps.push(Step::Commands(vec![
            Command::prepare("ALTER TABLE t ADD c INT"),
            Command::query(dialect, "BEGIN"),
        ]));
        steps.push(Step::ChangeUser(account));
        steps.push(Step::Commands(vec![
            Command::query(dialect, "SELECT CURRENT_USER(), DATABASE()"),
            Command::execute(dialect, 1, false, &[]),
            Command::execute(dialect, LAST_STATEMENT, false, &[]),
            Command::query(dialect, "ALTER TABLE t COMMENT = 'by another user'"),
        ]));
        steps.push(Step::Probe);
    }
    steps
}

/// MySQL answers root, who has no password, at once, so whoever knows that may go on at once.
pub(super) fn behind_change_of_user(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("ALTER TABLE t ADD c INT"),
        Command::new("change user", change_user_payload(dialect, &ROOT_SHA2)),
        Command::query(dialect, "SELECT DATABASE()"),
        Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
        Command::query(dialect, "SELECT 1"),
        Command::execute(dialect, 1, false, &[]),
    ])
}

/// The first time in full, with the server's key; then by the server's memory; then in vain.
pub(super) fn sha2_users(dialect: &Dialect) -> Vec<Step> {
    let mut steps = vec![Step::query(dialect, "FLUSH PRIVILEGES")];
    steps.extend(users(dialect, &[&SHA2, &SHA2, &ROOT_SHA2, &ROOT, &SHA2]));
    steps.push(Step::ChangeUser(&WRONG_SHA2));
    steps.push(Step::query(dialect, "SELECT 1"));
    steps
}

pub(super) fn sha256_user(dialect: &Dialect) -> Vec<Step> {
    users(dialect, &[&SHA256, &ROOT, &SHA256])
}

pub(super) fn native_user(dialect: &Dialect) -> Vec<Step> {
    users(dialect, &[&NATIVE, &ROOT, &NATIVE])
}

pub(super) fn ed25519_user(dialect: &Dialect) -> Vec<Step> {
    vec![Step::ChangeUser(&ED25519), Step::query(dialect, "SELECT 1")]
}

pub(super) fn parsec_user(dialect: &Dialect) -> Vec<Step> {
    vec![Step::ChangeUser(&PARSEC), Step::query(dialect, "SELECT 1")]
}
