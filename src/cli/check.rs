//! `--check app.accounts=SELECT SUM(balance) FROM {table}`.

use alterego_engine::owner_check::{OwnerCheck, TableCheck};

/// Reads a check and its table.
///
/// # Errors
/// One line that says what is wrong.
pub(super) fn parse(text: &str) -> Result<TableCheck, String> {
    let (table, sql) = text.split_once('=').ok_or("it lacks the `=` behind the table")?;
    let named = table.trim().split_once('.');
    let (schema, table) = named
        .filter(|(schema, table)| !schema.is_empty() && !table.is_empty())
        .ok_or_else(|| format!("`{table}` is not a table with its schema, for example app.accounts"))?;
    Ok(TableCheck::new(schema, table, OwnerCheck::parse(sql)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_names_its_table() {
        let sql = "SELECT COUNT(*) FROM {table} WHERE a = 1";
        let expected = TableCheck::new("app", "t", OwnerCheck::parse(sql).unwrap());
        assert_eq!(parse(&format!("app.t={sql}")), Ok(expected));
        for wrong in [
            "",
            "app.t",
            "t=SELECT 1 FROM {table}",
            ".t=SELECT 1 FROM {table}",
            "app.t=DROP TABLE t",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
