//! What a client does to its rows. Each operation says what its rows must be afterwards.

use anyhow::{Result, bail, ensure};
use mysql_async::Value;
use rand::RngExt;

use super::client::{Client, Style};
use crate::orders::{COLUMNS, Order, order_tracking, same};

/// How often a row is sought before the operation is left out.
const ATTEMPTS: u32 = 200;
/// A hot row is among so many of a client's first ones.
const HOT_ROWS: u64 = 40;

impl Client {
    /// Does one thing. One that finds no suitable row does nothing.
    pub(super) async fn operation(&mut self) -> Result<()> {
        match self.random.random_range(0..100) {
            0..14 => self.insert().await,
            14..20 => self.insert_into_gap().await,
            20..44 => self.update().await,
            44..52 => self.delete().await,
            52..60 => self.move_primary_key().await,
            60..66 => self.swap_order_numbers(2).await,
            66..70 => self.swap_order_numbers(3).await,
            70..75 => self.hand_tracking_over().await,
            75..80 => self.lock_and_add().await,
            80..95 => self.read_row().await,
            _ => self.read_range().await,
        }
    }

    async fn insert(&mut self) -> Result<()> {
        let order = self.fresh_order();
        let columns: Vec<&str> = COLUMNS.into_iter().skip(1).collect();
        let sql = insert(&self.table, &columns);
        self.write_only(&sql, order.values().split_off(1)).await?;
        let Some(id) = self.conn.last_insert_id() else {
            bail!("no id was given: {sql}")
        };
        ensure!(self.find(id).is_none(), "id {id} was given twice");
        self.given(id);
        self.now([(id, Some(Order { id, ..order }))]);
        Ok(())
    }

    async fn insert_into_gap(&mut self) -> Result<()> {
        let Some(id) = self.free_id() else { return Ok(()) };
        let order = Order {
            id,
            ..self.fresh_order()
        };
        let sql = insert(&self.table, &COLUMNS);
        self.write(&sql, order.values(), [(id, Some(order))]).await
    }

    async fn update(&mut self) -> Result<()> {
        let Some(mut order) = self.some_row() else {
            return Ok(());
        };
        let fresh = self.fresh_order();
        let columns: &[&str] = if self.random.random_bool(0.5) {
            &["status", "price", "updated_at", "note"]
        } else {
            &[
                "customer_id",
                "quantity",
                "discount",
                "updated_at",
                "email",
                "flags",
                "details",
            ]
        };
        for column in columns {
            order.take(column, &fresh);
        }
        let assignments: Vec<String> = columns.iter().map(|column| format!("{column} = ?")).collect();
        let sql = format!(
            "UPDATE {} SET {} WHERE id = ?",
            self.table,
            assignments.join(", ")
        );
        let mut values: Vec<Value> = columns.iter().filter_map(|column| order.value(column)).collect();
        values.push(Value::UInt(order.id));
        self.write(&sql, values, [(order.id, Some(order))]).await
    }

    async fn delete(&mut self) -> Result<()> {
        let Some(order) = self.some_row() else {
            return Ok(());
        };
        let sql = format!("DELETE FROM {} WHERE id = ?", self.table);
        self.write(&sql, vec![Value::UInt(order.id)], [(order.id, None)])
            .await
    }

    async fn move_primary_key(&mut self) -> Result<()> {
        let (Some(order), Some(to)) = (self.some_row(), self.free_id()) else {
            return Ok(());
        };
        let sql = format!("UPDATE {} SET id = ? WHERE id = ?", self.table);
        let values = vec![Value::UInt(to), Value::UInt(order.id)];
        self.write(
            &sql,
            values,
            [(order.id, None), (to, Some(Order { id: to, ..order }))],
        )
        .await
    }

    /// Two or more rows pass their order numbers on in a ring; each moment has only unique ones.
    async fn swap_order_numbers(&mut self, count: usize) -> Result<()> {
        let mut ring: Vec<Order> = Vec::new();
        for _ in 0..ATTEMPTS {
            if ring.len() == count {
                break;
            }
            let Some(order) = self.some_row() else {
                return Ok(());
            };
            if ring.iter().all(|other| other.id != order.id) {
                ring.push(order);
            }
        }
        if ring.len() < count {
            return Ok(());
        }
        let Some(first) = ring.first().cloned() else {
            return Ok(());
        };
        let spare = self.fresh_order_no();
        self.set_order_no(first.clone(), spare).await?;
        let mut free = first.order_no;
        for order in ring.into_iter().skip(1) {
            let given_up = order.order_no.clone();
            self.set_order_no(order, free).await?;
            free = given_up;
        }
        let Some(first) = self.find(first.id) else {
            bail!("row {} is gone", first.id)
        };
        self.set_order_no(first, free).await
    }

    async fn set_order_no(&mut self, order: Order, order_no: String) -> Result<()> {
        let sql = format!("UPDATE {} SET order_no = ? WHERE id = ?", self.table);
        let values = vec![Value::from(order_no.as_str()), Value::UInt(order.id)];
        self.write(&sql, values, [(order.id, Some(Order { order_no, ..order }))])
            .await
    }

    /// A row gives its tracking number up and another one takes it.
    async fn hand_tracking_over(&mut self) -> Result<()> {
        let (Some(from), Some(to)) = (self.some_row(), self.some_row()) else {
            return Ok(());
        };
        if from.id == to.id || from.tracking.is_none() {
            return Ok(());
        }
        let tracking = from.tracking;
        let sql = format!("UPDATE {} SET tracking = ? WHERE id = ?", self.table);
        let given_up = Order {
            tracking: None,
            ..from
        };
        self.write(
            &sql,
            vec![Value::NULL, Value::UInt(given_up.id)],
            [(given_up.id, Some(given_up))],
        )
        .await?;
        let taken = Order { tracking, ..to };
        let value = tracking.map_or(Value::NULL, |bytes| Value::Bytes(bytes.to_vec()));
        self.write(
            &sql,
            vec![value, Value::UInt(taken.id)],
            [(taken.id, Some(taken))],
        )
        .await
    }

    /// Reads a row with a lock and lets the server compute the new value.
    async fn lock_and_add(&mut self) -> Result<()> {
        let Some(order) = self.some_row() else {
            return Ok(());
        };
        let id = Value::UInt(order.id);
        let sql = format!("SELECT quantity FROM {} WHERE id = ? FOR UPDATE", self.table);
        let found = self.read(&sql, vec![id.clone()]).await?;
        let quantity = found.and_then(|row| row.first().map(text));
        ensure!(
            quantity.as_deref() == Some(order.quantity.to_string().as_str()),
            "row {} has quantity {quantity:?}, not {}",
            order.id,
            order.quantity
        );
        let sql = format!("UPDATE {} SET quantity = quantity + 1 WHERE id = ?", self.table);
        self.write(
            &sql,
            vec![id],
            [(
                order.id,
                Some(Order {
                    quantity: order.quantity + 1,
                    ..order
                }),
            )],
        )
        .await
    }

    async fn read_row(&mut self) -> Result<()> {
        let id = if self.random.random_bool(0.1) {
            self.free_id()
        } else {
            self.some_row().map(|order| order.id)
        };
        let Some(id) = id else { return Ok(()) };
        let expected = self.find(id);
        let sql = format!("SELECT {} FROM {} WHERE id = ?", COLUMNS.join(", "), self.table);
        let found = self.read(&sql, vec![Value::UInt(id)]).await?;
        let right = match (&found, &expected) {
            (None, None) => true,
            (Some(found), Some(expected)) => match self.style {
                Style::Prepared => found.iter().zip(&expected.values()).all(|(a, b)| same(a, b)),
                // Text shows floating point and dates in its own way; the other columns are enough here.
                Style::Text => [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16]
                    .iter()
                    .all(|&at| found.get(at).map(text) == expected.values().get(at).map(text)),
            },
            _ => false,
        };
        ensure!(right, "row {id} was read as {found:?}, not {expected:?}");
        Ok(())
    }

    /// Sums over a few neighbouring rows: a missing or a doubled one shows.
    async fn read_range(&mut self) -> Result<()> {
        let Some(bucket) = self.some_bucket() else {
            return Ok(());
        };
        let ids = self.layout.free_to_touch(bucket);
        let first = self.random.random_range(ids.clone());
        let last = (first + 50).min(ids.end - 1);
        let orders: Vec<Order> = (first..=last).filter_map(|id| self.find(id)).collect();
        let expected = (
            orders.len() as i64,
            orders.iter().map(|order| i64::from(order.quantity)).sum::<i64>(),
        );
        let sql = format!(
            "SELECT COUNT(*), CAST(COALESCE(SUM(quantity), 0) AS SIGNED) FROM {} WHERE id BETWEEN ? AND ?",
            self.table
        );
        let found = self
            .read(&sql, vec![Value::UInt(first), Value::UInt(last)])
            .await?;
        let found: Vec<String> = found.unwrap_or_default().iter().map(text).collect();
        ensure!(
            found == [expected.0.to_string(), expected.1.to_string()],
            "rows {first} to {last} were read as {found:?}, not {expected:?}"
        );
        Ok(())
    }

    fn some_bucket(&mut self) -> Option<u64> {
        let at = self.random.random_range(0..self.buckets.len().max(1));
        self.buckets.get(at).copied()
    }

    fn some_id(&mut self) -> Option<u64> {
        match self.random.random_range(0..4) {
            0 if !self.new_ids.is_empty() => {
                let at = self.random.random_range(0..self.new_ids.len());
                self.new_ids.get(at).copied()
            }
            1 => {
                let ids = self.layout.free_to_touch(*self.buckets.first()?);
                Some(
                    self.random
                        .random_range(ids.start..ids.end.min(ids.start + HOT_ROWS)),
                )
            }
            _ => {
                let bucket = self.some_bucket()?;
                Some(self.random.random_range(self.layout.free_to_touch(bucket)))
            }
        }
    }

    fn some_row(&mut self) -> Option<Order> {
        for _ in 0..ATTEMPTS {
            let id = self.some_id()?;
            if let Some(order) = self.find(id) {
                return Some(order);
            }
        }
        None
    }

    /// An id of this client's buckets that no row has.
    fn free_id(&mut self) -> Option<u64> {
        for _ in 0..ATTEMPTS {
            let bucket = self.some_bucket()?;
            let id = self.random.random_range(self.layout.free_to_touch(bucket));
            if self.find(id).is_none() {
                return Some(id);
            }
        }
        None
    }

    fn fresh_order_no(&mut self) -> String {
        let bucket = self.some_bucket().unwrap_or_default();
        self.serial += 1;
        // After all first values of the bucket and before its last one, and never used before.
        format!("{bucket:02}-f{:012}", self.serial)
    }

    fn fresh_order(&mut self) -> Order {
        let order_no = self.fresh_order_no();
        let random = self.random.random();
        let bucket = self.some_bucket().unwrap_or_default();
        // Above all ids: the first tracking numbers end in one.
        let tracking = (random % 4 != 0).then(|| order_tracking(bucket, random, self.serial | 1 << 62));
        Order::fresh(order_no, tracking, self.serial, random)
    }
}

fn insert(table: &str, columns: &[&str]) -> String {
    let marks = vec!["?"; columns.len()].join(", ");
    format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "))
}

/// A value as the text protocol shows it, for those that have one form only.
fn text(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}
