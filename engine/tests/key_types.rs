//! Every type a key column can have, on real servers: read, written as a literal, found again, ordered, and
//! recognised in the binary log whatever the format of its rows.

mod stream_kit;

use std::collections::{BTreeSet, HashSet};

use alterego_engine::key::{self, Key, KeyColumn, KeyKind, Range};
use alterego_engine::{Ident, TableName};
use alterego_testkit::{Flavor, Options};
use anyhow::{Result, ensure};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use stream_kit::{Fixture, SCHEMA, column, keys_until};

/// One type, with values in the server's order.
struct Case {
    ddl: &'static str,
    kind: KeyKind,
    charset: Option<&'static str>,
    values: &'static [&'static str],
}

fn case(
    ddl: &'static str,
    kind: KeyKind,
    charset: Option<&'static str>,
    values: &'static [&'static str],
) -> Case {
    Case {
        ddl,
        kind,
        charset,
        values,
    }
}

fn int(bytes: u8, unsigned: bool) -> KeyKind {
    KeyKind::Int { unsigned, bytes }
}

fn cases(flavor: Flavor) -> Vec<Case> {
    let text = KeyKind::Text;
    let mut cases = vec![
        case("TINYINT", int(1, false), None, &["-128", "-1", "0", "1", "127"]),
        case(
            "TINYINT UNSIGNED",
            int(1, true),
            None,
            &["0", "127", "128", "255"],
        ),
        case("SMALLINT", int(2, false), None, &["-32768", "-1", "0", "32767"]),
        case(
            "MEDIUMINT",
            int(3, false),
            None,
            &["-8388608", "-1", "0", "8388607"],
        ),
        case(
            "MEDIUMINT UNSIGNED",
            int(3, true),
            None,
            &["0", "8388608", "16777215"],
        ),
        case(
            "INT",
            int(4, false),
            None,
            &["-2147483648", "-1", "0", "2147483647"],
        ),
        case(
            "INT(6) UNSIGNED ZEROFILL",
            int(4, true),
            None,
            &["0", "7", "4294967295"],
        ),
        case(
            "BIGINT",
            int(8, false),
            None,
            &["-9223372036854775808", "-1", "0", "9223372036854775807"],
        ),
        case(
            "BIGINT UNSIGNED",
            int(8, true),
            None,
            &["0", "9223372036854775808", "18446744073709551615"],
        ),
        case(
            "DECIMAL(10,2)",
            KeyKind::Decimal,
            None,
            &["-99999999.99", "-10.5", "-9.25", "0", "0.05", "9", "10"],
        ),
        case(
            "DECIMAL(65,30)",
            KeyKind::Decimal,
            None,
            &[
                "-99999999999999999999999999999999999.999999999999999999999999999999",
                "-0.000000000000000000000000000001",
                "0",
                "1234567890123456789.5",
                "99999999999999999999999999999999999.999999999999999999999999999999",
            ],
        ),
        case("YEAR", KeyKind::Year, None, &["0", "1901", "2000", "2155"]),
        case(
            "DATE",
            KeyKind::Date,
            None,
            &[
                "'0000-00-00'",
                "'1000-01-01'",
                "'2024-00-10'",
                "'2024-02-29'",
                "'9999-12-31'",
            ],
        ),
        case(
            "TIME",
            KeyKind::Time,
            None,
            &[
                "'-838:59:59'",
                "'-00:00:01'",
                "'00:00:00'",
                "'12:00:00'",
                "'838:59:59'",
            ],
        ),
        case(
            "TIME(2)",
            KeyKind::Time,
            None,
            &["'-100:00:00.5'", "'-99:00:00'", "'-00:00:00.25'", "'00:00:00.25'"],
        ),
        case(
            "TIME(6)",
            KeyKind::Time,
            None,
            &["'-838:59:58.999999'", "'-00:00:00.000001'", "'00:00:00.000001'"],
        ),
        case(
            "DATETIME",
            KeyKind::DateTime,
            None,
            &["'0000-00-00 00:00:00'", "'2024-03-31 02:30:00'"],
        ),
        case(
            "DATETIME(3)",
            KeyKind::DateTime,
            None,
            &[
                "'2024-03-31 02:30:00'",
                "'2024-03-31 02:30:00.5'",
                "'9999-12-31 23:59:59.999'",
            ],
        ),
        case(
            "TIMESTAMP",
            KeyKind::Timestamp,
            None,
            &[
                "'0000-00-00 00:00:00'",
                "'1970-01-01 00:00:01'",
                "'2038-01-19 03:14:07'",
            ],
        ),
        case(
            "TIMESTAMP(6)",
            KeyKind::Timestamp,
            None,
            &["'2024-03-31 02:30:00.123456'", "'2038-01-19 03:14:07.999999'"],
        ),
        case(
            "BINARY(4)",
            KeyKind::Binary { length: 4 },
            None,
            &[
                "X'00000000'",
                "X'00000001'",
                "X'61000000'",
                "X'61002000'",
                "X'61200000'",
                "X'FFFFFFFF'",
            ],
        ),
        case(
            "BINARY(255)",
            KeyKind::Binary { length: 255 },
            None,
            &["X'00'", "X'61'"],
        ),
        case(
            "VARBINARY(300)",
            KeyKind::VarBinary,
            None,
            &["X''", "X'00'", "X'61'", "X'6100'", "X'6120'", "X'FF'"],
        ),
        case("BIT(1)", KeyKind::Bit, None, &["0", "1"]),
        case(
            "BIT(64)",
            KeyKind::Bit,
            None,
            &["0", "9223372036854775808", "18446744073709551615"],
        ),
        case("ENUM('z','a','m')", KeyKind::Enum, None, &["1", "2", "3"]),
        case("SET('z','a','m')", KeyKind::Set, None, &["0", "1", "2", "3", "7"]),
        case(
            "VARCHAR(20) CHARACTER SET utf8mb4",
            text,
            Some("utf8mb4"),
            &["''", "'A'", "_utf8mb4 X'C3A9'", "_utf8mb4 X'F09F9880'", "'it''s'"],
        ),
        case(
            "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            text,
            Some("utf8mb4"),
            &["'A'", "'a'"],
        ),
        case(
            "CHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci",
            text,
            Some("latin1"),
            &["''", "'A'", "_latin1 X'FC'"],
        ),
        case(
            "CHAR(80) CHARACTER SET utf8mb4",
            text,
            Some("utf8mb4"),
            &["'a '", "_utf8mb4 X'E282AC'"],
        ),
        case(
            "CHAR(10) CHARACTER SET utf16",
            text,
            Some("utf16"),
            &["'A'", "_utf16 X'00E9'", "_utf16 X'D83DDE00'"],
        ),
        case(
            "VARCHAR(10) CHARACTER SET ucs2",
            text,
            Some("ucs2"),
            &["'A'", "_ucs2 X'20AC'"],
        ),
        case(
            "VARCHAR(10) CHARACTER SET sjis COLLATE sjis_bin",
            text,
            Some("sjis"),
            &["'A'", "_sjis X'835C'"],
        ),
        case(
            "VARCHAR(10) CHARACTER SET ascii",
            text,
            Some("ascii"),
            &["'A'", "'b '"],
        ),
    ];
    if flavor == Flavor::MySql {
        cases.push(case(
            "VARCHAR(10) CHARACTER SET gb18030",
            text,
            Some("gb18030"),
            &["'A'", "_gb18030 X'8140'"],
        ));
    }
    cases
}

fn table() -> TableName {
    TableName::new(SCHEMA, "t")
}

/// The keys of `t`, in the server's order.
async fn read_keys(fixture: &mut Fixture, columns: &[KeyColumn], filter: &str) -> Result<Vec<Key>> {
    let names: Vec<Ident> = columns.iter().map(|column| column.name.clone()).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE {filter} ORDER BY {}",
        key::select_list(columns, &names, &table()),
        table(),
        key::order_by(&names, &table()),
    );
    let rows: Vec<Row> = fixture.conn.query(sql).await?;
    Ok(rows
        .into_iter()
        .map(|row| key::from_row(columns, row.unwrap()))
        .collect::<Result<_, _>>()?)
}

/// Every key is found by equality, every range holds the keys between its bounds, and Rust's order is the server's.
async fn keys_are_found(fixture: &mut Fixture, columns: &[KeyColumn]) -> Result<()> {
    let names: Vec<Ident> = columns.iter().map(|column| column.name.clone()).collect();
    let all = read_keys(fixture, columns, "1=1").await?;
    let find_all = key::keys_predicate(columns, &names, &table(), &all);
    ensure!(read_keys(fixture, columns, &find_all).await? == all);
    for (place, one) in all.iter().enumerate() {
        ensure!(key::decode(&key::encode(one))? == *one);
        let equal = key::keys_predicate(columns, &names, &table(), std::slice::from_ref(one));
        ensure!(
            read_keys(fixture, columns, &equal).await? == [one.clone()],
            "{equal}"
        );
        for last in place..all.len() {
            let range = Range {
                after: Some(one.clone()),
                through: all.get(last).cloned(),
            };
            let between = key::range_predicate(columns, &names, &table(), &range);
            let found = read_keys(fixture, columns, &between).await?;
            ensure!(found == all[place + 1..=last], "{between}: {found:?}");
        }
        for (other_place, other) in all.iter().enumerate() {
            let order = key::compare(columns, one, other);
            let expected = place.cmp(&other_place);
            let orderable = columns.iter().all(KeyColumn::orderable);
            ensure!(
                order == Some(expected) || !orderable && order.is_none(),
                "{one:?} {other:?} {order:?}"
            );
        }
    }
    Ok(())
}

/// The stream names every key the statements touch, and no other.
async fn keys_are_streamed(fixture: &mut Fixture, case: &Case) -> Result<()> {
    let columns = vec![column("k", 1, case.kind, case.charset)];
    let start = fixture.position().await?;
    let mut streamer = fixture.stream(3, columns.clone(), start).await?;
    let mut expected = HashSet::new();
    fixture.run(&["DELETE FROM t"]).await?;
    let inserts = case
        .values
        .iter()
        .map(|value| format!("INSERT INTO t VALUES ('x', {value}, 0)"));
    let last = case.values.last().unwrap();
    let moves = case
        .values
        .iter()
        .rev()
        .skip(1)
        .map(|value| format!("DELETE FROM t WHERE k={last}; UPDATE t SET k={last} WHERE k={value}"));
    let statements: Vec<String> = inserts
        .chain(["UPDATE t SET v=v+1".to_owned()])
        .chain(moves)
        .chain(["DELETE FROM t".to_owned()])
        .collect();
    for statement in statements {
        for statement in statement.split("; ") {
            expected.extend(read_keys(fixture, &columns, "1=1").await?);
            fixture.run(&[statement]).await?;
        }
        expected.extend(read_keys(fixture, &columns, "1=1").await?);
    }
    let target = fixture.position().await?;
    let seen: HashSet<Key> = keys_until(&mut streamer, &target).await?.into_iter().collect();
    ensure!(seen == expected, "seen {seen:?}, expected {expected:?}");
    Ok(())
}

/// The same checks for every type. `event` is a kind of event the log must hold at the end, so that a test of
/// compression cannot pass without any.
async fn check_types(
    flavor: Flavor,
    options: Options,
    session: &[&str],
    find: bool,
    event: &str,
) -> Result<()> {
    let mut fixture = Fixture::start(flavor, &options).await?;
    fixture.run(session).await?;
    let mut failures = BTreeSet::new();
    for case in cases(flavor) {
        let create = format!(
            "CREATE TABLE t (a VARCHAR(10), k {} NOT NULL, v INT, UNIQUE (k))",
            case.ddl
        );
        fixture.run(&["DROP TABLE IF EXISTS t", &create]).await?;
        let mut outcome = Ok(());
        if find {
            for value in case.values {
                fixture
                    .run(&[format!("INSERT INTO t VALUES ('x', {value}, 0)").as_str()])
                    .await?;
            }
            outcome = keys_are_found(&mut fixture, &[column("k", 1, case.kind, case.charset)]).await;
        }
        let outcome = match outcome {
            Ok(()) => keys_are_streamed(&mut fixture, &case).await,
            failed => failed,
        };
        if let Err(error) = outcome {
            failures.insert(format!("{}: {error:#}", case.ddl));
        }
    }
    ensure!(failures.is_empty(), "{failures:#?}");
    let events: Vec<Row> = fixture.conn.query("SHOW BINLOG EVENTS LIMIT 2000").await?;
    let kinds: BTreeSet<String> = events.iter().filter_map(|row| row.get(2)).collect();
    ensure!(kinds.contains(event), "{kinds:?}");
    Ok(())
}

#[tokio::test]
async fn mysql_types() -> Result<()> {
    check_types(Flavor::MySql, Options::relaxed(), &[], true, "Update_rows").await
}

#[tokio::test]
async fn mysql_types_minimal_and_compressed_without_gtids() -> Result<()> {
    let session = [
        "SET binlog_row_image=MINIMAL",
        "SET binlog_transaction_compression=ON",
    ];
    check_types(
        Flavor::MySql,
        Options::relaxed().without_gtid(),
        &session,
        false,
        "Transaction_payload",
    )
    .await
}

#[tokio::test]
async fn mariadb_types() -> Result<()> {
    check_types(Flavor::MariaDb, Options::relaxed(), &[], true, "Update_rows_v1").await
}

#[tokio::test]
async fn mariadb_types_minimal_and_compressed() -> Result<()> {
    let options = Options::relaxed()
        .arg("--log-bin-compress=ON")
        .arg("--log-bin-compress-min-len=10");
    check_types(
        Flavor::MariaDb,
        options,
        &["SET binlog_row_image=MINIMAL"],
        false,
        "Update_rows_compressed_v1",
    )
    .await
}

#[tokio::test]
async fn composite_keys() -> Result<()> {
    for flavor in Flavor::ALL {
        let mut fixture = Fixture::start(flavor, &Options::relaxed()).await?;
        fixture
            .run(&[
                "CREATE TABLE t (v INT, c DATETIME(3) NOT NULL, a INT NOT NULL, b VARBINARY(5) NOT NULL, PRIMARY KEY (a, b, c))",
                "INSERT INTO t SELECT 0, c, a, b FROM (SELECT -1 a UNION SELECT 0 UNION SELECT 5) x, \
                 (SELECT X'' b UNION SELECT X'00' UNION SELECT X'61') y, \
                 (SELECT '2024-01-01' c UNION SELECT '2024-01-01 00:00:00.5' UNION SELECT '9999-12-31 23:59:59.999') z",
            ])
            .await?;
        let columns = [
            stream_kit::int("a", 2),
            column("b", 3, KeyKind::VarBinary, None),
            column("c", 1, KeyKind::DateTime, None),
        ];
        keys_are_found(&mut fixture, &columns).await?;
        let start = fixture.position().await?;
        let mut streamer = fixture.stream(4, columns.to_vec(), start).await?;
        let expected: HashSet<Key> = read_keys(&mut fixture, &columns, "1=1")
            .await?
            .into_iter()
            .collect();
        fixture.run(&["UPDATE t SET v=1"]).await?;
        let target = fixture.position().await?;
        let seen: HashSet<Key> = keys_until(&mut streamer, &target).await?.into_iter().collect();
        ensure!(seen == expected);
    }
    Ok(())
}
