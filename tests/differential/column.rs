//! Columns: a name, a type, and what else a definition says.

use alterego_testkit::Flavor;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::data_type::DataType;
use crate::literal::{chance, one};
use crate::names::quoted;

/// A column of a generated table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Unquoted.
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) nullable: bool,
    pub(crate) auto_increment: bool,
    /// The expression it is computed by, with the word that says where it is kept.
    pub(crate) generated: Option<String>,
    /// DEFAULT, ON UPDATE, INVISIBLE, COMMENT.
    pub(crate) attributes: String,
}

impl Column {
    /// A plain column; `others` can be read by its expressions.
    pub(crate) fn any(rng: &mut StdRng, flavor: Flavor, name: String, others: &[Column]) -> Column {
        if chance(rng, 10)
            && let Some(column) = Column::generated(rng, &name, others)
        {
            return column;
        }
        let data_type = DataType::any(rng);
        Column::of(rng, flavor, name, data_type)
    }

    /// A column of the type.
    pub(crate) fn of(rng: &mut StdRng, flavor: Flavor, name: String, data_type: DataType) -> Column {
        let nullable = chance(rng, 65);
        let default = default(rng, flavor, &data_type, nullable);
        let mut attributes = default.clone();
        if matches!(
            data_type,
            DataType::DateTime { fsp: 0 } | DataType::Timestamp { fsp: 0 }
        ) && chance(rng, 15)
        {
            attributes.push_str(" ON UPDATE CURRENT_TIMESTAMP");
        }
        if (nullable || !default.is_empty()) && chance(rng, 7) {
            attributes.push_str(" INVISIBLE");
        }
        if chance(rng, 12) {
            attributes.push_str(one(
                rng,
                &[" COMMENT 'a; b, c'", " COMMENT 'it''s \"é\"'", " COMMENT '`'"],
            ));
        }
        Column {
            name,
            data_type,
            nullable,
            auto_increment: false,
            generated: None,
            attributes,
        }
    }

    /// A column for a key.
    pub(crate) fn key(name: String, data_type: DataType) -> Column {
        Column {
            name,
            data_type,
            nullable: false,
            auto_increment: false,
            generated: None,
            attributes: String::new(),
        }
    }

    /// A column computed from another one, if there is one to compute it from.
    pub(crate) fn generated(rng: &mut StdRng, name: &str, others: &[Column]) -> Option<Column> {
        let bases: Vec<&Column> = others
            .iter()
            .filter(|other| other.generated.is_none() && !other.auto_increment)
            .collect();
        if bases.is_empty() {
            return None;
        }
        let base = one(rng, &bases);
        let read = quoted(&base.name);
        let (data_type, expression) = match rng.random_range(0..3) {
            0 => (
                DataType::Int {
                    bytes: 1,
                    unsigned: false,
                },
                format!("{read} IS NULL"),
            ),
            1 => (
                DataType::Int {
                    bytes: 4,
                    unsigned: false,
                },
                format!("LENGTH({read})"),
            ),
            _ if base.data_type.is_text() => (
                DataType::Text {
                    word: "VARCHAR",
                    length: Some(10),
                    set: crate::data_type::CharSet::DEFAULT,
                },
                format!("LEFT({read}, 3)"),
            ),
            _ => (
                DataType::Int {
                    bytes: 1,
                    unsigned: false,
                },
                format!("{read} IS NOT NULL"),
            ),
        };
        let kept = if chance(rng, 50) { "STORED" } else { "VIRTUAL" };
        Some(Column {
            name: name.to_owned(),
            data_type,
            nullable: true,
            auto_increment: false,
            generated: Some(format!("GENERATED ALWAYS AS ({expression}) {kept}")),
            attributes: String::new(),
        })
    }

    /// As it is written in CREATE TABLE and in a clause, without its name.
    pub(crate) fn definition(&self) -> String {
        let data_type = self.data_type.sql();
        if let Some(generated) = &self.generated {
            return format!("{data_type} {generated}{}", self.attributes);
        }
        let null = match (self.nullable, &self.data_type) {
            (false, _) => " NOT NULL",
            // Without the word it is NOT NULL on some servers.
            (true, DataType::Timestamp { .. }) => " NULL",
            (true, _) => "",
        };
        let number = if self.auto_increment {
            " AUTO_INCREMENT"
        } else {
            ""
        };
        format!("{data_type}{null}{}{number}", self.attributes)
    }

    /// Whether it is given values by an INSERT.
    pub(crate) fn takes_values(&self) -> bool {
        self.generated.is_none()
    }

    /// A value for it in row `n`.
    pub(crate) fn value(&self, rng: &mut StdRng) -> String {
        if self.nullable && chance(rng, 20) {
            return "NULL".to_owned();
        }
        self.data_type.value(rng)
    }
}

fn default(rng: &mut StdRng, flavor: Flavor, data_type: &DataType, nullable: bool) -> String {
    match rng.random_range(0..10) {
        0..5 => String::new(),
        5 if nullable => " DEFAULT NULL".to_owned(),
        6 if data_type.is_number() => " DEFAULT (1 + 2)".to_owned(),
        6 if data_type.is_text() => " DEFAULT (CONCAT('d', 'e'))".to_owned(),
        7 if matches!(
            data_type,
            DataType::DateTime { fsp: 0 } | DataType::Timestamp { fsp: 0 }
        ) =>
        {
            " DEFAULT CURRENT_TIMESTAMP".to_owned()
        }
        _ if data_type.is_plain() || flavor == Flavor::MariaDb => match default_value(data_type) {
            Some(value) => format!(" DEFAULT {value}"),
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// A constant every `sql_mode` takes.
pub(crate) fn default_value(data_type: &DataType) -> Option<String> {
    Some(match data_type {
        DataType::Int { .. } | DataType::Year => "7".to_owned(),
        DataType::Decimal { scale: 0, .. } => "3".to_owned(),
        DataType::Decimal { digits, scale, .. } if digits > scale => "1.5".to_owned(),
        DataType::Float { .. } => "2.5".to_owned(),
        DataType::Bit { .. } => "b'1'".to_owned(),
        DataType::Date => "'2020-02-02'".to_owned(),
        DataType::Time { .. } => "'01:02:03'".to_owned(),
        DataType::DateTime { .. } | DataType::Timestamp { .. } => "'2020-02-02 02:02:02'".to_owned(),
        DataType::Text { .. } | DataType::Bytes { .. } => "'d'".to_owned(),
        DataType::Enum { members, .. } | DataType::Set { members, .. } => format!("'{}'", members.first()?),
        _ => return None,
    })
}
