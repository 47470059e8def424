//! One row of `orders`.

use mysql_async::Value;

use super::COLUMNS;

const STATUS: [&str; 5] = ["new", "paid", "packed", "shipped", "returned"];
const FLAGS: [&str; 3] = ["gift", "fragile", "express"];
const NOTES: [&str; 4] = [
    "leave at the door",
    "größer als erwartet",
    "☎ vorher — 電話してください",
    "it's \\ \"quoted\"\n😀",
];

/// One row, as the workload believes it to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// `id`, the primary key.
    pub id: u64,
    /// `order_no`, unique; begins with the bucket.
    pub order_no: String,
    pub(crate) customer_id: u32,
    pub(crate) status: u8,
    /// `quantity`, the column whose type the demo changes.
    pub quantity: i32,
    pub(crate) price_cents: i64,
    pub(crate) discount: Option<f64>,
    pub(crate) weight: f32,
    pub(crate) placed_on: Day,
    /// Milliseconds of 2026; each update has a greater one.
    pub(crate) updated_ms: u64,
    pub(crate) created_on: Day,
    pub(crate) slot_minutes: Option<u16>,
    pub(crate) email: Option<String>,
    /// `tracking`, unique when not NULL; begins with the bucket.
    pub tracking: Option<[u8; 16]>,
    pub(crate) flags: u8,
    pub(crate) details: Option<String>,
    pub(crate) note: Option<String>,
}

/// A date, as year, month and day.
pub(crate) type Day = (u16, u8, u8);

/// The rows at both ends of a bucket, which are never touched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    First,
    Last,
}

impl Order {
    /// The row with this id, as it follows from the id.
    pub(crate) fn generate(id: u64, bucket: u64, edge: Option<Edge>) -> Order {
        let random = scramble(id);
        let order_no = match edge {
            Some(Edge::Last) => format!("{bucket:02}-z"),
            _ => format!("{bucket:02}-{id:010}"),
        };
        let tracking = match edge {
            Some(Edge::First) => Some(padded(bucket, 0)),
            Some(Edge::Last) => Some(padded(bucket, 0xff)),
            None => (!random.is_multiple_of(5)).then(|| tracking(bucket, scramble(random), id)),
        };
        Order {
            id,
            order_no,
            tracking,
            ..Order::filler(random)
        }
    }

    /// A row of the given unique values; everything else follows from `random`.
    pub(crate) fn fresh(order_no: String, tracking: Option<[u8; 16]>, updated_ms: u64, random: u64) -> Order {
        Order {
            order_no,
            tracking,
            updated_ms,
            ..Order::filler(random)
        }
    }

    fn filler(random: u64) -> Order {
        // Each use takes other bits, so that the columns do not follow from each other.
        let pick = |shift: u32, count: u64| (random >> shift) % count;
        let day = |shift: u32| {
            (
                2018 + pick(shift, 8) as u16,
                1 + pick(shift + 3, 12) as u8,
                1 + pick(shift + 7, 28) as u8,
            )
        };
        Order {
            id: 0,
            order_no: String::new(),
            customer_id: pick(8, 200_000) as u32,
            status: pick(3, 5) as u8,
            quantity: 1 + pick(11, 50) as i32,
            price_cents: pick(13, 10_000_000) as i64 - 500,
            discount: (pick(5, 3) == 0).then(|| pick(17, 1000) as f64 / 7.0),
            weight: pick(19, 4000) as f32 / 8.0,
            placed_on: day(21),
            updated_ms: pick(23, 1_000_000),
            created_on: day(29),
            slot_minutes: (pick(31, 4) != 0).then(|| pick(33, 1440) as u16),
            email: (pick(35, 8) != 0).then(|| format!("customer{}@example.net", pick(8, 200_000))),
            tracking: None,
            flags: pick(37, 8) as u8,
            details: (pick(39, 3) != 0).then(|| format!(r#"{{"gift": true, "lines": {}}}"#, pick(41, 20))),
            note: NOTES.get(pick(43, 9) as usize).map(|note| (*note).to_owned()),
        }
    }

    /// The row's values in the order of [`COLUMNS`](super::COLUMNS), as the binary protocol carries them.
    pub fn values(&self) -> Vec<Value> {
        let date = |(year, month, day): Day| Value::Date(year, month, day, 0, 0, 0, 0);
        vec![
            Value::UInt(self.id),
            Value::from(self.order_no.as_str()),
            Value::UInt(u64::from(self.customer_id)),
            Value::from(STATUS.get(usize::from(self.status)).copied().unwrap_or_default()),
            Value::Int(i64::from(self.quantity)),
            Value::from(decimal(self.price_cents)),
            self.discount.map_or(Value::NULL, Value::Double),
            Value::Float(self.weight),
            date(self.placed_on),
            milliseconds_of_2026(self.updated_ms),
            date(self.created_on),
            self.slot_minutes.map_or(Value::NULL, |minutes| {
                Value::Time(false, 0, (minutes / 60) as u8, (minutes % 60) as u8, 0, 0)
            }),
            Value::from(self.email.as_deref()),
            self.tracking
                .map_or(Value::NULL, |bytes| Value::Bytes(bytes.to_vec())),
            Value::from(self.flag_names()),
            Value::from(self.details.as_deref()),
            Value::from(self.note.as_deref()),
        ]
    }

    /// The value of one column.
    pub(crate) fn value(&self, column: &str) -> Option<Value> {
        let at = COLUMNS.iter().position(|name| *name == column)?;
        self.values().into_iter().nth(at)
    }

    /// Takes the value of one column over from another row. Unique columns stay as they are.
    pub(crate) fn take(&mut self, column: &str, from: &Order) {
        match column {
            "customer_id" => self.customer_id = from.customer_id,
            "status" => self.status = from.status,
            "quantity" => self.quantity = from.quantity,
            "price" => self.price_cents = from.price_cents,
            "discount" => self.discount = from.discount,
            "updated_at" => self.updated_ms = from.updated_ms,
            "email" => self.email.clone_from(&from.email),
            "flags" => self.flags = from.flags,
            "details" => self.details.clone_from(&from.details),
            "note" => self.note.clone_from(&from.note),
            other => unreachable!("no update sets {other}"),
        }
    }

    fn flag_names(&self) -> String {
        let set = FLAGS
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.flags >> bit & 1 == 1);
        set.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    }
}

/// A tracking number of the bucket that no other `serial` has.
pub(crate) fn tracking(bucket: u64, random: u64, serial: u64) -> [u8; 16] {
    let mut bytes = padded(bucket, 1);
    for (to, from) in bytes
        .iter_mut()
        .skip(1)
        .zip(random.to_be_bytes().into_iter().take(7))
    {
        // Neither the least nor the greatest byte: those are the edges'.
        *to = from.clamp(1, 0xfe);
    }
    for (to, from) in bytes.iter_mut().skip(8).zip(serial.to_be_bytes()) {
        *to = from;
    }
    bytes
}

/// A bijection that spreads consecutive numbers (the finaliser of SplitMix64).
pub(crate) fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn padded(bucket: u64, filler: u8) -> [u8; 16] {
    let mut bytes = [filler; 16];
    if let Some(first) = bytes.first_mut() {
        *first = bucket as u8;
    }
    bytes
}

fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn milliseconds_of_2026(milliseconds: u64) -> Value {
    let (seconds, millisecond) = (milliseconds / 1000, milliseconds % 1000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    Value::Date(
        2026,
        1 + (days / 28 % 12) as u8,
        1 + (days % 28) as u8,
        (hours % 24) as u8,
        (minutes % 60) as u8,
        (seconds % 60) as u8,
        (millisecond * 1000) as u32,
    )
}
