//! The ordinary operations of `diesel`, which talks through MariaDB's client library.

use alterego_clients::{ALTER, blob, show, variable};
use anyhow::{Result, bail, ensure};
use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::{sql_query, sql_types};

diesel::table! {
    item (id) {
        id -> Integer,
        name -> Varchar,
        day -> Nullable<Date>,
        moment -> Nullable<Datetime>,
        amount -> Nullable<Unsigned<Bigint>>,
        ratio -> Nullable<Double>,
        data -> Nullable<Longblob>,
        quantity -> Bigint,
    }
}

#[derive(Debug, Insertable, Queryable, Selectable)]
#[diesel(table_name = item)]
struct Item {
    name: String,
    day: Option<NaiveDate>,
    moment: Option<NaiveDateTime>,
    amount: Option<u64>,
    ratio: Option<f64>,
    data: Option<Vec<u8>>,
}

#[derive(Debug, QueryableByName)]
struct Text {
    #[diesel(sql_type = sql_types::Text)]
    #[expect(dead_code, reason = "it is printed")]
    text: String,
}

fn main() -> Result<()> {
    let (user, password) = (variable("DB_USER")?, variable("DB_PASSWORD")?);
    // The password goes into a URL.
    let password: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let url = format!(
        "mysql://{user}:{password}@127.0.0.1:{}/{}",
        variable("DB_PORT")?,
        variable("DB_SCHEMA")?
    );
    let mut conn = MysqlConnection::establish(&url)?;
    show("schema", texts(&mut conn, "SELECT DATABASE() AS text")?);
    show("unicode", texts(&mut conn, "SELECT 'žluťoučký 🐎 漢字' AS text")?);

    let moment =
        NaiveDate::from_ymd_opt(2024, 2, 29).and_then(|day| day.and_hms_micro_opt(23, 59, 59, 999_999));
    let full = Item {
        name: "kůň 🐎".to_owned(),
        day: NaiveDate::from_ymd_opt(1999, 12, 31),
        moment,
        amount: Some(u64::MAX),
        ratio: Some(0.1),
        data: Some(vec![0, 1, 255]),
    };
    let empty = Item {
        name: "nothing".to_owned(),
        day: None,
        moment: None,
        amount: None,
        ratio: None,
        data: None,
    };
    show(
        "inserted",
        diesel::insert_into(item::table)
            .values([full, empty])
            .execute(&mut conn)?,
    );
    for least in 0..3_u64 {
        let wanted = item::table.filter(item::amount.is_null().or(item::amount.ge(least)));
        show(
            "rows",
            wanted.order(item::id).select(Item::as_select()).load(&mut conn)?,
        );
    }
    diesel::delete(item::table).execute(&mut conn)?;

    for (count, kept) in [(1000, false), (10, true)] {
        let outcome = conn.transaction(|conn| {
            let rows: Vec<_> = (0..count)
                .map(|i| (item::name.eq(format!("many {i}")), item::amount.eq(i)))
                .collect();
            show(
                "many",
                diesel::insert_into(item::table).values(rows).execute(conn)?,
            );
            if kept {
                Ok(())
            } else {
                Err(Error::RollbackTransaction)
            }
        });
        show("transaction", outcome);
        show("left", item::table.count().get_result::<i64>(&mut conn)?);
    }
    let few = item::table.filter(item::amount.lt(5));
    show(
        "updated",
        diesel::update(few)
            .set(item::quantity.eq(item::quantity + 1))
            .execute(&mut conn)?,
    );
    match diesel::insert_into(item::table)
        .values(item::name.eq("many 1"))
        .execute(&mut conn)
    {
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, error)) => {
            show("error", error.message())
        }
        other => bail!("no duplicate: {other:?}"),
    }
    let data = blob();
    let row = (item::name.eq("blob"), item::data.eq(&data));
    diesel::insert_into(item::table).values(row).execute(&mut conn)?;
    let back = item::table
        .filter(item::name.eq("blob"))
        .select(item::data)
        .first::<Option<Vec<u8>>>(&mut conn)?;
    ensure!(back == Some(data), "the blob has changed");

    show("altered", sql_query(ALTER).execute(&mut conn)?);
    let after = "SELECT CONCAT_WS(',', id, name, note, quantity, CRC32(data)) AS text FROM item ORDER BY id";
    show("after", texts(&mut conn, after)?);
    show(
        "rows",
        item::table
            .order(item::id)
            .select((item::name, item::quantity))
            .load::<(String, i64)>(&mut conn)?,
    );
    println!("done");
    Ok(())
}

fn texts(conn: &mut MysqlConnection, sql: &str) -> Result<Vec<Text>> {
    Ok(sql_query(sql).load(conn)?)
}
