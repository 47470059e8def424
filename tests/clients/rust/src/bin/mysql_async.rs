//! The ordinary operations of `mysql_async`.

use alterego_clients::{ALTER, blob, port, show, variable};
use anyhow::{Result, bail, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, Row, TxOpts, Value, params};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port()?)
        .user(Some(variable("DB_USER")?))
        .pass(Some(variable("DB_PASSWORD")?))
        .db_name(Some(variable("DB_SCHEMA")?))
        .prefer_socket(false);
    let mut conn = Conn::new(opts).await?;
    show("schema", text(&mut conn, "SELECT DATABASE()").await?);
    show(
        "unicode",
        text(&mut conn, "SELECT 'žluťoučký 🐎 漢字', N'é'").await?,
    );

    let insert = "INSERT INTO item (name, price, day, moment, amount, ratio, data) \
                  VALUES (:name, :price, :day, :moment, :amount, :ratio, :data)";
    let full = params! {
        "name" => "kůň 🐎", "price" => "-12345678.9012", "day" => Value::Date(1999, 12, 31, 0, 0, 0, 0),
        "moment" => Value::Date(2024, 2, 29, 23, 59, 59, 999_999), "amount" => u64::MAX, "ratio" => 0.1,
        "data" => &[0_u8, 1, 255][..],
    };
    let empty = params! {
        "name" => "nothing", "price" => Value::NULL, "day" => Value::NULL, "moment" => Value::NULL,
        "amount" => Value::NULL, "ratio" => Value::NULL, "data" => Value::NULL,
    };
    for row in [full, empty] {
        conn.exec_drop(insert, row).await?;
        show("inserted", (conn.affected_rows(), conn.last_insert_id()));
    }
    let select = "SELECT * FROM item WHERE amount IS NULL OR amount >= ? ORDER BY id";
    for least in 0..3 {
        show("prepared rows", conn.exec::<Row, _, _>(select, (least,)).await?);
    }
    show("rows", text(&mut conn, "SELECT * FROM item ORDER BY id").await?);
    conn.query_drop("DELETE FROM item").await?;

    for (count, kept) in [(1000, false), (10, true)] {
        let mut transaction = conn.start_transaction(TxOpts::default()).await?;
        let rows = (0..count).map(|i| (format!("many {i}"), i));
        transaction
            .exec_batch("INSERT INTO item (name, amount) VALUES (?, ?)", rows)
            .await?;
        if kept {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        show("left", text(&mut conn, "SELECT COUNT(*) FROM item").await?);
    }
    conn.query_drop("UPDATE item SET quantity = quantity + 1 WHERE amount < 5")
        .await?;
    show("updated", (conn.affected_rows(), conn.info().into_owned()));
    match conn.query_drop("INSERT INTO item (name) VALUES ('many 1')").await {
        Err(Error::Server(error)) if error.code == 1062 => show("error", error),
        other => bail!("no duplicate: {other:?}"),
    }
    let data = blob();
    conn.exec_drop("INSERT INTO item (name, data) VALUES ('blob', ?)", (&data,))
        .await?;
    let back: Option<Vec<u8>> = conn
        .query_first("SELECT data FROM item WHERE name = 'blob'")
        .await?;
    ensure!(back.as_ref() == Some(&data), "the blob has changed");

    conn.query_drop(ALTER).await?;
    show(
        "altered",
        (
            conn.affected_rows(),
            conn.info().into_owned(),
            conn.get_warnings(),
        ),
    );
    show("warnings", text(&mut conn, "SHOW WARNINGS").await?);
    show(
        "after",
        text(
            &mut conn,
            "SELECT id, name, note, quantity, CRC32(data) FROM item ORDER BY id",
        )
        .await?,
    );
    show("columns", text(&mut conn, "SHOW COLUMNS FROM item").await?);
    show("cast", text(&mut conn, "SELECT CAST('12x' AS SIGNED)").await?);
    show("its warnings", text(&mut conn, "SHOW WARNINGS").await?);
    conn.reset().await?;
    conn.exec_drop("ALTER TABLE item MODIFY quantity INT NOT NULL DEFAULT 0", ())
        .await?;
    show("prepared alter", (conn.affected_rows(), conn.info().into_owned()));
    conn.disconnect().await?;
    println!("done");
    Ok(())
}

async fn text(conn: &mut Conn, sql: &str) -> Result<Vec<Row>> {
    Ok(conn.query(sql).await?)
}
