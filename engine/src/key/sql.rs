//! How key values are read with SQL, and written back into it.

use mysql_async::Value;

use super::persist::{from_hex, to_hex};
use super::{Key, KeyColumn, KeyKind, KeyValue, canonical};
use crate::{Error, Ident, Result, TableName};

impl KeyColumn {
    /// The expression that yields the value of `column_sql` in a form [`KeyColumn::from_sql`] understands,
    /// whatever the character set of the connection.
    pub fn select_expr(&self, column_sql: &str) -> String {
        match self.kind {
            KeyKind::Binary { .. } | KeyKind::VarBinary | KeyKind::Text => format!("HEX({column_sql})"),
            KeyKind::Enum | KeyKind::Set | KeyKind::Bit => format!("{column_sql}+0"),
            _ => column_sql.to_owned(),
        }
    }

    /// The value, as the server answered [`KeyColumn::select_expr`] in the text or the binary protocol.
    ///
    /// # Errors
    /// [`Error::Fatal`] for an answer that is not a value of this column, NULL among them.
    pub fn from_sql(&self, value: Value) -> Result<KeyValue> {
        self.parse(&value).ok_or_else(|| {
            let shown = value.as_sql(true);
            Error::fatal(format!("{shown} is not a value of the key column {}", self.name))
        })
    }

    fn parse(&self, value: &Value) -> Option<KeyValue> {
        match self.kind {
            KeyKind::Int { unsigned: false, .. } => signed(value).map(KeyValue::Int),
            KeyKind::Int { unsigned: true, .. }
            | KeyKind::Year
            | KeyKind::Enum
            | KeyKind::Set
            | KeyKind::Bit => unsigned(value).map(KeyValue::Uint),
            KeyKind::Decimal => Some(KeyValue::Text(canonical::decimal(text(value)?))),
            KeyKind::Date | KeyKind::Time | KeyKind::DateTime | KeyKind::Timestamp => {
                let shown = match value {
                    Value::Date(..) | Value::Time(..) => self.temporal(value)?,
                    other => text(other)?.to_owned(),
                };
                Some(KeyValue::Text(canonical::temporal(&shown)))
            }
            KeyKind::Binary { .. } | KeyKind::VarBinary | KeyKind::Text => match value {
                Value::Bytes(digits) => from_hex(digits).map(KeyValue::Bytes),
                _ => None,
            },
        }
    }

    /// The text of a temporal value of the binary protocol.
    fn temporal(&self, value: &Value) -> Option<String> {
        match (self.kind, value) {
            (KeyKind::Date, Value::Date(year, month, day, ..)) => {
                Some(format!("{year:04}-{month:02}-{day:02}"))
            }
            (
                KeyKind::DateTime | KeyKind::Timestamp,
                Value::Date(year, month, day, hour, minute, second, micros),
            ) => Some(format!(
                "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}"
            )),
            (KeyKind::Time, Value::Time(negative, days, hours, minutes, seconds, micros)) => {
                let sign = if *negative { "-" } else { "" };
                let hours = u64::from(*days) * 24 + u64::from(*hours);
                Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}"))
            }
            _ => None,
        }
    }

    /// `value` as a literal that the server compares to the column exactly and by index, whatever the session's
    /// `sql_mode` and character set.
    pub fn literal(&self, value: &KeyValue) -> String {
        match value {
            KeyValue::Int(value) => value.to_string(),
            KeyValue::Uint(value) => value.to_string(),
            KeyValue::Bytes(bytes) => {
                let charset = self.charset.as_deref().unwrap_or("binary");
                format!("_{charset} X'{}'", to_hex(bytes))
            }
            // Digits and separators only; a decimal's sign and point are those of a number.
            KeyValue::Text(text) if self.kind == KeyKind::Decimal => text.clone(),
            KeyValue::Text(text) => format!("'{text}'"),
        }
    }
}

/// The expressions that read a key from `table`; `names` are the key columns' names there.
///
/// Columns are written `schema.table.column`, never behind an alias: LOCK TABLES locks tables by alias.
pub fn select_list(columns: &[KeyColumn], names: &[Ident], table: &TableName) -> String {
    let expressions = columns
        .iter()
        .zip(names)
        .map(|(column, name)| column.select_expr(&qualified(table, name)));
    expressions.collect::<Vec<_>>().join(", ")
}

/// The key columns, for behind ORDER BY.
pub fn order_by(names: &[Ident], table: &TableName) -> String {
    let columns = names.iter().map(|name| qualified(table, name));
    columns.collect::<Vec<_>>().join(", ")
}

/// The key in a row that was read with [`select_list`].
///
/// # Errors
/// [`Error::Fatal`] if the row is not one.
pub fn from_row(columns: &[KeyColumn], values: Vec<Value>) -> Result<Key> {
    if values.len() != columns.len() {
        return Err(Error::fatal("a row of another table was read as a key"));
    }
    let values = columns.iter().zip(values);
    values
        .map(|(column, value)| column.from_sql(value))
        .collect::<Result<_>>()
        .map(Key)
}

pub(super) fn qualified(table: &TableName, name: &Ident) -> String {
    format!("{table}.{name}")
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn signed(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::UInt(value) => i64::try_from(*value).ok(),
        other => text(other)?.parse().ok(),
    }
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::UInt(value) => Some(*value),
        Value::Int(value) => u64::try_from(*value).ok(),
        other => text(other)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: KeyKind, charset: Option<&str>) -> KeyColumn {
        KeyColumn {
            name: Ident::new("k"),
            ordinal: 0,
            kind,
            charset: charset.map(str::to_owned),
        }
    }

    #[test]
    fn values_make_the_round_trip() {
        let check = |kind: KeyKind, charset: Option<&str>, value: Value, literal: &str| {
            let column = column(kind, charset);
            let key = column.from_sql(value).unwrap();
            assert_eq!(column.literal(&key), literal);
        };
        let text = |text: &str| Value::Bytes(text.into());
        let int = |unsigned| KeyKind::Int { unsigned, bytes: 8 };
        check(
            int(false),
            None,
            text("-9223372036854775808"),
            "-9223372036854775808",
        );
        check(
            int(true),
            None,
            text("18446744073709551615"),
            "18446744073709551615",
        );
        check(int(true), None, Value::UInt(7), "7");
        check(KeyKind::Decimal, None, text("-00.50"), "-0.5");
        check(KeyKind::Year, None, text("0000"), "0");
        check(KeyKind::Date, None, text("0000-00-00"), "'0000-00-00'");
        check(
            KeyKind::Date,
            None,
            Value::Date(2024, 1, 2, 0, 0, 0, 0),
            "'2024-01-02'",
        );
        check(
            KeyKind::DateTime,
            None,
            Value::Date(2024, 1, 2, 3, 4, 5, 600_000),
            "'2024-01-02 03:04:05.6'",
        );
        check(
            KeyKind::Time,
            None,
            Value::Time(true, 34, 22, 59, 59, 0),
            "'-838:59:59'",
        );
        check(KeyKind::VarBinary, None, text(""), "_binary X''");
        check(KeyKind::Text, Some("latin1"), text("e9"), "_latin1 X'E9'");
    }

    #[test]
    fn other_values_are_refused() {
        let check = |kind: KeyKind, value: Value| {
            assert!(column(kind, None).from_sql(value).is_err());
        };
        check(KeyKind::Year, Value::NULL);
        check(
            KeyKind::Int {
                unsigned: true,
                bytes: 4,
            },
            Value::Int(-1),
        );
        check(KeyKind::Text, Value::Bytes(b"xyz".to_vec()));
    }

    #[test]
    fn columns_are_qualified() {
        let columns = [
            column(
                KeyKind::Int {
                    unsigned: false,
                    bytes: 4,
                },
                None,
            ),
            column(KeyKind::Text, Some("utf8mb4")),
        ];
        let names = [Ident::new("a"), Ident::new("b`")];
        let table = TableName::new("s", "t");
        assert_eq!(
            select_list(&columns, &names, &table),
            "`s`.`t`.`a`, HEX(`s`.`t`.`b```)"
        );
        assert_eq!(order_by(&names, &table), "`s`.`t`.`a`, `s`.`t`.`b```");
    }
}
