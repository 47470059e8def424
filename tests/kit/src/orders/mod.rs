//! A realistic table, `orders`: mixed column types, two secondary and two unique indexes.
//!
//! Its first rows follow from their ids alone, so a million of them need not be remembered to be known.
//!
//! *Invariant:* two clients of the workload never lock the same gap, so a deadlock or a duplicate value is
//! never the workload's own fault. The ids are cut into buckets, each bucket belongs to one client, the values
//! of both unique indexes begin with the bucket, and the first and last row of a bucket are never touched:
//! whatever gap one client locks, these rows end it.

mod fill;
mod order;

use mysql_async::Value;

pub use fill::fill;
pub use order::Order;
pub(crate) use order::tracking as order_tracking;

/// The columns, in the table's order.
pub const COLUMNS: [&str; 17] = [
    "id",
    "order_no",
    "customer_id",
    "status",
    "quantity",
    "price",
    "discount",
    "weight",
    "placed_on",
    "updated_at",
    "created_at",
    "delivery_slot",
    "email",
    "tracking",
    "flags",
    "details",
    "note",
];

/// The table's definition, to be put behind `CREATE TABLE name`.
pub const DEFINITION: &str = "(
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `order_no` varchar(24) NOT NULL,
  `customer_id` int unsigned NOT NULL,
  `status` enum('new','paid','packed','shipped','returned') NOT NULL DEFAULT 'new',
  `quantity` int NOT NULL,
  `price` decimal(12,2) NOT NULL,
  `discount` double DEFAULT NULL,
  `weight` float NOT NULL,
  `placed_on` date NOT NULL,
  `updated_at` datetime(3) NOT NULL,
  `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  `delivery_slot` time DEFAULT NULL,
  `email` varchar(120) DEFAULT NULL,
  `tracking` binary(16) DEFAULT NULL,
  `flags` set('gift','fragile','express') NOT NULL DEFAULT '',
  `details` json DEFAULT NULL,
  `note` text,
  PRIMARY KEY (`id`),
  UNIQUE KEY `order_no` (`order_no`),
  UNIQUE KEY `tracking` (`tracking`),
  KEY `customer` (`customer_id`,`placed_on`),
  KEY `status` (`status`,`updated_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

/// How many buckets the first rows are cut into.
pub(crate) const BUCKETS: u64 = 64;
/// One id in so many is free from the start: rows move into these gaps.
const HOLE_EVERY: u64 = 16;

/// Which ids the first rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    bucket_size: u64,
}

impl Layout {
    /// The smallest layout with at least `rows` rows.
    pub fn with_rows(rows: u64) -> Layout {
        let per_bucket = rows.div_ceil(BUCKETS).max(1);
        Layout {
            bucket_size: per_bucket.div_ceil(HOLE_EVERY - 1) * HOLE_EVERY,
        }
    }

    /// The highest id that the first rows may have.
    pub fn highest_id(self) -> u64 {
        self.bucket_size * BUCKETS
    }

    /// How many rows there are at first.
    pub fn rows(self) -> u64 {
        self.highest_id() / HOLE_EVERY * (HOLE_EVERY - 1)
    }

    /// The first row with this id, if there is one.
    pub fn order(self, id: u64) -> Option<Order> {
        if id == 0 || id > self.highest_id() || self.position(id) % HOLE_EVERY == HOLE_EVERY / 2 {
            return None;
        }
        let position = self.position(id);
        let edge = if position == 0 {
            Some(order::Edge::First)
        } else if position == self.bucket_size - 1 {
            Some(order::Edge::Last)
        } else {
            None
        };
        Some(Order::generate(id, self.bucket(id), edge))
    }

    pub(crate) fn bucket(self, id: u64) -> u64 {
        (id - 1) / self.bucket_size
    }

    /// The ids of a bucket that may be touched: all but the first and the last.
    pub(crate) fn free_to_touch(self, bucket: u64) -> std::ops::Range<u64> {
        let first = bucket * self.bucket_size + 1;
        first + 1..first + self.bucket_size - 1
    }

    fn position(self, id: u64) -> u64 {
        (id - 1) % self.bucket_size
    }
}

/// Whether two values are the same. A signed and an unsigned integer may be.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(signed), Value::UInt(unsigned)) | (Value::UInt(unsigned), Value::Int(signed)) => {
            u64::try_from(*signed).is_ok_and(|signed| signed == *unsigned)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_holds_at_least_the_rows_asked_for_and_not_many_more() {
        fn check(rows: u64) {
            let layout = Layout::with_rows(rows);
            let counted = (0..=layout.highest_id() + 1)
                .filter(|&id| layout.order(id).is_some())
                .count() as u64;
            assert_eq!(counted, layout.rows(), "{rows}");
            assert!(
                counted >= rows && counted < rows + BUCKETS * HOLE_EVERY,
                "{rows}: {counted}"
            );
        }
        check(1);
        check(1000);
        check(54_321);
    }

    #[test]
    fn rows_at_the_edges_of_a_bucket_have_the_least_and_the_greatest_unique_values() {
        let layout = Layout::with_rows(10_000);
        for bucket in 0..BUCKETS {
            let ids = layout.free_to_touch(bucket);
            let first = layout.order(ids.start - 1).unwrap();
            let last = layout.order(ids.end).unwrap();
            for order in ids.filter_map(|id| layout.order(id)) {
                assert!(first.order_no < order.order_no && order.order_no < last.order_no);
                let tracking = order.tracking;
                assert!(tracking.is_none() || (first.tracking < tracking && tracking < last.tracking));
            }
        }
    }
}
