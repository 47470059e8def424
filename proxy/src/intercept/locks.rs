//! Locks a session takes by statement and keeps after it: `LOCK TABLES` and its relatives.
//!
//! No status flag shows them. A session that holds one must do its own ALTER: the migrator would wait for the
//! client, and the client for the migrator. A lock that was refused counts as taken, which only costs the detour.

use super::words::tokens;

/// Whether a statement that opens with a locking word takes (`true`) or releases (`false`) such locks.
pub(crate) fn change(text: &[u8]) -> Option<bool> {
    let Some(tokens) = tokens(text, 4_096) else {
        return Some(true);
    };
    let has = |word: &str| tokens.iter().any(|token| token == word);
    let word = |index: usize| tokens.get(index).map_or("", String::as_str);
    match (word(0), word(1)) {
        ("LOCK", _) => Some(true),
        ("UNLOCK", _) | ("BACKUP", "UNLOCK") => Some(false),
        ("BACKUP", "STAGE") => Some(word(2) != "END"),
        ("BACKUP", _) => Some(true),
        ("FLUSH", _) if (has("READ") && has("LOCK")) || has("EXPORT") => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_and_who_releases() {
        let check = |text: &str, expected| assert_eq!(change(text.as_bytes()), expected, "{text}");
        check("LOCK TABLES a WRITE, b READ", Some(true));
        check("lock instance for backup", Some(true));
        check("unlock tables;", Some(false));
        check("FLUSH TABLES WITH READ LOCK", Some(true));
        check("flush tables `t` for export", Some(true));
        check("flush tables", None);
        check("FLUSH LOGS", None);
        check("BACKUP STAGE START", Some(true));
        check("BACKUP STAGE END", Some(false));
        check("BACKUP UNLOCK", Some(false));
    }
}
