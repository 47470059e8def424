//! Creates the ghost as the source is, then lets the server alter it.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::inherited;
use crate::alter::Statement;
use crate::binlog::OWN_COMMENT;
use crate::error::UNKNOWN_SCHEMA;
use crate::ident::quoted_text;
use crate::reconcile::Warning;
use crate::session::{SessionSettings, Upstream};
use crate::table::{Table, definition_lines, same_definition};
use crate::{Error, Flavor, Result, TableName};

/// Other migrations end seldom enough for one of these to find the schema in place.
const TRIES: u32 = 20;

/// What the server made of the client's clauses.
pub(super) struct Altered {
    /// Whether the server would have copied the table.
    pub(super) copies: bool,
    /// What `SHOW WARNINGS` said: notes about the definition, the same as for the source.
    pub(super) warnings: Vec<Warning>,
}

/// Creates the ghost's schema and, in it, a table defined as the source is.
pub(super) async fn create(conn: &mut Conn, flavor: Flavor, source: &Table, ghost: &TableName) -> Result<()> {
    let of_source: Option<(String, String)> = conn
        .query_first(format!(
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata \
             WHERE schema_name={}",
            quoted_text(source.name.schema.as_str())
        ))
        .await?;
    let (charset, collation) = of_source.ok_or_else(|| Error::refused("its schema does not exist"))?;
    let schema = &ghost.schema;
    let defaults = format!("CHARACTER SET {charset} COLLATE {collation} {OWN_COMMENT}");
    conn.query_drop("SET SESSION foreign_key_checks=0").await?;
    let statements = [
        format!("CREATE SCHEMA IF NOT EXISTS {schema} {defaults}"),
        format!("USE {schema}"),
        format!("{} {OWN_COMMENT}", repeatable(&source.create, flavor)),
    ];
    let mut tries = 0;
    loop {
        tries += 1;
        match run_all(conn, &statements).await {
            // The end of another migration removed the schema while it was still empty.
            Err(mysql_async::Error::Server(error)) if error.code == UNKNOWN_SCHEMA && tries < TRIES => {}
            Err(mysql_async::Error::Server(error)) => {
                return Err(Error::refused(format!(
                    "the server does not take the table's own definition a second time: {}",
                    error.message
                )));
            }
            Err(other) => return Err(other.into()),
            Ok(()) => return as_the_source(conn, source, ghost).await,
        }
    }
}

/// Makes the ghost what the source is where a definition, executed, defines something else than it shows: a column without
/// any default (`DROP DEFAULT`) is shown without one, and gets `DEFAULT NULL`. Nothing is rebuilt by a text that does not
/// come out as it went in.
async fn as_the_source(conn: &mut Conn, source: &Table, ghost: &TableName) -> Result<()> {
    let made = shown(conn, ghost).await?;
    if same_definition(&made, &source.create) {
        return Ok(());
    }
    for name in without_default(&source.create, &made) {
        conn.query_drop(format!(
            "ALTER TABLE {ghost} ALTER COLUMN {name} DROP DEFAULT {OWN_COMMENT}"
        ))
        .await?;
    }
    match same_definition(&shown(conn, ghost).await?, &source.create) {
        true => Ok(()),
        false => Err(Error::refused(
            "the server makes another table of the table's own definition",
        )),
    }
}

async fn shown(conn: &mut Conn, table: &TableName) -> Result<String> {
    let row: Option<Row> = conn.query_first(format!("SHOW CREATE TABLE {table}")).await?;
    let create = row.and_then(|row| row.get::<String, _>(1));
    create.ok_or_else(|| Error::fatal(format!("the server does not describe {table}")))
}

/// The names, quoted as they are shown, of the columns to which the server has given a default of NULL.
fn without_default<'a>(source: &'a str, made: &str) -> Vec<&'a str> {
    let is_given = |(source, made): &(&str, &str)| {
        source.starts_with('`') && made.replacen(" DEFAULT NULL", "", 1) == *source && made != source
    };
    let lines = definition_lines(source)
        .zip(definition_lines(made))
        .filter(is_given);
    lines.filter_map(|(line, _)| quoted_name(line)).collect()
}

/// The quoted name at the front; a back-quote in it is doubled.
fn quoted_name(line: &str) -> Option<&str> {
    let mut quotes = line.match_indices('`').map(|(at, _)| at).skip(1).peekable();
    while let Some(at) = quotes.next() {
        if quotes.peek() == Some(&(at + 1)) {
            quotes.next();
        } else {
            return line.get(..=at);
        }
    }
    None
}

fn repeatable(create: &str, flavor: Flavor) -> String {
    match flavor {
        Flavor::MySql => inherited::without_inherited_collations(create),
        Flavor::MariaDb => create.to_owned(),
    }
}

async fn run_all(conn: &mut Conn, statements: &[String]) -> mysql_async::Result<()> {
    for statement in statements {
        conn.query_drop(statement).await?;
    }
    Ok(())
}

/// Runs the client's clauses on the ghost: in place if the server can, else as it likes.
///
/// Whether the server would have copied the table shows in what it does to this empty one.
pub(super) async fn alter(
    upstream: &Upstream,
    statement: &Statement,
    ghost: &TableName,
    settings: &SessionSettings,
) -> Result<Altered> {
    let mut conn = client_like(upstream, statement, settings).await?;
    let altered = in_place_or_not(&mut conn, statement, ghost).await;
    let altered = match altered {
        Err(Error::Answer(error)) => Err(Error::refused(format!(
            "the server refuses the definition: {}",
            error.message
        ))),
        Ok(copies) => warnings(&mut conn)
            .await
            .map(|warnings| Altered { copies, warnings }),
        Err(other) => Err(other),
    };
    // The session was the client's in all but name and is not used again.
    let _ = conn.disconnect().await;
    altered
}

async fn in_place_or_not(conn: &mut Conn, statement: &Statement, ghost: &TableName) -> Result<bool> {
    let in_place = format!("{} {OWN_COMMENT}", statement.on(ghost, Some("INPLACE")));
    match conn.query_drop(in_place).await {
        Ok(()) => return Ok(false),
        // Whatever is wrong with doing it in place, the statement itself says what is wrong with it.
        Err(mysql_async::Error::Server(_)) => {}
        Err(other) => return Err(other.into()),
    }
    conn.query_drop(format!("{} {OWN_COMMENT}", statement.on(ghost, None)))
        .await?;
    Ok(true)
}

async fn warnings(conn: &mut Conn) -> Result<Vec<Warning>> {
    let rows: Vec<Row> = conn.query("SHOW WARNINGS").await?;
    let warning = |row: Row| {
        let (level, code, message) = mysql_async::from_row_opt(row).ok()?;
        Some(Warning { level, code, message })
    };
    Ok(rows.into_iter().filter_map(warning).collect())
}

/// A session in which the client's text means what it means in the client's own.
async fn client_like(upstream: &Upstream, statement: &Statement, settings: &SessionSettings) -> Result<Conn> {
    // Our text is UTF-8. An ASCII statement means the same in every client character set; any other would be
    // read as something else.
    let utf8 = settings.character_set_client.to_lowercase().starts_with("utf8");
    if !utf8 && !statement.sql().is_ascii() {
        return Err(Error::refused(format!(
            "its text is not plain ASCII and the session's character set is {}",
            settings.character_set_client
        )));
    }
    let mut conn = upstream.control().await?;
    conn.query_drop(format!(
        "SET SESSION sql_mode={}, time_zone={}, collation_connection={}, foreign_key_checks={}",
        quoted_text(&settings.sql_mode),
        quoted_text(&settings.time_zone),
        quoted_text(&settings.collation_connection),
        u8::from(settings.foreign_key_checks),
    ))
    .await?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_were_given_a_default() {
        let source = "CREATE TABLE `t` (\n  `a` int,\n  `b``c` int COMMENT ' DEFAULT NULL',\n  `d` int DEFAULT NULL,\n  KEY `a` (`a`)\n)";
        let made = "CREATE TABLE `t` (\n  `a` int DEFAULT NULL,\n  `b``c` int DEFAULT NULL COMMENT ' DEFAULT NULL',\n  `d` int DEFAULT NULL,\n  KEY `a` (`a`)\n)";
        assert_eq!(without_default(source, made), ["`a`", "`b``c`"]);
        assert!(without_default(source, source).is_empty());
    }
}
