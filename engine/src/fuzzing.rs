//! What is asked of everything here that reads bytes from outside, as functions of one input.
//!
//! As in the proxy: `cargo fuzz` calls the targets from `fuzz/`, the tests below call them with the seeds of `fuzz/seeds` and
//! seeded variations. The module exists for tests and for `cargo fuzz` only.

use crate::alter::{ReadMode, Statement, understand};
pub use crate::binlog::fuzzing::{binlog, compressed};
use crate::checkpoint::Frontier;
use crate::migration::Phase;
use crate::position::{Domains, GtidSet, Position};
use crate::{Flavor, TableName};

/// A statement that is understood differs from the client's text in one place only, whatever is made of it, and on another
/// table it does the same.
pub fn statement(data: &[u8]) {
    let Some((head, text)) = data.split_first() else {
        return;
    };
    let mode = ReadMode {
        ansi_quotes: head & 1 != 0,
        no_backslash_escapes: head & 2 != 0,
    };
    let flavor = if head & 4 == 0 {
        Flavor::MySql
    } else {
        Flavor::MariaDb
    };
    let sql = String::from_utf8_lossy(text);
    let Ok(statement) = understand(&sql, mode, flavor) else {
        return;
    };
    assert_eq!(statement.sql(), sql);
    let forms = [
        Some(statement.question()),
        Some(statement.forced_question()),
        statement.in_place(),
    ];
    for form in forms.into_iter().flatten() {
        let is_rewritten =
            flavor == Flavor::MariaDb && !form.sql.starts_with(sql.get(..1).unwrap_or_default());
        assert!(
            is_rewritten || is_spliced(&sql, &form.sql) || drops_index(&statement),
            "{}",
            form.sql
        );
    }
    let ghost = TableName::new("app__ghost", "other`table");
    let moved = statement.on(&ghost, None);
    match understand(&moved, mode, flavor) {
        Ok(again) => {
            assert_eq!(
                (again.schema(), again.table()),
                (Some("app__ghost"), "other`table")
            );
            assert_eq!(again.actions(), statement.actions());
        }
        Err(reason) => panic!("{moved}: {reason:?}"),
    }
}

fn drops_index(statement: &Statement) -> bool {
    use crate::alter::Action;
    matches!(statement.actions(), [Action::DropIndex { .. }])
}

/// Whether `longer` is `text` with something put in at one place.
fn is_spliced(text: &str, longer: &str) -> bool {
    let same = |pairs: &mut dyn Iterator<Item = (u8, u8)>| pairs.take_while(|(a, b)| a == b).count();
    let front = same(&mut text.bytes().zip(longer.bytes()));
    let back = same(&mut text.bytes().rev().zip(longer.bytes().rev()));
    front + back >= text.len()
}

/// Whatever is read from the state table and the server is written as something that is read alike.
pub fn stored(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(frontier) = Frontier::decode(&text) {
        assert_eq!(Frontier::decode(&frontier.encode()).ok(), Some(frontier));
    }
    if let Ok(position) = Position::decode(&text) {
        assert!(position.at_or_after(&position));
        assert_eq!(Position::decode(&position.encode()).ok(), Some(position));
    }
    if let Ok(set) = text.parse::<GtidSet>() {
        assert_eq!(set.to_string().parse::<GtidSet>().ok().as_ref(), Some(&set));
        let mut none = set.clone();
        none.subtract(&set);
        assert!(none.is_empty());
    }
    if let Ok(domains) = text.parse::<Domains>() {
        assert_eq!(
            domains.to_string().parse::<Domains>().ok().as_ref(),
            Some(&domains)
        );
        assert!(domains.ahead_of(&domains).is_empty());
    }
    if let Ok(phase) = text.parse::<Phase>() {
        assert_eq!(phase.as_str(), text);
    }
}

#[cfg(test)]
mod tests {
    use alterego_testkit::fuzz::vary;

    #[test]
    fn statement() {
        vary("statement", super::statement);
    }

    #[test]
    fn stored() {
        vary("stored", super::stored);
    }

    #[test]
    fn binlog() {
        vary("binlog", super::binlog);
    }

    #[test]
    fn compressed() {
        vary("compressed", super::compressed);
    }
}
