//! What the optimizer knows of a table is after an online ALTER what it is after the server's own.

use alterego_testkit::Flavor;
use anyhow::{Result, anyhow, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::{Rig, eventually, fill, nothing_left};

crate::both!(
    statistics_are_as_after_the_servers_own_alter,
    the_engine_has_counted
);

const ALTER: &str = "ALTER TABLE t ADD COLUMN e INT NOT NULL DEFAULT 3 FIRST, MODIFY c BIGINT, CHANGE b renamed VARCHAR(20), \
                     DROP COLUMN d, MODIFY f VARCHAR(30) CHARACTER SET latin1, DROP KEY by_c, ADD KEY by_ac (a, c)";

/// Statistics of every kind on every column.
fn collect(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MySql => &[
            "ANALYZE TABLE t UPDATE HISTOGRAM ON b, c, d, f WITH 12 BUCKETS",
            "ANALYZE TABLE t UPDATE HISTOGRAM ON a WITH 5 BUCKETS AUTO UPDATE",
        ],
        Flavor::MariaDb => &["ANALYZE TABLE t PERSISTENT FOR ALL"],
    }
}

/// One text for each thing known of `t`.
async fn known(conn: &mut Conn, flavor: Flavor) -> Result<Vec<String>> {
    let queries: &[&str] = match flavor {
        Flavor::MySql => &[
            "SELECT CONCAT(column_name, ' ', JSON_REMOVE(histogram, '$.\"last-updated\"')) \
             FROM information_schema.column_statistics WHERE schema_name=DATABASE() AND table_name='t'",
        ],
        Flavor::MariaDb => &[
            "SELECT CONCAT('rows ', cardinality) FROM mysql.table_stats WHERE db_name=DATABASE() AND table_name='t'",
            "SELECT CONCAT_WS(' ', column_name, HEX(min_value), HEX(max_value), nulls_ratio, avg_length, avg_frequency, hist_type, \
             HEX(histogram)) FROM mysql.column_stats WHERE db_name=DATABASE() AND table_name='t'",
            "SELECT CONCAT_WS(' ', index_name, prefix_arity, avg_frequency) FROM mysql.index_stats \
             WHERE db_name=DATABASE() AND table_name='t'",
        ],
    };
    let mut all = Vec::new();
    for query in queries {
        all.extend(conn.query::<String, _>(*query).await?);
    }
    all.sort();
    Ok(all)
}

async fn prepare(rig: &Rig) -> Result<()> {
    for schema in ["app", "nat"] {
        let mut root = rig.direct(schema).await?;
        root.query_drop(
            "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(20), c INT, d INT, f VARCHAR(30), u INT, \
             KEY by_a (a), KEY by_c (c), KEY by_b (b, a), UNIQUE KEY by_u (u))",
        )
        .await?;
        let columns = "n, n % 10, CONCAT('it''s \\\\ ', n % 7), n % 100, n % 1000, CONCAT('f', n % 13), n";
        fill(&mut root, "t", 3000, columns).await?;
    }
    Ok(())
}

async fn statistics_are_as_after_the_servers_own_alter(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    prepare(&rig).await?;
    for schema in ["app", "nat"] {
        let mut root = rig.direct(schema).await?;
        for sql in collect(flavor) {
            root.query_drop(*sql).await?;
        }
    }
    rig.client().await?.query_drop(ALTER).await?;
    rig.direct("nat").await?.query_drop(ALTER).await?;
    ensure!(rig.migrations().await?.len() == 1, "not altered online");
    let ours = known(&mut rig.direct("app").await?, flavor).await?;
    let native = known(&mut rig.direct("nat").await?, flavor).await?;
    ensure!(!native.is_empty(), "nothing to compare");
    ensure!(
        ours == native,
        "{}",
        rig.explain(anyhow!("{ours:#?}\nand natively\n{native:#?}"))
    );
    rig.tables_are_equal("t").await?;
    nothing_left(&mut rig.direct("").await?).await?;
    // Nothing is known any more of a table that is gone.
    let mut old = rig.direct("").await?;
    let left = match flavor {
        Flavor::MySql => {
            "SELECT COUNT(*) FROM information_schema.column_statistics WHERE schema_name LIKE 'app\\_\\_%'"
        }
        Flavor::MariaDb => {
            "SELECT COUNT(*) FROM mysql.column_stats WHERE db_name LIKE 'app\\_\\_%' OR db_name='alterego'"
        }
    };
    eventually("the statistics of the replaced table are gone", async || {
        let left: Option<u64> = old.query_first(left).await?;
        Ok((left == Some(0)).then_some(()))
    })
    .await
}

/// The storage engine has counted the rows and the values of each key when the new table takes its place.
async fn the_engine_has_counted(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &[]).await?;
    prepare(&rig).await?;
    let mut client = rig.client().await?;
    client.query_drop(ALTER).await?;
    let plan = "SELECT n_rows, (SELECT COUNT(*) FROM mysql.innodb_index_stats i WHERE i.database_name='app' AND i.table_name='t' \
                AND stat_name LIKE 'n_diff%' AND stat_value > 0) \
                FROM mysql.innodb_table_stats WHERE database_name='app' AND table_name='t'";
    let counted: Option<(u64, u64)> = rig.direct("").await?.query_first(plan).await?;
    ensure!(
        counted.is_some_and(|(rows, values)| rows.abs_diff(3000) < 300 && values >= 8),
        "the engine knows {counted:?}"
    );
    Ok(())
}
