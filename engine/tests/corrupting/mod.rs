//! Values of every type, each with one that differs from it as little as possible.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// Makes a value and one that differs from it.
type Make = dyn Fn(&mut StdRng) -> (String, String);

/// A column and how its values are made.
pub(crate) struct Kind {
    pub(crate) column: String,
    pub(crate) definition: String,
    make: Box<Make>,
}

/// A value as it should be, and the one the ghost is given; both as SQL.
pub(crate) struct Corruption {
    pub(crate) column: String,
    pub(crate) right: String,
    pub(crate) wrong: String,
}

impl Kind {
    /// A value and a wrong one. Either is NULL now and then.
    pub(crate) fn corrupt(&self, random: &mut StdRng) -> Corruption {
        let (right, wrong) = match ((self.make)(random), random.random_range(0..12)) {
            ((right, _), 0) => (right, "NULL".to_owned()),
            ((right, _), 1) => ("NULL".to_owned(), right),
            (pair, _) => pair,
        };
        Corruption {
            column: self.column.clone(),
            right,
            wrong,
        }
    }
}

/// A column of every type the server has.
pub(crate) fn all_kinds(mariadb: bool) -> Vec<Kind> {
    let mut kinds = Kinds::default();
    kinds.numbers();
    kinds.strings();
    kinds.times();
    kinds.others(mariadb);
    kinds.0
}

#[derive(Default)]
struct Kinds(Vec<Kind>);

impl Kinds {
    fn add(&mut self, definition: &str, make: impl Fn(&mut StdRng) -> (String, String) + 'static) {
        self.0.push(Kind {
            column: format!("c{}", self.0.len()),
            definition: definition.to_owned(),
            make: Box::new(make),
        });
    }

    /// One of these pairs.
    fn listed(&mut self, definition: &str, pairs: &'static [(&'static str, &'static str)]) {
        self.add(definition, move |random| {
            let (right, wrong) = pairs[random.random_range(0..pairs.len())];
            (right.to_owned(), wrong.to_owned())
        });
    }

    fn numbers(&mut self) {
        for (name, bits) in [
            ("TINYINT", 8),
            ("SMALLINT", 16),
            ("MEDIUMINT", 24),
            ("INT", 32),
            ("BIGINT", 64),
        ] {
            self.add(name, move |random| flipped_integer(random, bits, true));
            self.add(&format!("{name} UNSIGNED"), move |random| {
                flipped_integer(random, bits, false)
            });
        }
        for bits in [1, 12, 64] {
            self.add(&format!("BIT({bits})"), move |random| {
                flipped_integer(random, bits, false)
            });
        }
        for (precision, scale) in [(65, 30), (10, 2), (5, 0), (30, 30)] {
            self.add(&format!("DECIMAL({precision},{scale})"), move |random| {
                neighbour_decimals(random, precision, scale)
            });
        }
        self.add("FLOAT", |random| {
            let bits: u32 = random.random();
            // Neither infinite nor denormal.
            let bits = (bits & 0x80ff_ffff) | (random.random_range(2..250_u32) << 23);
            let other = bits ^ one_bit([0, 1, 11, 22, 31], random) as u32;
            (
                format!("{:e}", f32::from_bits(bits)),
                format!("{:e}", f32::from_bits(other)),
            )
        });
        self.add("DOUBLE", |random| {
            let bits: u64 = random.random();
            let bits = (bits & 0x800f_ffff_ffff_ffff) | (random.random_range(2..2000_u64) << 52);
            let other = bits ^ one_bit([0, 1, 20, 51, 63], random);
            (
                format!("{:e}", f64::from_bits(bits)),
                format!("{:e}", f64::from_bits(other)),
            )
        });
        const ZEROS: &[(&str, &str)] = &[
            ("0e0", "-0e0"),
            ("-0e0", "0e0"),
            ("0e0", "1e-37"),
            ("-0e0", "NULL"),
        ];
        self.listed("FLOAT", ZEROS);
        self.listed("DOUBLE", ZEROS);
        self.listed(
            "YEAR",
            &[("2024", "2025"), ("0", "2000"), ("1901", "2155"), ("0", "NULL")],
        );
    }

    fn strings(&mut self) {
        let collations = [
            "latin1 COLLATE latin1_swedish_ci",
            "utf8mb4 COLLATE utf8mb4_general_ci",
            "utf8mb4 COLLATE utf8mb4_unicode_ci",
            "utf8mb4 COLLATE utf8mb4_bin",
            "ucs2 COLLATE ucs2_general_ci",
            "gbk COLLATE gbk_chinese_ci",
            "ascii COLLATE ascii_general_ci",
        ];
        for collation in collations {
            for base in ["CHAR(30)", "VARCHAR(30)", "TEXT"] {
                let (ascii, padded) = (collation.contains("ascii"), base.starts_with("CHAR"));
                let accents = !ascii && !collation.contains("gbk");
                self.add(&format!("{base} CHARACTER SET {collation}"), move |random| {
                    neighbour_texts(random, accents, padded)
                });
            }
        }
        self.add("BINARY(8)", |random| {
            let bytes: [u8; 8] = random.random();
            (hex(&bytes), hex(&flipped(random, &bytes)))
        });
        for definition in ["VARBINARY(40)", "TINYBLOB", "BLOB", "LONGBLOB"] {
            self.add(definition, neighbour_bytes);
        }
        self.listed(
            "ENUM('','a','B')",
            &[
                ("'a'", "'B'"),
                ("''", "0"),
                ("'a'", "0"),
                ("'a'", "''"),
                ("''", "NULL"),
            ],
        );
        self.listed(
            "SET('x','y','z')",
            &[
                ("'x'", "'x,y'"),
                ("''", "'x'"),
                ("'x,z'", "'x,y'"),
                ("''", "NULL"),
            ],
        );
    }

    fn times(&mut self) {
        self.listed(
            "DATE",
            &[
                ("'2024-02-29'", "'2024-02-28'"),
                ("'0000-00-00'", "'0001-01-01'"),
                ("'2024-00-00'", "'2024-01-00'"),
                ("'0000-00-00'", "NULL"),
            ],
        );
        self.listed(
            "TIME(6)",
            &[
                ("'00:00:00'", "'00:00:00.000001'"),
                ("'-00:00:01'", "'00:00:01'"),
                ("'838:59:58.999999'", "'838:59:59'"),
                ("'00:00:00'", "NULL"),
            ],
        );
        self.listed(
            "DATETIME(6)",
            &[
                ("'2024-10-27 02:30:00'", "'2024-10-27 02:30:00.000001'"),
                ("'2024-12-31 23:59:59.999999'", "'2025-01-01'"),
                ("'0000-00-00'", "NULL"),
                ("'0000-00-00'", "'0000-00-00 00:00:01'"),
            ],
        );
        self.listed(
            "TIMESTAMP(6) NULL DEFAULT NULL",
            &[
                ("'2024-10-27 00:30:00'", "'2024-10-27 01:30:00'"),
                ("'1970-01-01 00:00:01'", "'1970-01-01 00:00:01.000001'"),
                ("'0000-00-00'", "NULL"),
                ("'2038-01-19 03:14:07'", "'2038-01-19 03:14:06.999999'"),
            ],
        );
    }

    fn others(&mut self, mariadb: bool) {
        self.listed(
            "JSON",
            &[
                ("'{\"a\": 1}'", "'{\"a\": 1.0}'"),
                ("'{\"a\": 1}'", "'{\"A\": 1}'"),
                ("'{\"a\": 1}'", "'{\"a\": \"1\"}'"),
                ("'[1, 2]'", "'[2, 1]'"),
                ("'true'", "'1'"),
                ("'null'", "NULL"),
                ("'\"\"'", "'\" \"'"),
                ("'\"e\"'", "'\"é\"'"),
                ("'[]'", "'{}'"),
            ],
        );
        self.listed(
            "GEOMETRY",
            &[
                (
                    "ST_GeomFromText('POINT(1 2)')",
                    "ST_GeomFromText('POINT(1 2.0000000000000004)')",
                ),
                ("ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(2 1)')"),
                (
                    "ST_GeomFromText('POINT(1 2)')",
                    "ST_GeomFromText('POINT(1 2)', 4326)",
                ),
                (
                    "ST_GeomFromText('LINESTRING(0 0,1 1)')",
                    "ST_GeomFromText('LINESTRING(1 1,0 0)')",
                ),
                ("ST_GeomFromText('POINT(0 0)')", "ST_GeomFromText('POINT(0 -0)')"),
            ],
        );
        let vector = if mariadb { "VEC_FromText" } else { "TO_VECTOR" };
        self.add("VECTOR(2)", move |random| {
            let of = |second: &str| format!("{vector}('[1,{second}]')");
            let pairs = [
                ("2", "2.0000002"),
                ("2", "-2"),
                ("1e-30", "0"),
                ("-0.5", "-0.50000006"),
            ];
            let (right, wrong) = pairs[random.random_range(0..pairs.len())];
            (of(right), of(wrong))
        });
        if mariadb {
            self.listed(
                "UUID",
                &[(
                    "'123e4567-e89b-12d3-a456-426655440000'",
                    "'123e4567-e89b-12d3-a456-426655440001'",
                )],
            );
            self.listed(
                "INET6",
                &[
                    ("'::1'", "'::2'"),
                    ("'::'", "NULL"),
                    ("'::ffff:1.2.3.4'", "'::1.2.3.4'"),
                ],
            );
            self.listed("INET4", &[("'1.2.3.4'", "'1.2.3.5'"), ("'0.0.0.0'", "NULL")]);
        }
    }
}

fn one_bit(places: [u32; 5], random: &mut StdRng) -> u64 {
    1 << places[random.random_range(0..places.len())]
}

fn flipped_integer(random: &mut StdRng, bits: u32, signed: bool) -> (String, String) {
    let limit = u64::MAX >> (64 - bits);
    let edges = [
        0,
        1,
        limit,
        limit >> 1,
        (limit >> 1) + 1,
        random.random::<u64>() & limit,
    ];
    let value = edges[random.random_range(0..edges.len())] & limit;
    let other = value ^ (1 << random.random_range(0..bits));
    let show = |value: u64| match signed && bits > 1 && value >> (bits - 1) == 1 {
        true => (i128::from(value) - (1_i128 << bits)).to_string(),
        false => value.to_string(),
    };
    (show(value), show(other))
}

/// They differ in the last digit, or in the sign.
fn neighbour_decimals(random: &mut StdRng, precision: usize, scale: usize) -> (String, String) {
    let mut digits: Vec<u32> = (0..precision).map(|_| random.random_range(0..10)).collect();
    let show = |sign: &str, digits: &[u32]| {
        let text: String = digits
            .iter()
            .filter_map(|digit| char::from_digit(*digit, 10))
            .collect();
        let (whole, fraction) = text.split_at(precision - scale);
        format!("{sign}{whole}{}{fraction}", if scale == 0 { "" } else { "." })
    };
    let right = show("", &digits);
    if random.random_range(0..4) == 0 && digits.iter().any(|digit| *digit != 0) {
        return (right, show("-", &digits));
    }
    digits[precision - 1] = (digits[precision - 1] + 1) % 10;
    (right, show("", &digits))
}

/// Texts that most collations take for the same.
fn neighbour_texts(random: &mut StdRng, accents: bool, padded: bool) -> (String, String) {
    const LETTERS: &[char] = &['a', 'B', 'e', 'S', 'u', 'x', '0', ' ', '\'', '\\', '%'];
    let length = random.random_range(1..20);
    let mut right: Vec<char> = (0..length)
        .map(|_| LETTERS[random.random_range(0..LETTERS.len())])
        .collect();
    // A CHAR loses its spaces.
    right.push('z');
    let mut wrong = right.clone();
    let place = random.random_range(0..right.len());
    match random.random_range(0..6) {
        0 if !padded => wrong.push(' '),
        1 if accents => (right[place], wrong[place]) = ('e', 'é'),
        2 => (right[place], wrong[place]) = ('k', 'K'),
        3 => wrong.insert(place, '-'),
        4 => wrong.push('\0'),
        _ if !padded => (right, wrong) = (Vec::new(), vec![' ']),
        _ => (right[place], wrong[place]) = ('S', 's'),
    }
    let text = |chars: &[char]| {
        let text: String = chars.iter().collect();
        format!("_utf8mb4 {}", hex(text.as_bytes()))
    };
    (text(&right), text(&wrong))
}

fn neighbour_bytes(random: &mut StdRng) -> (String, String) {
    let mut bytes = vec![0; random.random_range(0..30)];
    random.fill_bytes(&mut bytes);
    let mut other = bytes.clone();
    match random.random_range(0..4) {
        0 => other.push(0),
        1 => other.push(b' '),
        _ if bytes.is_empty() => other.push(0),
        _ => other = flipped(random, &bytes),
    }
    (hex(&bytes), hex(&other))
}

fn flipped(random: &mut StdRng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let place = random.random_range(0..bytes.len());
    bytes[place] ^= 1 << random.random_range(0..8);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("X'{digits}'")
}
