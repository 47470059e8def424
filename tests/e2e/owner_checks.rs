//! SQL checks of the owner's: they agree, or the table stays as it was.

use std::sync::Arc;

use alterego_testkit::{Flavor, Options};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;

use crate::support::{Migration, Outcome, Rig, Writers, fill, nothing_left, run};

crate::both!(
    checks_that_agree_let_the_change_pass,
    a_check_that_differs_ends_the_change,
    what_is_no_check_is_refused_before_anything_begins,
    the_configuration_has_checks_too,
    both_tables_are_read_at_one_moment,
);

/// The error of a check.
const CHECK: u16 = 1644;
const ROWS: u32 = 2_000;

async fn prepare(flavor: Flavor, args: &[&str]) -> Result<Rig> {
    let rig = Rig::with(flavor, &Options::relaxed(), args, &[]).await?;
    for schema in ["app", "nat"] {
        let mut root = rig.direct(schema).await?;
        root.query_drop(
            "CREATE TABLE t (id INT PRIMARY KEY, balance DECIMAL(12,2) NOT NULL, currency CHAR(3), d DOUBLE, KEY (currency))",
        )
        .await?;
        let columns = "n, n / 4, IF(n % 3, 'EUR', 'USD'), n / 7";
        fill(&mut root, "t", ROWS, columns).await?;
    }
    Ok(rig)
}

/// Runs `clauses` with a check in a comment.
async fn alter(rig: &Rig, clauses: &str, check: &str) -> Result<Outcome> {
    let sql = format!("ALTER TABLE t {clauses} /*alterego check=\"{check}\" */");
    run(&mut rig.client().await?, &sql).await
}

/// The last migration, of `count`.
async fn last(rig: &Rig, count: usize) -> Result<Migration> {
    let migrations = rig.migrations_of("t").await?;
    ensure!(migrations.len() == count, "{migrations:?}");
    let last = migrations.into_iter().max_by_key(|migration| migration.id);
    last.ok_or_else(|| anyhow::anyhow!("no migration"))
}

async fn checks_that_agree_let_the_change_pass(flavor: Flavor) -> Result<()> {
    let rig = prepare(flavor, &[]).await?;
    let changes = [
        (
            "MODIFY balance DECIMAL(20,4) NOT NULL",
            "SELECT SUM(balance), COUNT(*), MIN(balance) FROM {table}",
        ),
        (
            "MODIFY d DOUBLE NOT NULL",
            "SELECT SUM(d), AVG(d) FROM {table} WHERE currency <> 'USD'",
        ),
        (
            "CHANGE balance amount DECIMAL(20,6) NOT NULL",
            "SELECT SUM(balance * 2) FROM {table}",
        ),
        (
            "MODIFY amount DOUBLE NOT NULL",
            "SELECT currency, COUNT(*) FROM {table} GROUP BY currency",
        ),
        // Names are the source's, whatever becomes of them.
        (
            "CHANGE d currency DOUBLE, CHANGE currency d CHAR(4)",
            "SELECT SUM(d), MAX(currency) FROM {table}",
        ),
        // The server could do it at once, but not with a check.
        (
            "ADD COLUMN later INT",
            "SELECT BIT_XOR(CRC32(CONCAT(id, ':', amount))) FROM {table}",
        ),
    ];
    for (done, (clauses, check)) in changes.into_iter().enumerate() {
        let outcome = alter(&rig, clauses, check).await?;
        ensure!(
            outcome.code().is_none(),
            "{clauses}: {outcome:?}\n{}",
            rig.proxy.log()
        );
        let migration = last(&rig, done + 1).await?;
        ensure!(migration.succeeded(), "{migration:?}");
        rig.direct("nat")
            .await?
            .query_drop(format!("ALTER TABLE t {clauses}"))
            .await?;
        rig.tables_are_equal("t").await?;
    }
    let log = rig.proxy.log();
    ensure!(
        log.matches("the owner's checks agree").count() == changes.len(),
        "{log}"
    );
    Ok(())
}

/// The change itself is legitimate: rounding. The owner does not want it.
async fn a_check_that_differs_ends_the_change(flavor: Flavor) -> Result<()> {
    let rig = prepare(flavor, &[]).await?;
    let check = "SELECT SUM(balance) FROM {table}";
    let outcome = alter(&rig, "MODIFY balance DECIMAL(12,0) NOT NULL", check).await?;
    ensure!(outcome.code() == Some(CHECK), "{outcome:?}\n{}", rig.proxy.log());
    let Outcome::Err { state, message, .. } = &outcome else {
        anyhow::bail!("{outcome:?}");
    };
    ensure!(state == "45000" && message.contains(check), "{outcome:?}");
    // Who may alter a table need not be allowed to read it.
    ensure!(!message.contains("500250"), "{outcome:?}");
    let log = rig.proxy.log();
    ensure!(log.contains("before=\"500250\""), "{log}");
    rig.tables_are_equal("t").await?;
    nothing_left(&mut rig.direct("").await?).await?;
    let migration = last(&rig, 1).await?;
    let told = migration.message.unwrap_or_default();
    ensure!(
        migration.phase == "failed" && told.contains(check),
        "{} {told}",
        migration.phase
    );
    // Without the check it is done, as the server does it.
    let (ours, native) = rig
        .both_ways("", "ALTER TABLE t MODIFY balance DECIMAL(12,0) NOT NULL")
        .await?;
    ensure!(ours.without_warning_texts() == native.without_warning_texts());
    rig.tables_are_equal("t").await
}

async fn what_is_no_check_is_refused_before_anything_begins(flavor: Flavor) -> Result<()> {
    let rig = prepare(flavor, &[]).await?;
    let modify = "MODIFY balance DECIMAL(20,4) NOT NULL";
    for (clauses, check, expected) in [
        (modify, "SELECT SUM(balance FROM {table}", "is missing"),
        (modify, "SELECT SUM(balance) FROM mysql.user", "{table}"),
        (modify, "SELECT SLEEP(10) FROM {table}", "SLEEP"),
        (
            modify,
            "SELECT (SELECT 1 FROM {table}) FROM {table}",
            "not expected",
        ),
        (modify, "DELETE FROM {table}", "SELECT is missing"),
        (modify, "SELECT SUM(nothing) FROM {table}", "no column 'nothing'"),
        (modify, "SELECT COUNT(MIN(id)) FROM {table}", "cannot be made"),
        (
            modify,
            "SELECT currency, id FROM {table} GROUP BY currency",
            "cannot be made",
        ),
        (
            "DROP COLUMN balance, MODIFY d FLOAT",
            "SELECT SUM(balance) FROM {table}",
            "no column 'balance'",
        ),
        (
            "CHANGE balance amount DECIMAL(20,4)",
            "SELECT SUM(amount) FROM {table}",
            "no column 'amount'",
        ),
    ] {
        let outcome = alter(&rig, clauses, check).await?;
        let Outcome::Err {
            code: CHECK, message, ..
        } = &outcome
        else {
            anyhow::bail!("{check}: {outcome:?}");
        };
        ensure!(message.contains(expected), "{check}: {message}");
    }
    let more_rows = alter(&rig, modify, "SELECT id FROM {table}").await?;
    ensure!(more_rows.code() == Some(CHECK), "{more_rows:?}");
    // What else stands in the comment is not passed over.
    let sql = format!("ALTER TABLE t {modify} /*alterego chek=\"SELECT 1 FROM {{table}}\" */");
    let outcome = run(&mut rig.client().await?, &sql).await?;
    ensure!(outcome.code() == Some(CHECK), "{outcome:?}");
    // The server would make the change without the check.
    let mut root = rig.direct("app").await?;
    root.query_drop("CREATE TABLE child (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES t (id))")
        .await?;
    let outcome = alter(&rig, modify, "SELECT COUNT(*) FROM {table}").await?;
    ensure!(outcome.code() == Some(CHECK), "{outcome:?}");
    root.query_drop("DROP TABLE child").await?;
    rig.tables_are_equal("t").await?;
    nothing_left(&mut rig.direct("").await?).await
}

async fn the_configuration_has_checks_too(flavor: Flavor) -> Result<()> {
    let args = [
        "--check",
        "app.t=SELECT SUM(balance) FROM {table}",
        "--check",
        "app.other=SELECT SUM(nothing) FROM {table}",
    ];
    let rig = prepare(flavor, &args).await?;
    let refused = "ALTER TABLE t MODIFY balance DECIMAL(12,0) NOT NULL";
    let outcome = run(&mut rig.client().await?, refused).await?;
    ensure!(outcome.code() == Some(CHECK), "{outcome:?}");
    rig.tables_are_equal("t").await?;
    let (ours, native) = rig
        .both_ways("", "ALTER TABLE t MODIFY balance DECIMAL(14,2) NOT NULL")
        .await?;
    ensure!(ours == native, "{ours:?} {native:?}");
    rig.tables_are_equal("t").await
}

/// Money moves between accounts all the time, so any row that is read at another moment shows.
async fn both_tables_are_read_at_one_moment(flavor: Flavor) -> Result<()> {
    let rig = prepare(flavor, &[]).await?;
    let transfer = |writer: u64, i: u64| {
        let (from, to) = (
            1 + (writer * 997 + i * 31) % 2000,
            1 + (writer * 499 + i * 17) % 2000,
        );
        vec![
            "BEGIN".to_owned(),
            format!(
                "UPDATE app.t SET balance=balance-1, d=d+1 WHERE id={}",
                from.min(to)
            ),
            format!(
                "UPDATE app.t SET balance=balance+1, d=d-1 WHERE id={}",
                from.max(to)
            ),
            "COMMIT".to_owned(),
        ]
    };
    let writers = Writers::start(rig.client_opts("app"), 4, Arc::new(transfer)).await?;
    let check =
        "SELECT COUNT(*), SUM(balance), BIT_XOR(CRC32(CONCAT(id, ':', balance, ':', d))) FROM {table}";
    for clauses in ["MODIFY currency CHAR(4)", "MODIFY currency CHAR(5)"] {
        let outcome = alter(&rig, clauses, check).await?;
        ensure!(outcome.code().is_none(), "{outcome:?}\n{}", rig.proxy.log());
    }
    writers.finish().await?;
    let log = rig.proxy.log();
    ensure!(!log.contains("differed from their source"), "{log}");
    let mut root = rig.direct("app").await?;
    let sum: Option<String> = root.query_first("SELECT SUM(balance) FROM t").await?;
    let before: Option<String> = root.query_first("SELECT SUM(balance) FROM nat.t").await?;
    ensure!(sum == before, "{sum:?} is not {before:?}");
    Ok(())
}
