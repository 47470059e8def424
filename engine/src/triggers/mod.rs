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
//! could not create the same again, and [`load`] refuses.

mod load;
mod neighbours;
mod record;
mod rehearse;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

pub(crate) use load::load;
pub(crate) use neighbours::neighbours;
pub(crate) use record::{read, write};
pub(crate) use rehearse::rehearse;

use crate::binlog::OWN_COMMENT;
use crate::ident::quoted_text;
use crate::{Ident, Result, TableName};

/// So many are carried over while the table is locked; each takes four short statements.
pub(crate) const MAX_TRIGGERS: usize = 12;

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
    sql_mode: String,
    charset: String,
    collation: String,
}

impl Trigger {
    /// Creates it on `table`; behind the trigger `follows`, if there is one.
    ///
    /// # Errors
    /// Those of the statements.
    pub(crate) async fn create(
        &self,
        conn: &mut Conn,
        table: &TableName,
        follows: Option<&Ident>,
    ) -> Result<()> {
        let follows = follows.map_or_else(String::new, |name| format!("FOLLOWS {name} "));
        let sql = self.sql(&self.name, table, &[follows.as_bytes(), &self.body]);
        self.in_its_settings(conn, sql).await
    }

    /// Creates on `table` the trigger `name` that does the same for as long as this one is not on `source`.
    ///
    /// Whoever writes a row holds a metadata lock that no trigger is created under, so for each row exactly one of the two
    /// acts. It asks the server itself: nothing else changes at the very moment at which a trigger comes.
    ///
    /// # Errors
    /// Those of the statements.
    pub(crate) async fn create_stand_in(
        &self,
        conn: &mut Conn,
        name: &Ident,
        table: &TableName,
        source: &TableName,
    ) -> Result<()> {
        let hex = |name: &Ident| -> String { name.as_str().bytes().map(|b| format!("{b:02X}")).collect() };
        let condition = format!(
            "IF (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = {} \
             AND CAST(trigger_name AS BINARY) = X'{}' AND CAST(event_object_table AS BINARY) = X'{}') = 0 THEN ",
            quoted_text(source.schema.as_str()),
            hex(&self.name),
            hex(&source.table),
        );
        // A text that came in a batch may end in the semicolon behind it.
        let body = self.body.trim_ascii_end();
        let body = body.strip_suffix(b";").unwrap_or(body);
        let sql = self.sql(name, table, &[condition.as_bytes(), body, b"\n; END IF"]);
        self.in_its_settings(conn, sql).await
    }

    fn sql(&self, name: &Ident, table: &TableName, does: &[&[u8]]) -> Vec<u8> {
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

    async fn in_its_settings(&self, conn: &mut Conn, create: Vec<u8>) -> Result<()> {
        let before: Option<(String, String, String)> = conn
            .query_first("SELECT @@sql_mode, @@character_set_client, @@collation_connection")
            .await?;
        let (mode, charset, collation) = before.unwrap_or_default();
        set(conn, &self.sql_mode, &self.charset, &self.collation).await?;
        let created = conn.query_drop(create).await;
        set(conn, &mode, &charset, &collation).await?;
        Ok(created?)
    }
}

async fn set(conn: &mut Conn, sql_mode: &str, charset: &str, collation: &str) -> Result<()> {
    // Nothing of it is anything but ASCII, so it is read alike in every character set a client may have.
    let sql = format!(
        "SET SESSION sql_mode={}, character_set_client={}, collation_connection={}",
        quoted_text(sql_mode),
        quoted_text(charset),
        quoted_text(collation),
    );
    Ok(conn.query_drop(sql).await?)
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
