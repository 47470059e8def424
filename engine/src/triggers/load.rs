//! Reads a table's triggers from the server.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::{Settings, Trigger};
use crate::ident::quoted_text;
use crate::{Error, Ident, Result, TableName};

/// All triggers of `table`, in the order in which those of one time and event act.
///
/// # Errors
/// [`Error::Refused`] for one that could not be created again as it is; those of the statements.
pub(crate) async fn load(conn: &mut Conn, table: &TableName) -> Result<Vec<Trigger>> {
    let found = listed(conn, table).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    // Each text comes in the bytes in which it is kept.
    conn.query_drop("SET SESSION character_set_results=NULL").await?;
    let mut triggers = Vec::new();
    for listed in found {
        triggers.push(one(conn, table, listed).await?);
    }
    conn.query_drop("SET SESSION character_set_results=utf8mb4")
        .await?;
    Ok(triggers)
}

/// A trigger as the server's list has it.
struct Listed {
    name: Ident,
    timing: String,
    event: String,
}

async fn listed(conn: &mut Conn, table: &TableName) -> Result<Vec<Listed>> {
    let sql = format!(
        "SELECT t.trigger_name, t.action_timing, t.event_manipulation, \
           t.database_collation <> s.default_collation_name \
         FROM information_schema.triggers t \
         JOIN information_schema.schemata s ON s.schema_name = t.trigger_schema \
         WHERE t.event_object_schema={} AND t.event_object_table={} \
         ORDER BY t.action_timing, t.event_manipulation, t.action_order",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str()),
    );
    let rows: Vec<(String, String, String, bool)> = conn.query(sql).await?;
    let listed = rows
        .into_iter()
        .map(|(name, timing, event, is_older)| match is_older {
            true => Err(Error::refused(format!(
                "the schema's collation has been changed since the trigger `{name}` was created"
            ))),
            false => Ok(Listed {
                name: Ident::new(name),
                timing,
                event,
            }),
        });
    listed.collect()
}

async fn one(conn: &mut Conn, table: &TableName, listed: Listed) -> Result<Trigger> {
    let Listed { name, timing, event } = listed;
    let sql = format!("SHOW CREATE TRIGGER {}.{name}", table.schema);
    let row: Option<Row> = conn.query_first(sql).await?;
    let mut row = row.ok_or_else(|| unreadable(&name))?;
    let mut text = |column: &str| row.take::<Vec<u8>, _>(column).ok_or_else(|| unreadable(&name));
    let create = text("SQL Original Statement")?;
    let plain = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| unreadable(&name));
    let sql_mode = plain(text("sql_mode")?)?;
    let charset = plain(text("character_set_client")?)?;
    let collation = plain(text("collation_connection")?)?;
    let head = format!(
        " TRIGGER {name} {timing} {event} ON {} FOR EACH ROW ",
        table.table
    );
    let (definer, body) = split(&create, head.as_bytes()).ok_or_else(|| unreadable(&name))?;
    // Names are written in UTF-8, and read in the character set of the trigger.
    let names_are_plain = head.is_ascii() && table.schema.as_str().is_ascii() && definer.is_ascii();
    if !names_are_plain && !charset.starts_with("utf8") {
        return Err(Error::refused(format!(
            "names at its trigger {name} are not plain ASCII, and its character set is {charset}"
        )));
    }
    Ok(Trigger {
        name,
        timing,
        event,
        definer: definer.to_vec(),
        body: body.to_vec(),
        settings: Settings {
            sql_mode,
            charset,
            collation,
        },
    })
}

/// The definer and the body of `CREATE DEFINER=… TRIGGER … FOR EACH ROW …`.
fn split<'a>(create: &'a [u8], head: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let rest = create.strip_prefix(b"CREATE ")?;
    let at = rest.windows(head.len()).position(|window| window == head)?;
    let definer = rest.get(..at)?;
    definer
        .starts_with(b"DEFINER=")
        .then_some((definer, rest.get(at + head.len()..)?))
}

fn unreadable(name: &Ident) -> Error {
    Error::refused(format!(
        "the server shows the trigger {name} in a form that is not known"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_cut_at_its_head() {
        let head = b" TRIGGER `x` BEFORE INSERT ON `t` FOR EACH ROW ";
        let check = |create: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(definer, body)| (definer.as_bytes(), body.as_bytes()));
            assert_eq!(split(create.as_bytes(), head), expected, "{create}");
        };
        check(
            "CREATE DEFINER=`r`@`%` TRIGGER `x` BEFORE INSERT ON `t` FOR EACH ROW SET @a=1",
            Some(("DEFINER=`r`@`%`", "SET @a=1")),
        );
        check(
            "CREATE TRIGGER `x` BEFORE INSERT ON `t` FOR EACH ROW SET @a=1",
            None,
        );
        check(
            "CREATE DEFINER=`r`@`%` TRIGGER x BEFORE INSERT ON app.t FOR EACH ROW SET @a=1",
            None,
        );
        check("", None);
    }
}
