//! Transactions that began before the swap: a snapshot of the time when the ghost was not full must not be read with.

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::{Rig, eventually, fill};

crate::both!(old_snapshots_are_refused_as_by_the_server);

const ROWS: u32 = 20_000;
const ALTER: &str = "ALTER TABLE t MODIFY v BIGINT";
const READ: &str = "SELECT COUNT(*) FROM t";

/// How a transaction begins, and what it may do with the table after the swap.
const BEGINNINGS: &[(&[&str], Fate)] = &[
    (&["START TRANSACTION WITH CONSISTENT SNAPSHOT"], Fate::Refused),
    (&["BEGIN", "SELECT COUNT(*) FROM other"], Fate::Refused),
    (&["SET autocommit=0", "SELECT COUNT(*) FROM other"], Fate::Refused),
    // Read by a statement that was prepared as text.
    (
        &[
            "PREPARE s FROM 'SELECT COUNT(*) FROM t'",
            "BEGIN",
            "SELECT COUNT(*) FROM other",
        ],
        Fate::Refused,
    ),
    (
        &[
            "SET @v = 'SELECT COUNT(*) FROM t'",
            "PREPARE s FROM @v",
            "BEGIN",
            "SELECT COUNT(*) FROM other",
        ],
        Fate::Refused,
    ),
    (&["PREPARE s FROM 'SELECT COUNT(*) FROM t'", "BEGIN"], Fate::Reads),
    // Nothing was read yet: the snapshot is still to come.
    (&["BEGIN"], Fate::Reads),
    (
        &[
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "BEGIN",
            "SELECT COUNT(*) FROM other",
        ],
        Fate::Reads,
    ),
    (&["SELECT COUNT(*) FROM other"], Fate::Reads),
    (
        &[
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        ],
        Fate::RefusedByMariaDb,
    ),
    (&["BEGIN", "SAVEPOINT a", "SHOW WARNINGS"], Fate::Reads),
    // Another table of the same name.
    (&["USE shop", "BEGIN", "SELECT COUNT(*) FROM other"], Fate::Reads),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// 1412, as after the server's own ALTER.
    Refused,
    /// The same on MariaDB, all rows on MySQL.
    RefusedByMariaDb,
    /// All rows.
    Reads,
}

async fn old_snapshots_are_refused_as_by_the_server(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    let mut root = rig.direct("app").await?;
    root.query_drop("CREATE DATABASE shop").await?;
    for schema in ["app", "nat", "shop"] {
        let mut root = rig.direct(schema).await?;
        root.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
            .await?;
        root.query_drop("CREATE TABLE other (id INT PRIMARY KEY)").await?;
        fill(&mut root, "t", ROWS, "n, n").await?;
    }
    // The copy cannot end while its last row is locked.
    let mut holder = rig.direct("app").await?;
    holder.query_drop("BEGIN").await?;
    holder
        .query_drop(format!("SELECT * FROM t WHERE id = {ROWS} FOR UPDATE"))
        .await?;
    let mut client = rig.client().await?;
    let alter = tokio::spawn(async move { client.query_drop(ALTER).await });
    let copying = async || {
        let migrations = rig.migrations_of("t").await?;
        Ok(migrations.iter().any(|m| m.rows_copied > 0).then_some(()))
    };
    eventually("rows are copied", copying).await?;
    let mut early = Vec::new();
    for (statements, _) in BEGINNINGS {
        early.push((
            begun(rig.client().await?, statements).await?,
            begun(rig.direct("nat").await?, statements).await?,
        ));
    }
    holder.query_drop("ROLLBACK").await?;
    alter.await??;
    rig.direct("nat")
        .await?
        .query_drop(format!("{ALTER}, ALGORITHM=COPY"))
        .await?;
    for ((mut proxied, mut native), (statements, fate)) in early.into_iter().zip(BEGINNINGS) {
        let is_prepared = statements.iter().any(|sql| sql.starts_with("PREPARE"));
        let sql = if is_prepared { "EXECUTE s" } else { READ };
        let told = [read(&mut proxied, sql).await, read(&mut native, sql).await];
        ensure!(told[0] == told[1], "{statements:?}: {told:?}");
        let expected = match fate {
            Fate::RefusedByMariaDb if flavor == Flavor::MySql => told[0] == Ok(ROWS),
            Fate::Refused | Fate::RefusedByMariaDb => {
                told[0].as_ref().is_err_and(|error| error.contains("1412"))
            }
            Fate::Reads => told[0] == Ok(ROWS),
        };
        ensure!(expected, "{statements:?}: {told:?}");
        let errors = [errors(&mut proxied).await?, errors(&mut native).await?];
        ensure!(errors[0] == errors[1], "{statements:?}: {errors:?} errors");
        // In SERIALIZABLE, MariaDB minds every row that is newer than the snapshot (1020), with and without a swap.
        if *fate == Fate::RefusedByMariaDb {
            continue;
        }
        // The transaction itself goes on.
        proxied.query_drop("SELECT COUNT(*) FROM other").await?;
        proxied.query_drop("INSERT INTO t VALUES (0, 0)").await?;
        proxied.query_drop("ROLLBACK").await?;
        proxied.query_drop("DELETE FROM t WHERE id = 0").await?;
        proxied.query_drop("COMMIT").await?;
        ensure!(
            read(&mut proxied, sql).await == Ok(ROWS),
            "{statements:?}: refused for ever"
        );
    }
    Ok(())
}

async fn begun(mut conn: Conn, statements: &'static [&str]) -> Result<Conn> {
    for statement in statements {
        conn.query_drop(*statement).await.context(*statement)?;
    }
    Ok(conn)
}

/// How many errors the session says the last statement had.
async fn errors(conn: &mut Conn) -> Result<Option<u64>> {
    Ok(conn.query_first("SELECT @@error_count").await?)
}

/// The number of rows, or the error in the server's words.
async fn read(conn: &mut Conn, sql: &str) -> Result<u32, String> {
    let count: Result<Option<u32>, _> = conn.query_first(sql).await;
    count
        .map(Option::unwrap_or_default)
        .map_err(|error| error.to_string())
}
