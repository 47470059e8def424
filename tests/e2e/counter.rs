//! AUTO_INCREMENT, which MariaDB's ghosts are without while they are filled: whoever had it counts on as after the server's own
//! ALTER, on every kind of table that can be without it for a while, or cannot.

use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::{Failures, Rig, nothing_left};

crate::both!(tables_count_on);

/// The log's word for a ghost that keeps its counter while it is filled.
const KEPT: &str = "one statement at a time";

struct Case {
    name: &'static str,
    /// Columns and keys, with a counter `id` and a text `a`.
    columns: &'static str,
    options: &'static str,
    alter: &'static str,
    /// Whether a MariaDB ghost keeps its counter while it is filled.
    kept: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "by_primary_key",
        columns: "id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY COMMENT 'an AUTO_INCREMENT, isn''t it', a VARCHAR(20), KEY (a)",
        options: "",
        alter: "MODIFY a VARCHAR(30) FIRST",
        kept: false,
    },
    Case {
        name: "with_unique_key",
        columns: "id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), b INT AS (LENGTH(a)) STORED, UNIQUE KEY (a), KEY (b)",
        options: "COMMENT='numbers'",
        alter: "MODIFY id BIGINT AUTO_INCREMENT",
        kept: false,
    },
    Case {
        name: "secondary",
        columns: "a VARCHAR(20) PRIMARY KEY, id SMALLINT AUTO_INCREMENT, v VARCHAR(9) AS (LEFT(a, 9)), CHECK (LENGTH(a) > 2), KEY (id), KEY (v)",
        options: "ROW_FORMAT=COMPRESSED",
        alter: "CHANGE id number INT AUTO_INCREMENT AFTER v",
        kept: false,
    },
    Case {
        name: "composite",
        columns: "id INT AUTO_INCREMENT, a VARCHAR(20), p INT DEFAULT 3, PRIMARY KEY (p, a), KEY (id, p)",
        options: "AUTO_INCREMENT=5000",
        alter: "ADD COLUMN n INT NOT NULL DEFAULT 4 FIRST, ENGINE=InnoDB",
        kept: false,
    },
    Case {
        name: "lowered",
        columns: "id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20)",
        options: "AUTO_INCREMENT=5000",
        alter: "MODIFY a VARCHAR(300), AUTO_INCREMENT=1",
        kept: false,
    },
    Case {
        name: "new_unique",
        columns: "id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20)",
        options: "",
        alter: "MODIFY a VARCHAR(300), ADD UNIQUE KEY (a)",
        kept: true,
    },
    Case {
        name: "words",
        columns: "id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), FULLTEXT KEY (a)",
        options: "",
        alter: "MODIFY a VARCHAR(300)",
        kept: true,
    },
    // What such a table has to do with it is the server's secret; the ghost is built a second time.
    Case {
        name: "rows_expected",
        columns: "id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), UNIQUE KEY (a)",
        options: "MIN_ROWS=4",
        alter: "MODIFY a VARCHAR(300)",
        kept: true,
    },
    Case {
        name: "given_anew",
        columns: "id INT PRIMARY KEY, a VARCHAR(20)",
        options: "",
        alter: "MODIFY id BIGINT AUTO_INCREMENT",
        kept: true,
    },
    Case {
        name: "nearly_full",
        columns: "id TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20)",
        options: "AUTO_INCREMENT=254",
        alter: "MODIFY a VARCHAR(300)",
        kept: false,
    },
];

async fn tables_count_on(flavor: Flavor) -> Result<()> {
    let rig = Rig::start(flavor, &["--strategy", "ghost"]).await?;
    let mut failures = Failures::default();
    for case in CASES {
        let result = case.counts_on(&rig).await;
        failures.note(&rig, case.name, result);
    }
    failures.none()?;
    nothing_left(&mut rig.direct("").await?).await
}

impl Case {
    async fn counts_on(&self, rig: &Rig) -> Result<()> {
        let table = self.name;
        let (mut client, mut direct) = (rig.client().await?, rig.direct("nat").await?);
        for conn in [&mut client, &mut direct] {
            self.create(conn).await?;
        }
        let (ours, native) = rig
            .both_ways("", &format!("ALTER TABLE {table} {}", self.alter))
            .await?;
        ensure!(ours == native, "{ours:#?}\nand natively\n{native:#?}");
        let online = rig.migrations_of(table).await?;
        ensure!(
            matches!(online.as_slice(), [one] if one.phase == "done" || one.phase == "swapped"),
            "not altered online: {online:?}"
        );
        rig.tables_are_equal(table).await?;
        for conn in [&mut client, &mut direct] {
            conn.query_drop(format!("INSERT INTO {table} (a) VALUES ('the next')"))
                .await?;
        }
        rig.tables_are_equal(table).await.context("after the next row")?;
        let log = rig.proxy.log();
        let mut lines = log.lines();
        let kept = lines.any(|line| line.contains(KEPT) && line.contains(&format!("`{table}`")));
        let expected = self.kept && rig.flavor() == Flavor::MariaDb;
        ensure!(kept == expected, "it kept its counter: {kept}");
        Ok(())
    }

    /// The newest rows are gone, so that the rows do not say where to count on.
    async fn create(&self, conn: &mut Conn) -> Result<()> {
        let Case {
            name,
            columns,
            options,
            ..
        } = self;
        let rows: Vec<String> = (1..=200).map(|n| format!("({n}, 'row {n}')")).collect();
        for sql in [
            format!("CREATE TABLE {name} ({columns}) {options}"),
            format!("INSERT INTO {name} (id, a) VALUES {}", rows.join(", ")),
            format!("DELETE FROM {name} WHERE id > 190"),
        ] {
            conn.query_drop(sql).await?;
        }
        Ok(())
    }
}
