//! A table with triggers comes into the source's schema for a moment, beside the source; and there the names of CHECK
//! constraints are unique.
//!
//! Names that the server has made from the table's change with it. Those that the owner has given stay, and meet their own.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::ident::quoted_text;
use crate::{Error, Result, TableName, names};

/// Refuses where a CHECK constraint of the ghost has the name of one of the source's, and keeps it.
///
/// # Errors
/// [`Error::Refused`], and those of the statement.
pub(crate) async fn ghost_can_come(conn: &mut Conn, source: &TableName) -> Result<()> {
    let theirs = checks(conn, source).await?;
    let ours = checks(conn, &names::ghost(source)).await?;
    let mut kept = ours.iter().filter(|name| !is_made_by_server(name, source));
    match kept.find(|name| theirs.contains(name)) {
        Some(name) => Err(Error::refused(format!(
            "the table has triggers, and a CHECK constraint with a name of its own (`{name}`)"
        ))),
        None => Ok(()),
    }
}

async fn checks(conn: &mut Conn, table: &TableName) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT constraint_name FROM information_schema.table_constraints \
         WHERE constraint_type='CHECK' AND table_schema={} AND table_name={}",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str())
    );
    Ok(conn.query(sql).await?)
}

/// `t_chk_1` and so on.
fn is_made_by_server(name: &str, table: &TableName) -> bool {
    let number = name
        .strip_prefix(table.table.as_str())
        .and_then(|rest| rest.strip_prefix("_chk_"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_by_the_server_are_known() {
        let table = TableName::new("app", "t");
        for (name, expected) in [
            ("t_chk_12", true),
            ("t_chk_", false),
            ("u_chk_1", false),
            ("t_chk_1a", false),
        ] {
            assert_eq!(is_made_by_server(name, &table), expected, "{name}");
        }
    }
}
