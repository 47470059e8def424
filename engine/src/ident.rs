//! Identifiers that can only be written into SQL quoted.

use std::fmt;

/// One identifier; its `Display` is the back-quoted form, so it cannot break out of the SQL it stands in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident(String);

impl Ident {
    /// Wraps a name as it is, unquoted.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether two identifiers name the same column or key: names of columns and keys ignore case.
    pub fn same_column(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.replace('`', "``"))
    }
}

/// A table with its schema; its `Display` is the quoted, qualified form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The schema (database).
    pub schema: Ident,
    /// The table.
    pub table: Ident,
}

impl TableName {
    /// The table `table` of schema `schema`, both unquoted.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            schema: Ident::new(schema),
            table: Ident::new(table),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// `text` as a single-quoted SQL string that means the same whatever the session's `sql_mode` says about
/// backslashes: anything but plain ASCII is written as a hexadecimal utf8mb4 literal.
pub fn quoted_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii() && !c.is_ascii_control() && c != '\'' && c != '\\';
    if text.chars().all(plain) {
        return format!("'{text}'");
    }
    let hex: String = text.bytes().map(|b| format!("{b:02X}")).collect();
    format!("_utf8mb4 X'{hex}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_be_escaped_from() {
        assert_eq!(Ident::new("a`b").to_string(), "`a``b`");
        assert_eq!(TableName::new("app", "t").to_string(), "`app`.`t`");
        assert_eq!(quoted_text("plain"), "'plain'");
        assert_eq!(quoted_text("it's"), "_utf8mb4 X'69742773'");
        assert_eq!(quoted_text("a\\"), "_utf8mb4 X'615C'");
    }
}
