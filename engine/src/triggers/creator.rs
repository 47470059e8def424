//! A session that creates triggers, each in the settings that belong to it.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Trigger;
use crate::ident::quoted_text;
use crate::{Ident, Result, TableName};

/// What a trigger keeps of the session that created it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) sql_mode: String,
    pub(super) charset: String,
    pub(super) collation: String,
}

impl Settings {
    async fn of(conn: &mut Conn) -> Result<Self> {
        let now: Option<(String, String, String)> = conn
            .query_first("SELECT @@sql_mode, @@character_set_client, @@collation_connection")
            .await?;
        let (sql_mode, charset, collation) = now.unwrap_or_default();
        Ok(Self {
            sql_mode,
            charset,
            collation,
        })
    }

    async fn set(&self, conn: &mut Conn) -> Result<()> {
        // Nothing of it is anything but ASCII, so it is read alike in every character set a client may have.
        let sql = format!(
            "SET SESSION sql_mode={}, character_set_client={}, collation_connection={}",
            quoted_text(&self.sql_mode),
            quoted_text(&self.charset),
            quoted_text(&self.collation),
        );
        Ok(conn.query_drop(sql).await?)
    }
}

/// A session while it creates triggers. It stays in the settings of the last one until another wants others: most
/// triggers of a table have the same, and the table may be locked meanwhile.
pub(crate) struct Creator<'a> {
    conn: &'a mut Conn,
    own: Settings,
    now: Settings,
}

impl<'a> Creator<'a> {
    /// The session's own settings are put back by [`Self::end`]; without that it is not to be used any more.
    ///
    /// # Errors
    /// Those of the statement.
    pub(crate) async fn begin(conn: &'a mut Conn) -> Result<Self> {
        let own = Settings::of(conn).await?;
        let now = own.clone();
        Ok(Self { conn, own, now })
    }

    /// Creates a trigger on `table`; behind the trigger `follows`, if there is one.
    ///
    /// # Errors
    /// Those of the statements.
    pub(crate) async fn create(
        &mut self,
        trigger: &Trigger,
        table: &TableName,
        follows: Option<&Ident>,
    ) -> Result<()> {
        self.turn_to(&trigger.settings).await?;
        Ok(self.conn.query_drop(trigger.sql(table, follows)).await?)
    }

    /// Creates on `table` the trigger `name` that stands in for `trigger` while that is not on `source`.
    ///
    /// # Errors
    /// Those of the statements.
    pub(crate) async fn create_stand_in(
        &mut self,
        trigger: &Trigger,
        name: &Ident,
        table: &TableName,
        source: &TableName,
    ) -> Result<()> {
        self.turn_to(&trigger.settings).await?;
        let sql = trigger.stand_in_sql(name, table, source);
        Ok(self.conn.query_drop(sql).await?)
    }

    /// Drops a trigger, or its stand-in. The name is read in the trigger's character set, as when that was created.
    ///
    /// # Errors
    /// Those of the statements.
    pub(crate) async fn drop(&mut self, trigger: &Trigger, schema: &Ident, name: &Ident) -> Result<()> {
        self.turn_to(&trigger.settings).await?;
        super::drop(self.conn, schema, name).await
    }

    /// Puts the session's own settings back.
    ///
    /// # Errors
    /// Those of the statement.
    pub(crate) async fn end(mut self) -> Result<()> {
        let own = self.own.clone();
        self.turn_to(&own).await
    }

    async fn turn_to(&mut self, settings: &Settings) -> Result<()> {
        if self.now != *settings {
            settings.set(self.conn).await?;
            self.now.clone_from(settings);
        }
        Ok(())
    }
}
