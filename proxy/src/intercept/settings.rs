//! What a session's settings are, asked of the server in one statement.

use std::time::Duration;

use crate::hooks::{ClientSession, ReadMode};
use crate::session::{End, PreparedChange, Reply, Row, Session};

/// The settings of the client's session at this moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The default schema.
    pub(crate) schema: Option<String>,
    pub(crate) session: ClientSession,
    pub(crate) lock_wait_timeout: Duration,
    /// How often a MariaDB client hears of progress; zero is never.
    pub(crate) progress_report_time: Duration,
    /// Whether a variable that decides what a definition means, or whether it is taken, is another one than the server's.
    pub(crate) defines_otherwise: bool,
}

impl Settings {
    /// How the session reads text.
    pub(crate) fn mode(&self) -> ReadMode {
        ReadMode::of_sql_mode(&self.session.sql_mode)
    }

    /// Whether the server reads these bytes as the characters they are in UTF-8.
    pub(crate) fn reads_as_utf8(&self, text: &str) -> bool {
        let charset = self.session.character_set_client.as_str();
        let four_bytes = || text.chars().any(|character| character.len_utf8() == 4);
        match charset {
            "utf8mb4" => true,
            "utf8" | "utf8mb3" => !four_bytes(),
            // It replaces some of ASCII's own characters.
            "swe7" => false,
            _ => text.is_ascii(),
        }
    }

    /// Whether a text arrives at the parser as it is when a literal or a variable carries it: servers convert a variable's to the
    /// connection's character set, and either to one that has no characters of four bytes.
    pub(super) fn keeps_carried(&self, text: &str) -> bool {
        let is_short = text.chars().all(|character| character.len_utf8() < 4);
        text.is_ascii() || is_short && self.session.collation_connection.starts_with("utf8mb4_")
    }

    /// Whether a statement that was prepared before means now what it meant then.
    pub(super) fn reads_as(&self, prepared: &PreparedChange) -> bool {
        let reading = |session: &ClientSession| {
            let ClientSession {
                sql_mode,
                character_set_client,
                collation_connection,
                ..
            } = session.clone();
            (sql_mode, character_set_client, collation_connection)
        };
        prepared.schema == self.schema && reading(&prepared.session) == reading(&self.session)
    }

    fn read(row: Row) -> Option<Self> {
        let mut values = row
            .into_iter()
            .map(|value| value.map(String::from_utf8).transpose().ok());
        let mut next = || values.next().flatten();
        let schema = next()?;
        let mut text = || next().flatten();
        Some(Self {
            schema,
            session: ClientSession {
                sql_mode: text()?,
                time_zone: text()?,
                character_set_client: text()?,
                collation_connection: text()?,
                foreign_key_checks: text()? != "0",
                max_error_count: text()?.parse().ok()?,
            },
            lock_wait_timeout: Duration::from_secs(text()?.parse().ok()?),
            progress_report_time: Duration::from_secs(text()?.parse().ok()?),
            defines_otherwise: text()? != "0",
        })
    }
}

/// Whether a variable that only a definition shows is the session's own. Some are younger than the oldest MariaDB.
const OWN_MARIADB: &str = "(SELECT COUNT(*) > 0 FROM information_schema.system_variables WHERE variable_name IN \
    ('EXPLICIT_DEFAULTS_FOR_TIMESTAMP','CHARACTER_SET_COLLATIONS','CHECK_CONSTRAINT_CHECKS','OLD_MODE') \
    AND session_value <> global_value)";
const OWN_MYSQL: &str = "(@@explicit_defaults_for_timestamp <> @@GLOBAL.explicit_defaults_for_timestamp \
    OR @@default_collation_for_utf8mb4 <> @@GLOBAL.default_collation_for_utf8mb4 \
    OR @@sql_require_primary_key <> @@GLOBAL.sql_require_primary_key \
    OR @@sql_quote_show_create <> @@GLOBAL.sql_quote_show_create)";

/// The values are cast to bytes, so that no `character_set_results` changes them on their way.
fn statement(is_mariadb: bool) -> String {
    let (progress, own) = match is_mariadb {
        true => ("@@progress_report_time", OWN_MARIADB),
        false => ("0", OWN_MYSQL),
    };
    let values = [
        "DATABASE()",
        "@@sql_mode",
        "@@time_zone",
        "@@character_set_client",
        "@@collation_connection",
        "@@foreign_key_checks",
        "@@max_error_count",
        "@@lock_wait_timeout",
        progress,
        own,
    ];
    let values = values.map(|value| format!("CAST({value} AS BINARY)"));
    format!("SELECT {} LIMIT 1", values.join(","))
}

impl Session {
    /// Asks for the settings; the inner error is a reply that is not understood.
    pub(crate) async fn settings(&mut self) -> Result<Result<Settings, Reply>, End> {
        let reply = self.ask(&statement(self.server.is_mariadb)).await?;
        if reply.error_code().is_some() {
            return Ok(Err(reply));
        }
        let settings = reply.clone().into_first_row().and_then(Settings::read);
        Ok(settings.ok_or(reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[&str]) -> Row {
        values
            .iter()
            .map(|value| Some(value.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn a_row_is_read_and_a_short_one_is_not() {
        let values = [
            "app",
            "ANSI_QUOTES,NO_ZERO_DATE",
            "SYSTEM",
            "latin1",
            "latin1_swedish_ci",
            "1",
            "64",
            "50",
            "5",
            "0",
        ];
        let settings = Settings::read(row(&values)).unwrap();
        assert_eq!(settings.schema.as_deref(), Some("app"));
        assert_eq!(settings.lock_wait_timeout, Duration::from_secs(50));
        assert!(settings.mode().ansi_quotes && !settings.mode().no_backslash_escapes);
        for short in 0..values.len() {
            assert!(Settings::read(row(&values[..short])).is_none());
        }
        let mut without_schema = row(&values);
        without_schema[0] = None;
        assert_eq!(Settings::read(without_schema).unwrap().schema, None);
    }

    #[test]
    fn which_bytes_are_utf8_to_the_server() {
        let check = |charset: &str, text: &str, expected| {
            let session = ClientSession {
                character_set_client: charset.to_owned(),
                ..ClientSession::default()
            };
            let settings = Settings {
                session,
                ..Settings::default()
            };
            assert_eq!(settings.reads_as_utf8(text), expected, "{charset} {text}");
        };
        check("utf8mb4", "ALTER TABLE 😀", true);
        check("utf8mb3", "ALTER TABLE é", true);
        check("utf8mb3", "ALTER TABLE 😀", false);
        check("latin1", "ALTER TABLE é", false);
        check("gbk", "ALTER TABLE t", true);
        check("swe7", "ALTER TABLE t", false);
    }

    #[test]
    fn which_texts_are_carried_as_they_are() {
        for (collation, text, expected) in [
            ("latin1_bin", "ALTER", true),
            ("latin1_bin", "é", false),
            ("utf8mb4_bin", "é€", true),
            ("utf8mb4_bin", "😀", false),
        ] {
            let session = ClientSession {
                collation_connection: collation.to_owned(),
                ..ClientSession::default()
            };
            let settings = Settings {
                session,
                ..Settings::default()
            };
            assert_eq!(settings.keeps_carried(text), expected, "{collation} {text}");
        }
    }
}
