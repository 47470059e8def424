//! Data types: how they are written, and their values.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::literal::{bytes, chance, one, some_bytes, text};

/// A type with its length and what else belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DataType {
    Int {
        bytes: u8,
        unsigned: bool,
    },
    Decimal {
        digits: u32,
        scale: u32,
        unsigned: bool,
    },
    Float {
        double: bool,
    },
    Bit {
        length: u32,
    },
    Year,
    Date,
    Time {
        fsp: u32,
    },
    DateTime {
        fsp: u32,
    },
    Timestamp {
        fsp: u32,
    },
    /// CHAR, VARCHAR and the TEXTs, which have no length.
    Text {
        word: &'static str,
        length: Option<u32>,
        set: CharSet,
    },
    /// BINARY, VARBINARY and the BLOBs.
    Bytes {
        word: &'static str,
        length: Option<u32>,
    },
    Enum {
        members: Vec<&'static str>,
        set: CharSet,
    },
    Set {
        members: Vec<&'static str>,
        set: CharSet,
    },
    Json,
}

/// A character set with a collation of its, both empty for the table's default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CharSet {
    pub(crate) name: &'static str,
    pub(crate) collation: &'static str,
}

const CHAR_SETS: &[CharSet] = &[
    CharSet {
        name: "utf8mb4",
        collation: "utf8mb4_general_ci",
    },
    CharSet {
        name: "utf8mb4",
        collation: "utf8mb4_bin",
    },
    CharSet {
        name: "utf8mb4",
        collation: "utf8mb4_unicode_ci",
    },
    CharSet {
        name: "utf8mb3",
        collation: "utf8mb3_general_ci",
    },
    CharSet {
        name: "latin1",
        collation: "latin1_swedish_ci",
    },
    CharSet {
        name: "latin1",
        collation: "latin1_bin",
    },
    CharSet {
        name: "latin1",
        collation: "latin1_german1_ci",
    },
    CharSet {
        name: "ascii",
        collation: "ascii_general_ci",
    },
    CharSet {
        name: "gbk",
        collation: "gbk_chinese_ci",
    },
    CharSet {
        name: "big5",
        collation: "big5_chinese_ci",
    },
    CharSet {
        name: "ucs2",
        collation: "ucs2_general_ci",
    },
    CharSet {
        name: "utf16",
        collation: "utf16_general_ci",
    },
    CharSet {
        name: "cp1251",
        collation: "cp1251_general_ci",
    },
];

const DEFAULT_SET: CharSet = CharSet::DEFAULT;

impl CharSet {
    /// The table's.
    pub(crate) const DEFAULT: CharSet = CharSet {
        name: "",
        collation: "",
    };

    pub(crate) fn any(rng: &mut StdRng) -> CharSet {
        if chance(rng, 45) {
            DEFAULT_SET
        } else {
            one(rng, CHAR_SETS)
        }
    }

    /// One that is named.
    pub(crate) fn named(rng: &mut StdRng) -> CharSet {
        one(rng, CHAR_SETS)
    }

    fn sql(self) -> String {
        match self.name {
            "" => String::new(),
            name => format!(" CHARACTER SET {name} COLLATE {}", self.collation),
        }
    }

    /// Characters that are in it, and what tells collations apart.
    fn repertoire(self) -> &'static [&'static str] {
        match self.name {
            "latin1" => &["a", "A", "ä", "Ö", "ß", "é", "ÿ", "z"],
            "ascii" => &["a", "A", "z", "_", "~"],
            "gbk" => &["a", "A", "中", "文", "z"],
            "big5" => &["a", "A", "中", "文", "z"],
            "cp1251" => &["a", "A", "ж", "Я", "z"],
            "ucs2" | "utf8mb3" => &["a", "A", "ä", "ß", "é", "中", "ж", "z"],
            "utf16" | "utf8mb4" => &["a", "A", "ä", "ß", "é", "中", "😀", "z"],
            _ => &["a", "A", "é", "z"],
        }
    }
}

/// Texts that mean something to conversions.
const TELLING: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "a ",
    "12",
    "12abc",
    "-1",
    "1.5",
    "1e3",
    "2024-02-29",
    "2024-02-29 12:34:56.789",
    "12:34:56",
    "0",
    "x y",
    "it's",
    "back\\slash",
    "%",
    "\"q\"",
    "true",
    "null",
    "{}",
    "[1, 2]",
    "300",
    "at row 1",
    "\t",
    "a\u{0}b",
    "y",
];

const MEMBERS: &[&str] = &["x", "y", "z", "", "it''s", "two words", "12", "A"];

impl DataType {
    /// Any type. A key needs one that it can be made of.
    pub(crate) fn any(rng: &mut StdRng) -> DataType {
        match rng.random_range(0..30) {
            0..6 => DataType::int(rng),
            6..8 => DataType::decimal(rng),
            8 => DataType::Float { double: rng.random() },
            9 => DataType::Bit {
                length: one(rng, &[1, 7, 8, 20, 63, 64]),
            },
            10 => DataType::Year,
            11 => DataType::Date,
            12 => DataType::Time {
                fsp: one(rng, &[0, 3, 6]),
            },
            13..15 => DataType::DateTime {
                fsp: one(rng, &[0, 1, 3, 6]),
            },
            15..17 => DataType::Timestamp {
                fsp: one(rng, &[0, 2, 6]),
            },
            17..22 => DataType::text(rng),
            22..25 => DataType::bytes(rng),
            25 => DataType::members(rng, false),
            26 => DataType::members(rng, true),
            27..29 => DataType::Json,
            _ => DataType::Text {
                word: "LONGTEXT",
                length: None,
                set: CharSet::any(rng),
            },
        }
    }

    pub(crate) fn int(rng: &mut StdRng) -> DataType {
        DataType::Int {
            bytes: one(rng, &[1, 2, 3, 4, 4, 8, 8]),
            unsigned: chance(rng, 40),
        }
    }

    pub(crate) fn decimal(rng: &mut StdRng) -> DataType {
        let digits = one(rng, &[1, 5, 10, 20, 65]);
        let scale = (one(rng, &[0, 2, 4, 30])).min(digits);
        DataType::Decimal {
            digits,
            scale,
            unsigned: chance(rng, 15),
        }
    }

    pub(crate) fn text(rng: &mut StdRng) -> DataType {
        let word = one(
            rng,
            &[
                "CHAR",
                "VARCHAR",
                "VARCHAR",
                "VARCHAR",
                "TINYTEXT",
                "TEXT",
                "MEDIUMTEXT",
            ],
        );
        let length = match word {
            "CHAR" => Some(one(rng, &[1, 5, 20, 60])),
            "VARCHAR" => Some(one(rng, &[1, 5, 20, 63, 64, 100, 255, 300])),
            _ => None,
        };
        DataType::Text {
            word,
            length,
            set: CharSet::any(rng),
        }
    }

    pub(crate) fn bytes(rng: &mut StdRng) -> DataType {
        let word = one(rng, &["BINARY", "VARBINARY", "VARBINARY", "TINYBLOB", "BLOB"]);
        let length = match word {
            "BINARY" => Some(one(rng, &[1, 5, 16])),
            "VARBINARY" => Some(one(rng, &[1, 5, 20, 255, 256])),
            _ => None,
        };
        DataType::Bytes { word, length }
    }

    fn members(rng: &mut StdRng, set: bool) -> DataType {
        let from = rng.random_range(0..4);
        let mut members = MEMBERS[from..from + rng.random_range(2..=4)].to_vec();
        if chance(rng, 30) {
            members.reverse();
        }
        let charset = if chance(rng, 80) {
            DEFAULT_SET
        } else {
            CharSet::any(rng)
        };
        if set {
            members.retain(|member| !member.is_empty());
            DataType::Set {
                members,
                set: charset,
            }
        } else {
            DataType::Enum {
                members,
                set: charset,
            }
        }
    }

    /// A type for a key column: one whose values differ often enough, and that rows can mostly be followed by.
    pub(crate) fn for_key(rng: &mut StdRng) -> DataType {
        match rng.random_range(0..16) {
            0..6 => DataType::Int {
                bytes: one(rng, &[2, 3, 4, 8]),
                unsigned: chance(rng, 40),
            },
            6 => DataType::Decimal {
                digits: 20,
                scale: one(rng, &[0, 4]),
                unsigned: false,
            },
            7 => DataType::Bit { length: 20 },
            8 => DataType::DateTime {
                fsp: one(rng, &[0, 6]),
            },
            9 => DataType::Timestamp {
                fsp: one(rng, &[0, 3]),
            },
            10 => DataType::Date,
            11 => DataType::Bytes {
                word: "BINARY",
                length: Some(one(rng, &[5, 16])),
            },
            12 => DataType::Bytes {
                word: "VARBINARY",
                length: Some(20),
            },
            _ => DataType::Text {
                word: one(rng, &["CHAR", "VARCHAR"]),
                length: Some(40),
                set: CharSet::any(rng),
            },
        }
    }

    /// A type the values of this one could be brought into, often without loss.
    pub(crate) fn related(&self, rng: &mut StdRng) -> DataType {
        if chance(rng, 8) {
            return DataType::any(rng);
        }
        match self {
            DataType::Int { bytes, unsigned } => match rng.random_range(0..10) {
                0..5 => DataType::Int {
                    bytes: if *bytes < 8 { 8 } else { 4 },
                    unsigned: *unsigned,
                },
                5..7 => DataType::int(rng),
                7 => DataType::Decimal {
                    digits: 20,
                    scale: one(rng, &[0, 2]),
                    unsigned: *unsigned,
                },
                8 => DataType::Text {
                    word: "VARCHAR",
                    length: Some(one(rng, &[3, 30])),
                    set: CharSet::any(rng),
                },
                _ => DataType::Float { double: true },
            },
            DataType::Decimal {
                digits,
                scale,
                unsigned,
            } => match rng.random_range(0..6) {
                0..2 => DataType::Decimal {
                    digits: (*digits + 5).min(65),
                    scale: *scale,
                    unsigned: *unsigned,
                },
                2 => DataType::Decimal {
                    digits: *digits,
                    scale: *scale / 2,
                    unsigned: *unsigned,
                },
                3 => DataType::decimal(rng),
                4 => DataType::Text {
                    word: "VARCHAR",
                    length: Some(80),
                    set: CharSet::any(rng),
                },
                _ => DataType::Int {
                    bytes: 8,
                    unsigned: false,
                },
            },
            DataType::Float { .. } => match rng.random_range(0..4) {
                0..2 => DataType::Float { double: rng.random() },
                2 => DataType::Decimal {
                    digits: 40,
                    scale: 10,
                    unsigned: false,
                },
                _ => DataType::Text {
                    word: "VARCHAR",
                    length: Some(40),
                    set: CharSet::any(rng),
                },
            },
            DataType::Bit { length } => match rng.random_range(0..4) {
                0..2 => DataType::Bit {
                    length: (*length + 9).min(64),
                },
                2 => DataType::Bit {
                    length: (*length).div_ceil(2),
                },
                _ => DataType::Int {
                    bytes: 8,
                    unsigned: true,
                },
            },
            DataType::Year => match rng.random_range(0..3) {
                0 => DataType::Int {
                    bytes: 4,
                    unsigned: false,
                },
                1 => DataType::Text {
                    word: "CHAR",
                    length: Some(4),
                    set: CharSet::any(rng),
                },
                _ => DataType::Year,
            },
            DataType::Date
            | DataType::Time { .. }
            | DataType::DateTime { .. }
            | DataType::Timestamp { .. } => match rng.random_range(0..8) {
                0..2 => DataType::DateTime {
                    fsp: one(rng, &[0, 2, 6]),
                },
                2..4 => DataType::Timestamp {
                    fsp: one(rng, &[0, 3, 6]),
                },
                4 => DataType::Date,
                5 => DataType::Time {
                    fsp: one(rng, &[0, 4]),
                },
                6 => DataType::Text {
                    word: "VARCHAR",
                    length: Some(40),
                    set: CharSet::any(rng),
                },
                _ => self.clone(),
            },
            DataType::Text { word, length, set } => match rng.random_range(0..12) {
                0..3 => DataType::Text {
                    word: "VARCHAR",
                    length: Some(length.unwrap_or(200) + 60),
                    set: *set,
                },
                3..5 => DataType::Text {
                    word,
                    length: *length,
                    set: CharSet::named(rng),
                },
                5 => DataType::Text {
                    word,
                    length: length.map(|length| length.div_ceil(2)),
                    set: *set,
                },
                6 => DataType::Text {
                    word: "TEXT",
                    length: None,
                    set: *set,
                },
                7 => DataType::Bytes {
                    word: "VARBINARY",
                    length: Some(400),
                },
                8 => DataType::Text {
                    word: "CHAR",
                    length: Some(80),
                    set: *set,
                },
                _ => DataType::text(rng),
            },
            DataType::Bytes { length, .. } => match rng.random_range(0..6) {
                0..2 => DataType::Bytes {
                    word: "VARBINARY",
                    length: Some(length.unwrap_or(250) + 10),
                },
                2 => DataType::Bytes {
                    word: "BINARY",
                    length: Some(20),
                },
                3 => DataType::Bytes {
                    word: "BLOB",
                    length: None,
                },
                4 => DataType::Text {
                    word: "VARCHAR",
                    length: Some(300),
                    set: CharSet::named(rng),
                },
                _ => DataType::bytes(rng),
            },
            DataType::Enum { members, set } | DataType::Set { members, set } => {
                let mut other = members.clone();
                match rng.random_range(0..4) {
                    0 => other.push("more"),
                    1 => other.reverse(),
                    2 => drop(other.pop().filter(|_| other.len() > 1)),
                    _ => {
                        return DataType::Text {
                            word: "VARCHAR",
                            length: Some(60),
                            set: *set,
                        };
                    }
                }
                if other.is_empty() {
                    other = members.clone();
                }
                match self {
                    DataType::Set { .. } => DataType::Set {
                        members: other,
                        set: *set,
                    },
                    _ => DataType::Enum {
                        members: other,
                        set: *set,
                    },
                }
            }
            DataType::Json => match rng.random_range(0..3) {
                0 => DataType::Text {
                    word: "LONGTEXT",
                    length: None,
                    set: CharSet {
                        name: "utf8mb4",
                        collation: "utf8mb4_bin",
                    },
                },
                _ => DataType::Json,
            },
        }
    }

    /// As it is written in a definition.
    pub(crate) fn sql(&self) -> String {
        let fsp = |word: &str, fsp: &u32| {
            if *fsp == 0 {
                word.to_owned()
            } else {
                format!("{word}({fsp})")
            }
        };
        let members = |members: &[&str]| {
            members
                .iter()
                .map(|m| format!("'{m}'"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let sign = |unsigned: &bool| if *unsigned { " UNSIGNED" } else { "" };
        match self {
            DataType::Int { bytes, unsigned } => {
                let word = match bytes {
                    1 => "TINYINT",
                    2 => "SMALLINT",
                    3 => "MEDIUMINT",
                    4 => "INT",
                    _ => "BIGINT",
                };
                format!("{word}{}", sign(unsigned))
            }
            DataType::Decimal {
                digits,
                scale,
                unsigned,
            } => format!("DECIMAL({digits},{scale}){}", sign(unsigned)),
            DataType::Float { double } => (if *double { "DOUBLE" } else { "FLOAT" }).to_owned(),
            DataType::Bit { length } => format!("BIT({length})"),
            DataType::Year => "YEAR".to_owned(),
            DataType::Date => "DATE".to_owned(),
            DataType::Time { fsp: n } => fsp("TIME", n),
            DataType::DateTime { fsp: n } => fsp("DATETIME", n),
            DataType::Timestamp { fsp: n } => fsp("TIMESTAMP", n),
            DataType::Text { word, length, set } => match length {
                Some(length) => format!("{word}({length}){}", set.sql()),
                None => format!("{word}{}", set.sql()),
            },
            DataType::Bytes { word, length } => match length {
                Some(length) => format!("{word}({length})"),
                None => (*word).to_owned(),
            },
            DataType::Enum { members: list, set } => format!("ENUM({}){}", members(list), set.sql()),
            DataType::Set { members: list, set } => format!("SET({}){}", members(list), set.sql()),
            DataType::Json => "JSON".to_owned(),
        }
    }

    /// Whether an index on it needs a prefix.
    pub(crate) fn needs_prefix(&self) -> bool {
        matches!(
            self,
            DataType::Text { length: None, .. } | DataType::Bytes { length: None, .. }
        )
    }

    /// Whether it can be indexed, and have a constant default.
    pub(crate) fn is_plain(&self) -> bool {
        !self.needs_prefix() && *self != DataType::Json
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(
            self,
            DataType::Int { .. } | DataType::Decimal { .. } | DataType::Float { .. }
        )
    }

    /// Whether it can be indexed by a prefix of five.
    pub(crate) fn is_long_text(&self) -> bool {
        matches!(self, DataType::Text { length: Some(length), .. } if *length > 10)
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, DataType::Text { .. })
    }

    /// The range of an integer type.
    fn limits(bytes: u8, unsigned: bool) -> (i128, i128) {
        let bits = u32::from(bytes) * 8;
        match unsigned {
            true => (0, (1 << bits) - 1),
            false => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        }
    }

    /// A value, at the type's edges more often than not.
    pub(crate) fn value(&self, rng: &mut StdRng) -> String {
        match self {
            DataType::Int { bytes, unsigned } => {
                let (least, most) = DataType::limits(*bytes, *unsigned);
                match rng.random_range(0..20) {
                    0 => least,
                    1 => most,
                    2 => most - 1,
                    3 => rng.random_range(least..=most),
                    4 => (-1).max(least),
                    _ => i128::from(rng.random_range(0..100)),
                }
                .to_string()
            }
            DataType::Decimal {
                digits,
                scale,
                unsigned,
            } => decimal(rng, *digits, *scale, *unsigned),
            DataType::Float { double } => {
                let edges: &[&str] = match double {
                    true => &[
                        "0",
                        "-0.0",
                        "1e308",
                        "-1e-300",
                        "0.1",
                        "123456789.125",
                        "1e17",
                        "2.5",
                        "-3.5",
                    ],
                    false => &[
                        "0",
                        "-0.0",
                        "3e38",
                        "-1e-30",
                        "0.1",
                        "12345.625",
                        "1.2345",
                        "16777216",
                        "2.5",
                    ],
                };
                (one(rng, edges)).to_owned()
            }
            DataType::Bit { length } => {
                let most = if *length == 64 {
                    u64::MAX
                } else {
                    (1 << length) - 1
                };
                match rng.random_range(0..3) {
                    0 => most,
                    1 => 0,
                    _ => rng.random_range(0..=most),
                }
                .to_string()
            }
            DataType::Year => (one(rng, &["0", "1901", "2155", "2024", "1999", "2000"])).to_owned(),
            DataType::Date => quoted(one(
                rng,
                &[
                    "1000-01-01",
                    "9999-12-31",
                    "2024-02-29",
                    "0000-00-00",
                    "2024-00-10",
                    "1970-01-01",
                    "2001-09-09",
                ],
            )),
            DataType::Time { fsp } => {
                let base: &str = one(
                    rng,
                    &[
                        "00:00:00",
                        "-838:59:59",
                        "838:59:59",
                        "12:34:56",
                        "-00:00:01",
                        "23:59:59",
                        "100:00:00",
                    ],
                );
                quoted(&with_fraction(
                    rng,
                    base,
                    if base.contains("838") { 0 } else { *fsp },
                ))
            }
            DataType::DateTime { fsp } => {
                let base: &str = one(
                    rng,
                    &[
                        "1000-01-01 00:00:00",
                        "9999-12-31 23:59:58",
                        "2024-02-29 12:34:56",
                        "0000-00-00 00:00:00",
                        "2024-03-31 02:30:00",
                        "1969-12-31 23:59:59",
                        "2038-01-19 03:14:06",
                        "2010-05-05 05:05:05",
                        "2015-06-30 23:59:59",
                    ],
                );
                quoted(&with_fraction(rng, base, *fsp))
            }
            DataType::Timestamp { fsp } => {
                let base: &str = one(
                    rng,
                    &[
                        "1970-01-02 00:00:01",
                        "2038-01-18 03:14:06",
                        "2024-02-29 12:34:56",
                        "0000-00-00 00:00:00",
                        "2024-10-27 01:30:00",
                        "2001-09-09 01:46:40",
                    ],
                );
                quoted(&with_fraction(
                    rng,
                    base,
                    if base.starts_with('0') { 0 } else { *fsp },
                ))
            }
            DataType::Text { length, set, .. } => {
                text(&DataType::some_text(rng, length.unwrap_or(150) as usize, *set))
            }
            DataType::Bytes { length, .. } => {
                let most = length.unwrap_or(150) as usize;
                let mut value = some_bytes(rng, most.min(24));
                match rng.random_range(0..5) {
                    0 => value.clear(),
                    1 => value.extend([0, 0]),
                    2 => value = vec![b' '; most.min(3)],
                    3 => value = vec![0xff; most],
                    _ => {}
                }
                value.truncate(most);
                bytes(&value)
            }
            DataType::Enum { members, .. } => quoted(one(rng, members)),
            DataType::Set { members, .. } => {
                let chosen: Vec<&str> = members.iter().copied().filter(|_| rng.random()).collect();
                quoted(&chosen.join(","))
            }
            DataType::Json => quoted(one(
                rng,
                &[
                    "{}",
                    "[]",
                    "1",
                    "-1.50",
                    "\"text\"",
                    "null",
                    "true",
                    "{\"b\": 1, \"a\": [1, 2, {\"c\": null}]}",
                    "123456789012345678901234567890",
                    "{\"n\": 1e100}",
                    "\"2024-01-01\"",
                ],
            )),
        }
    }

    /// The value of row `n`, which few other rows have.
    pub(crate) fn nth(&self, n: u64) -> String {
        match self {
            DataType::Int { bytes, unsigned } => {
                let (least, most) = DataType::limits(*bytes, *unsigned);
                let n = i128::from(n);
                // Some lie at either limit.
                match n % 16 {
                    0 => most - n / 16,
                    1 => least + n / 16,
                    _ if *bytes == 1 => n % 100,
                    _ => n * 3,
                }
                .to_string()
            }
            DataType::Decimal { scale, .. } => match scale {
                0 => (n * 7).to_string(),
                _ => format!("{}.{}", n, n % 100),
            },
            DataType::Float { .. } => format!("{n}.25"),
            DataType::Bit { length } => (n % (1 << (*length).min(40))).to_string(),
            DataType::Year => (1901 + n % 250).to_string(),
            DataType::Date => quoted(&format!(
                "{:04}-{:02}-{:02}",
                1000 + n / 336,
                n / 28 % 12 + 1,
                n % 28 + 1
            )),
            DataType::Time { .. } => {
                quoted(&format!("{:02}:{:02}:{:02}", n / 3600 % 800, n / 60 % 60, n % 60))
            }
            DataType::DateTime { fsp } | DataType::Timestamp { fsp } => {
                let moment = format!(
                    "2020-{:02}-{:02} 0{}:{:02}:{:02}",
                    n / 3600 / 280 % 12 + 1,
                    n / 3600 % 28 + 1,
                    n / 6000 % 10,
                    n / 60 % 60,
                    n % 60
                );
                quoted(&match fsp {
                    0 => moment,
                    _ => format!("{moment}.{}", n % 10),
                })
            }
            DataType::Text { length, set, .. } => {
                let letters = set.repertoire();
                let letter = letters[n as usize % letters.len()];
                let full = format!("{letter}{n}{}", ["", " ", "_x", "B"][n as usize / 3 % 4]);
                text(
                    &full
                        .chars()
                        .take(length.unwrap_or(100) as usize)
                        .collect::<String>(),
                )
            }
            DataType::Bytes { length, .. } => {
                let mut value = (n as u32).to_be_bytes().to_vec();
                value.extend([0, 0]);
                value.truncate(length.unwrap_or(100) as usize);
                bytes(&value)
            }
            DataType::Enum { members, .. } | DataType::Set { members, .. } => {
                quoted(members[n as usize % members.len()])
            }
            DataType::Json => quoted(&format!("{{\"n\": {n}}}")),
        }
    }

    fn some_text(rng: &mut StdRng, most: usize, set: CharSet) -> String {
        let mut value = String::new();
        match rng.random_range(0..10) {
            0..4 => value.push_str(one(rng, TELLING)),
            4 => value.push_str(&one(rng, set.repertoire()).repeat(most.min(300))),
            _ => {
                for _ in 0..rng.random_range(0..8) {
                    value.push_str(one(rng, set.repertoire()));
                }
            }
        }
        value.chars().take(most).collect()
    }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn with_fraction(rng: &mut StdRng, base: &str, fsp: u32) -> String {
    if fsp == 0 || base.contains("0000-00") {
        return base.to_owned();
    }
    let digits: String = (0..fsp).map(|_| one(rng, &['0', '4', '5', '9'])).collect();
    format!("{base}.{digits}")
}

fn decimal(rng: &mut StdRng, digits: u32, scale: u32, unsigned: bool) -> String {
    let whole = (digits - scale) as usize;
    let number = match rng.random_range(0..6) {
        0 => format!("{}.{}", "9".repeat(whole), "9".repeat(scale as usize)),
        1 => "0".to_owned(),
        2 => format!("0.{}5", "0".repeat(scale.saturating_sub(1) as usize)),
        _ => format!(
            "{}.{}",
            rng.random_range(0..10u32.pow(whole.min(4) as u32).max(1)),
            rng.random_range(0..100)
        ),
    };
    let number = number.trim_end_matches('.').to_owned();
    let number = if number.starts_with('.') {
        format!("0{number}")
    } else {
        number
    };
    match unsigned || chance(rng, 70) || number.is_empty() {
        true if number.is_empty() => "0".to_owned(),
        true => number,
        false => format!("-{number}"),
    }
}
