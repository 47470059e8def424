//! The ordinary operations of `sqlx`.

use alterego_clients::{ALTER, blob, port, show, variable};
use anyhow::{Result, bail, ensure};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlSslMode};
use sqlx::types::BigDecimal;
use sqlx::types::chrono::{NaiveDate, NaiveDateTime};
use sqlx::{AssertSqlSafe, Connection, Executor, QueryBuilder, Row};

type Item = (
    String,
    Option<BigDecimal>,
    Option<NaiveDate>,
    Option<NaiveDateTime>,
    Option<u64>,
    Option<f64>,
    Option<Vec<u8>>,
);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(port()?)
        .username(&variable("DB_USER")?)
        .password(&variable("DB_PASSWORD")?)
        .database(&variable("DB_SCHEMA")?)
        .ssl_mode(MySqlSslMode::Disabled);
    let mut conn = MySqlConnection::connect_with(&options).await?;
    let row = conn.fetch_one("SELECT DATABASE(), 'žluťoučký 🐎 漢字'").await?;
    show(
        "text",
        (row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?),
    );

    let day = NaiveDate::from_ymd_opt(1999, 12, 31);
    let moment =
        NaiveDate::from_ymd_opt(2024, 2, 29).and_then(|day| day.and_hms_micro_opt(23, 59, 59, 999_999));
    let price: BigDecimal = "-12345678.9012".parse()?;
    let full: Item = (
        "kůň 🐎".into(),
        Some(price),
        day,
        moment,
        Some(u64::MAX),
        Some(0.1),
        Some(vec![0, 1, 255]),
    );
    let empty: Item = ("nothing".into(), None, None, None, None, None, None);
    for (name, price, day, moment, amount, ratio, data) in [full, empty] {
        let done = sqlx::query(
            "INSERT INTO item (name, price, day, moment, amount, ratio, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(name)
        .bind(price)
        .bind(day)
        .bind(moment)
        .bind(amount)
        .bind(ratio)
        .bind(data)
        .execute(&mut conn)
        .await?;
        show("inserted", (done.rows_affected(), done.last_insert_id()));
    }
    for least in 0..3 {
        let rows: Vec<Item> = sqlx::query_as(
            "SELECT name, price, day, moment, amount, ratio, data FROM item WHERE amount IS NULL OR amount >= ? ORDER BY id",
        )
        .bind(least)
        .fetch_all(&mut conn)
        .await?;
        show("rows", rows);
    }
    conn.execute("DELETE FROM item").await?;

    for (count, kept) in [(1000, false), (10, true)] {
        let mut transaction = conn.begin().await?;
        let mut insert = QueryBuilder::new("INSERT INTO item (name, amount) ");
        insert.push_values(0..count, |mut row, i| {
            row.push_bind(format!("many {i}")).push_bind(i);
        });
        show("many", insert.build().execute(&mut *transaction).await?);
        if kept {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        show(
            "left",
            sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM item")
                .fetch_one(&mut conn)
                .await?,
        );
    }
    show(
        "updated",
        conn.execute("UPDATE item SET quantity = quantity + 1 WHERE amount < 5")
            .await?,
    );
    match conn.execute("INSERT INTO item (name) VALUES ('many 1')").await {
        Err(sqlx::Error::Database(error)) => {
            let error = error.downcast::<MySqlDatabaseError>();
            show("error", (error.number(), error.code(), error.message()));
            ensure!(error.number() == 1062, "not a duplicate");
        }
        other => bail!("no duplicate: {other:?}"),
    }
    let data = blob();
    sqlx::query("INSERT INTO item (name, data) VALUES ('blob', ?)")
        .bind(&data)
        .execute(&mut conn)
        .await?;
    let back: Vec<u8> = sqlx::query_scalar("SELECT data FROM item WHERE name = 'blob'")
        .fetch_one(&mut conn)
        .await?;
    ensure!(back == data, "the blob has changed");

    show("altered", conn.execute(ALTER).await?);
    show("warnings", conn.fetch_all("SHOW WARNINGS").await?.len());
    let after = "SELECT CONCAT_WS(',', id, name, note, quantity, CRC32(data)) FROM item ORDER BY id";
    show(
        "after",
        sqlx::query_scalar::<_, String>(after)
            .fetch_all(&mut conn)
            .await?,
    );
    // A prepared one: sqlx prepares whatever goes through `query`.
    let back = String::from("ALTER TABLE item MODIFY quantity INT NOT NULL DEFAULT 0");
    show(
        "prepared alter",
        sqlx::query(AssertSqlSafe(back)).execute(&mut conn).await?,
    );
    show(
        "after",
        sqlx::query_scalar::<_, i32>("SELECT quantity FROM item")
            .fetch_all(&mut conn)
            .await?,
    );
    conn.close().await?;
    println!("done");
    Ok(())
}
