//! The triggers of a table, as they have to be on the altered one (MySQL).
//!
//! A table with triggers cannot be renamed into another schema, a trigger cannot be renamed or moved at all, and its name
//! is unique in its schema. So at the cut-over each is dropped and created anew; how that loses none is
//! [`crate::cut_over`]'s matter (`cut_over/handover.rs`). Here is what a trigger consists of and how it is written down.
//!
//! # Why they come out as they were
//! `SHOW CREATE TRIGGER` has all that belongs to one: definer, text, `sql_mode`, character set and collation of the session
//! that created it. The text is taken as bytes, in the character set in which it was given, and is given back in the same.
//! The order among those of one time and event is that in which they are created (FOLLOWS and PRECEDES are not kept by the
//! server). The default collation of the schema belongs to a trigger, too: where it has been changed since, the server
//! could not create the same again, and [`load()`] refuses.

mod creator;
mod load;
mod names_of_checks;
mod neighbours;
mod record;
mod rehearse;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

pub(crate) use creator::Creator;
use creator::Settings;
pub(crate) use load::load;
pub(crate) use names_of_checks::ghost_can_come;
pub(crate) use neighbours::neighbours;
pub(crate) use record::{read, write};
pub(crate) use rehearse::rehearse;

use crate::binlog::OWN_COMMENT;
use crate::ident::quoted_text;
use crate::{Ident, Result, TableName, names};

/// So many are carried over while the table is locked; each takes four short statements.
pub(crate) const MAX_TRIGGERS: usize = 12;

/// 1412: the table is another one than the transaction's snapshot saw.
const TABLE_DEF_CHANGED: u16 = 1412;

/// One trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub(crate) name: Ident,
    /// `BEFORE` or `AFTER`.
    pub(crate) timing: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub(crate) event: String,
    /// `DEFINER=…`, as the server writes it.
    definer: Vec<u8>,
    /// What it does, in its character set.
    body: Vec<u8>,
    settings: Settings,
}

impl Trigger {
    /// The statement that creates it on `table`, behind the trigger `follows`, if there is one.
    fn sql(&self, table: &TableName, follows: Option<&Ident>) -> Vec<u8> {
        let follows = follows.map_or_else(String::new, |name| format!("FOLLOWS {name} "));
        self.create(&self.name, table, &[follows.as_bytes(), &self.body])
    }

    /// The statement that creates on `table` the trigger `name`, which does the same for as long as this one is not on
    /// `source`.
    ///
    /// Whoever writes a row holds a metadata lock that no trigger is created under, so for each row exactly one of the two
    /// acts. The stand-in asks the server itself: nothing else changes at the very moment at which a trigger comes.
    ///
    /// The server answers out of the transaction's snapshot. One from before the swap does not show the stand-in on the
    /// table, and tells nothing of now: such a statement ends with the error that the server has for it.
    fn stand_in_sql(&self, name: &Ident, table: &TableName, source: &TableName) -> Vec<u8> {
        let condition = format!(
            "IF {} = 0 THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {TABLE_DEF_CHANGED}, \
             MESSAGE_TEXT = 'Table definition has changed, please retry transaction'; ELSEIF {} = 0 THEN ",
            on_the_table(source, name, &names::next(source)),
            on_the_table(source, &self.name, &names::last(source)),
        );
        // A text that came in a batch may end in the semicolon behind it.
        let body = self.body.trim_ascii_end();
        let body = body.strip_suffix(b";").unwrap_or(body);
        self.create(name, table, &[condition.as_bytes(), body, b"\n; END IF"])
    }

    fn create(&self, name: &Ident, table: &TableName, does: &[&[u8]]) -> Vec<u8> {
        let schema = &table.schema;
        let (timing, event) = (&self.timing, &self.event);
        let mut sql = b"CREATE ".to_vec();
        sql.extend(&self.definer);
        // Here the binary log keeps the comment, and the trigger does not.
        let head =
            format!(" TRIGGER {OWN_COMMENT} {schema}.{name} {timing} {event} ON {table} FOR EACH ROW ");
        sql.extend(head.into_bytes());
        sql.extend(does.concat());
        sql
    }
}

/// Counts the trigger of this name, unless it is on the table that is on its way. All of it is ASCII, without quotes or
/// backslashes, so it reads alike in every character set and `sql_mode`.
fn on_the_table(source: &TableName, name: &Ident, elsewhere: &TableName) -> String {
    let hex = |name: &Ident| -> String { name.as_str().bytes().map(|b| format!("{b:02X}")).collect() };
    format!(
        "(SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = _utf8mb4 X'{}' \
         AND CAST(trigger_name AS BINARY) = X'{}' AND event_object_table <> _utf8mb4 X'{}')",
        hex(&source.schema),
        hex(name),
        hex(&elsewhere.table),
    )
}

/// Drops a trigger of the schema.
///
/// # Errors
/// Those of the statement.
pub(crate) async fn drop(conn: &mut Conn, schema: &Ident, name: &Ident) -> Result<()> {
    let sql = format!("DROP TRIGGER IF EXISTS {schema}.{name} {OWN_COMMENT}");
    Ok(conn.query_drop(sql).await?)
}

/// The names of the triggers on a table.
///
/// # Errors
/// Those of the statement.
pub(crate) async fn names_on(conn: &mut Conn, table: &TableName) -> Result<Vec<Ident>> {
    let sql = format!(
        "SELECT trigger_name FROM information_schema.triggers WHERE event_object_schema={} AND event_object_table={}",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str()),
    );
    let names: Vec<String> = conn.query(sql).await?;
    Ok(names.into_iter().map(Ident::new).collect())
}

/// All that can be said of the triggers on a table, to be compared with what is said later.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Description(Vec<Vec<Value>>);

/// What is on a table now, said alike in every session. One statement, so it costs little under the locks.
///
/// # Errors
/// Those of the statement.
pub(crate) async fn describe(conn: &mut Conn, table: &TableName) -> Result<Description> {
    let sql = format!(
        "SELECT trigger_name, action_timing, event_manipulation, action_order, action_statement, \
         UNIX_TIMESTAMP(created), definer, sql_mode, \
         character_set_client, collation_connection, database_collation FROM information_schema.triggers \
         WHERE event_object_schema={} AND event_object_table={} ORDER BY trigger_name",
        quoted_text(table.schema.as_str()),
        quoted_text(table.table.as_str()),
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    Ok(Description(rows.into_iter().map(Row::unwrap).collect()))
}
