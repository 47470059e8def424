//! What the endpoint tells drivers about itself: the system variables they ask for when they connect.

use super::greeting::VERSION;
use super::packet::MAX_PAYLOAD_BYTES;

/// What differs between connections.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The account.
    pub(super) user: String,
    /// The connection's number.
    pub(super) connection_id: u32,
}

/// All variables, by name.
pub(super) fn all(_session: &Session) -> Vec<(&'static str, Option<String>)> {
    let mut variables: Vec<(&'static str, Option<String>)> = FIXED
        .iter()
        .map(|(name, value)| (*name, Some((*value).to_owned())))
        .collect();
    variables.push(("max_allowed_packet", Some(MAX_PAYLOAD_BYTES.to_string())));
    variables.push(("socket", None));
    variables.push(("version", Some(VERSION.to_owned())));
    variables.push(("version_comment", Some("alterego admin endpoint".to_owned())));
    variables.sort();
    variables
}

/// One variable; `None` if there is none of this name.
pub(super) fn one(name: &str, session: &Session) -> Option<Option<String>> {
    let found = all(session)
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map(|(_, value)| value)
}

const FIXED: &[(&str, &str)] = &[
    ("auto_increment_increment", "1"),
    ("autocommit", "1"),
    ("character_set_client", "utf8mb4"),
    ("character_set_database", "utf8mb4"),
    ("character_set_connection", "utf8mb4"),
    ("character_set_results", "utf8mb4"),
    ("character_set_server", "utf8mb4"),
    ("character_set_system", "utf8mb4"),
    ("collation_connection", "utf8mb4_general_ci"),
    ("collation_database", "utf8mb4_general_ci"),
    ("collation_server", "utf8mb4_general_ci"),
    ("init_connect", ""),
    ("interactive_timeout", "28800"),
    ("license", "MIT OR Apache-2.0"),
    ("lower_case_table_names", "0"),
    ("net_write_timeout", "60"),
    ("performance_schema", "0"),
    ("sql_mode", ""),
    ("system_time_zone", "UTC"),
    ("time_zone", "SYSTEM"),
    ("transaction_isolation", "READ-COMMITTED"),
    ("transaction_read_only", "0"),
    ("tx_isolation", "READ-COMMITTED"),
    ("wait_timeout", "28800"),
];
