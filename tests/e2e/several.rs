//! A migration file sent as one text: its schema changes are carried out online, and it ends where the server would end it.

use std::sync::Arc;

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use crate::support::{DEADLINE, Rig, Writers, eventually, fill, nothing_left};

crate::both!(
    a_migration_file_under_writes,
    a_kill_ends_the_text,
    an_error_ends_the_text,
);

const ROWS: u32 = 30_000;

const FILE: &str = "-- 0042: wider; and an index
CREATE TABLE log (id INT PRIMARY KEY, what VARCHAR(30));
ALTER TABLE t MODIFY a BIGINT NOT NULL DEFAULT 7;
INSERT INTO log VALUES (1, 'it''s wider; so far'); /* more; to come */
CREATE INDEX by_b ON t (b);
UPDATE log SET what = 'it has an index';
";

async fn table(rig: &Rig, schema: &str) -> Result<Conn> {
    let mut root = rig.direct(schema).await?;
    root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, b VARCHAR(40))")
        .await?;
    Ok(root)
}

/// The table with its rows, and one in which each part that is carried out leaves a row.
async fn prepare(rig: &Rig) -> Result<Conn> {
    let mut root = table(rig, "app").await?;
    fill(&mut root, "t", ROWS, "n, n DIV 2, CONCAT('row ', n)").await?;
    root.query_drop("CREATE TABLE done (part INT PRIMARY KEY)")
        .await?;
    Ok(root)
}

/// Statements of every kind on one row, which is another one each time.
fn transaction(number: u64, count: u64) -> Vec<String> {
    let row = 1 + (number * 7919 + count * 104_729) % u64::from(ROWS);
    let added = 1_000_000 * (number + 1) + count;
    vec![
        format!("UPDATE t SET a = a + 1, b = CONCAT('by ', {number}) WHERE id = {row}"),
        "BEGIN".to_owned(),
        format!("INSERT INTO t (id, a, b) VALUES ({added}, {count}, 'added')"),
        format!("DELETE FROM t WHERE id = {}", 1 + (row + 1) % u64::from(ROWS)),
        "COMMIT".to_owned(),
    ]
}

async fn a_migration_file_under_writes(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = prepare(&rig).await?;
    let writers = Writers::start(rig.client_opts("app"), 3, Arc::new(transaction)).await?;
    let mut client = rig.client().await?;
    let sent = client.query_drop(FILE).await;
    writers.each_goes_on().await?;
    writers.finish().await?;
    sent.context("the file")?;
    let migrations = rig.migrations_of("t").await?;
    ensure!(
        migrations.len() == 2 && migrations.iter().all(|migration| migration.succeeded()),
        "{migrations:?}\n{}",
        rig.proxy.log()
    );
    ensure!(
        migrations[0].statement.ends_with("CREATE INDEX by_b ON t (b)"),
        "{migrations:?}"
    );
    let log: Vec<(u32, String)> = root.query("SELECT id, what FROM log").await?;
    ensure!(log == [(1, "it has an index".to_owned())], "{log:?}");
    // What the file does to a clone of the rows is what it did to them.
    let mut nat = table(&rig, "nat").await?;
    nat.query_drop("INSERT INTO t SELECT * FROM app.t").await?;
    nat.query_drop(FILE).await?;
    rig.tables_are_equal("t").await?;
    nothing_left(&mut root).await
}

/// Sends a text, and gives the number of the error it ends with and the parts that were carried out.
async fn ended(rig: &Rig, mut client: Conn, text: &'static str) -> Result<(Option<u16>, Vec<u32>)> {
    let code = match client.query_drop(text).await {
        Ok(()) => None,
        Err(Error::Server(error)) => Some(error.code),
        Err(error) => return Err(error.into()),
    };
    // The session goes on.
    let rows: Option<u32> = client.query_first("SELECT COUNT(*) FROM t").await?;
    ensure!(rows == Some(ROWS), "{rows:?}");
    let parts = rig.direct("app").await?.query("SELECT part FROM done").await?;
    Ok((code, parts))
}

/// The kill hits the schema change, or a statement before it, also one that does not mind on MySQL; what follows is not begun, or
/// given up.
async fn a_kill_ends_the_text(flavor: Flavor) -> Result<()> {
    const IN_THE_CHANGE: &str =
        "INSERT INTO done VALUES (1); ALTER TABLE t MODIFY a BIGINT; INSERT INTO done VALUES (2)";
    const BEFORE_IT: &str =
        "UPDATE t SET a = 5 WHERE id = 5; ALTER TABLE t MODIFY a BIGINT; INSERT INTO done VALUES (3)";
    const ASLEEP: &str = "SELECT SLEEP(600); ALTER TABLE t MODIFY a BIGINT; INSERT INTO done VALUES (4)";
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = prepare(&rig).await?;
    for text in [IN_THE_CHANGE, BEFORE_IT, ASLEEP] {
        // A row that is locked holds up the statement before the change, or the change in the midst of its copy.
        let mut blocker = rig.direct("app").await?;
        blocker.query_drop("BEGIN").await?;
        blocker
            .query_drop("UPDATE t SET b = 'locked' WHERE id = 5")
            .await?;
        let mut client = rig.client().await?;
        let id: u64 = client
            .query_first("SELECT CONNECTION_ID()")
            .await?
            .context("no id")?;
        let (text_ended, killed) =
            tokio::join!(tokio::time::timeout(DEADLINE, ended(&rig, client, text)), async {
                if text == IN_THE_CHANGE {
                    eventually("the change is under way", async || {
                        Ok((!rig.migrations_of("t").await?.is_empty()).then_some(()))
                    })
                    .await?;
                } else {
                    let waits = format!(
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} \
                         AND (info LIKE 'UPDATE%' OR info LIKE 'SELECT SLEEP%')"
                    );
                    eventually("the first statement waits", async || {
                        let waiting: Option<u32> = root.query_first(&waits).await?;
                        Ok((waiting == Some(1)).then_some(()))
                    })
                    .await?;
                }
                rig.client().await?.query_drop(format!("KILL QUERY {id}")).await?;
                anyhow::Ok(())
            });
        killed?;
        let (code, parts) = text_ended.context("it is not killed")??;
        ensure!(
            (code, &*parts) == (Some(1317), &[1][..]),
            "{text}: {code:?} {parts:?}\n{}",
            rig.proxy.log()
        );
        blocker.query_drop("ROLLBACK").await?;
    }
    let migrations = rig.migrations_of("t").await?;
    ensure!(
        !migrations.is_empty() && migrations.iter().all(|migration| migration.phase == "cancelled"),
        "{migrations:?}"
    );
    nothing_left(&mut root).await
}

/// Duplicate values for a new unique key: what was done before the change stays, what follows is not begun.
async fn an_error_ends_the_text(flavor: Flavor) -> Result<()> {
    const TEXT: &str =
        "BEGIN; INSERT INTO done VALUES (1); ALTER TABLE t ADD UNIQUE KEY u (a); INSERT INTO done VALUES (2)";
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = prepare(&rig).await?;
    let client = rig.client().await?;
    let (code, parts) = ended(&rig, client, TEXT).await?;
    ensure!((code, &*parts) == (Some(1062), &[1][..]), "{code:?} {parts:?}");
    let migrations = rig.migrations_of("t").await?;
    ensure!(
        matches!(migrations.as_slice(), [one] if !one.succeeded()),
        "{migrations:?}"
    );
    nothing_left(&mut root).await
}
