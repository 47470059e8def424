//! Statements in the binary log: which steer transactions, which change the source behind the row events' back.
//!
//! # Why this is safe
//! Wrongly taking a statement for one that changes the source ends a migration; the other mistake loses rows. So
//! statements that change data count whenever they mention the source or run in its schema (a trigger or a view may
//! lead from one table to the other), and only statements known to leave tables alone are passed over.

use super::token::{NO_BACKSLASH_ESCAPES, Token, tokens};
use super::transaction::Step;
use crate::alter::ReadMode;
use crate::{TableName, names};

/// The comment the engine puts into its own statements about the source.
pub const OWN_COMMENT: &str = "/* alterego */";

/// What a statement is to a stream that follows one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// It begins, divides or ends a transaction.
    Control(Step),
    /// It leaves the source as it is.
    Unrelated,
    /// It changes the source's definition, or empties or replaces it.
    Alters,
    /// It may change the source's rows without row events.
    Changes,
}

/// The tables of a migration as statements name them: the source, its ghost, and the engine's own record of it.
#[derive(Clone, Debug)]
pub(super) struct Names {
    source: TableName,
    /// Defined by the engine alone: a table of another definition would be swapped in.
    ghost: TableName,
    /// Without its record nobody could finish what a crash interrupts.
    record: TableName,
    ignore_case: bool,
}

/// A statement as a query event holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a> {
    pub(super) schema: &'a [u8],
    pub(super) sql: &'a [u8],
    pub(super) sql_mode: u64,
}

/// Whether a session's statement would change the definition of the migration's tables, or empty them: the stream would
/// end by it. `schema` is the session's default one.
pub(crate) fn alters(source: &TableName, ignore_case: bool, schema: &str, sql: &str, mode: ReadMode) -> bool {
    let query = Query {
        schema: schema.as_bytes(),
        sql: sql.as_bytes(),
        sql_mode: if mode.no_backslash_escapes {
            NO_BACKSLASH_ESCAPES
        } else {
            0
        },
    };
    Names::new(source.clone(), ignore_case).classify(query) == Statement::Alters
}

impl Names {
    pub(super) fn new(source: TableName, ignore_case: bool) -> Self {
        Self {
            ghost: names::ghost(&source),
            record: names::record(),
            source,
            ignore_case,
        }
    }

    /// Whether `schema` and `table` are the source's own names, as a table map spells them.
    pub(super) fn are(&self, schema: &[u8], table: &[u8]) -> bool {
        self.is_schema(schema) && self.is_table(table)
    }

    /// The tables whose definition nobody else may change.
    fn tables(&self) -> [&TableName; 3] {
        [&self.source, &self.ghost, &self.record]
    }

    fn is_schema(&self, name: &[u8]) -> bool {
        self.same(name, self.source.schema.as_str())
    }

    fn is_table(&self, name: &[u8]) -> bool {
        self.same(name, self.source.table.as_str())
    }

    fn same(&self, name: &[u8], expected: &str) -> bool {
        match std::str::from_utf8(name) {
            Ok(name) if self.ignore_case => name.to_lowercase() == expected.to_lowercase(),
            Ok(name) => name == expected,
            // A name in another character set: it could be this one, unless this one is plain ASCII.
            Err(_) => !expected.is_ascii(),
        }
    }

    /// What `query` is to the source.
    pub(super) fn classify(&self, query: Query<'_>) -> Statement {
        let tokens = tokens(query.sql, query.sql_mode);
        let Some(first) = tokens.first() else {
            return Statement::Unrelated;
        };
        if let Some(step) = control(&tokens) {
            return Statement::Control(step);
        }
        if contains(query.sql, OWN_COMMENT.as_bytes()) {
            return Statement::Unrelated;
        }
        let is = |words: &[&str]| words.iter().any(|word| first.is(word));
        if is(&["ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE"]) {
            self.definition(&tokens, query.schema)
        } else if is(&[
            "ANALYZE",
            "OPTIMIZE",
            "REPAIR",
            "CHECK",
            "FLUSH",
            "GRANT",
            "REVOKE",
            "SET",
            "INSTALL",
            "UNINSTALL",
            "CHANGE",
            "RESET",
            "PURGE",
            "USE",
        ]) {
            Statement::Unrelated
        } else {
            self.data(&tokens, query.schema)
        }
    }

    fn data(&self, tokens: &[Token], schema: &[u8]) -> Statement {
        let named = tokens
            .iter()
            .filter_map(Token::name)
            .any(|name| self.is_schema(name) || self.is_table(name));
        if named || self.is_schema(schema) {
            Statement::Changes
        } else {
            Statement::Unrelated
        }
    }

    fn definition(&self, tokens: &[Token], schema: &[u8]) -> Statement {
        if tokens.iter().take(4).any(|token| token.is("TEMPORARY")) {
            return Statement::Unrelated;
        }
        let concerns = |table: &TableName| match object(tokens) {
            Object::Table => !is_idle_create(tokens) && self.is_target(table, tokens, schema),
            Object::Schema => {
                let drops = tokens.first().is_some_and(|first| first.is("DROP"));
                drops
                    && tokens
                        .iter()
                        .filter_map(Token::name)
                        .any(|name| self.same(name, table.schema.as_str()))
            }
            Object::Other => false,
        };
        if self.tables().into_iter().any(concerns) {
            Statement::Alters
        } else {
            Statement::Unrelated
        }
    }

    /// Whether a table that a definition statement is about is this one: its name stands where one is introduced.
    fn is_target(&self, table: &TableName, tokens: &[Token], schema: &[u8]) -> bool {
        let is_table = |token: &Token| {
            token
                .name()
                .is_some_and(|name| self.same(name, table.table.as_str()))
        };
        tokens.iter().enumerate().any(|(place, token)| {
            if !is_table(token) {
                return false;
            }
            let before = tokens.get(..place).unwrap_or_default();
            if let [before @ .., qualifier, Token::Symbol(b'.')] = before {
                let of_schema = qualifier
                    .name()
                    .is_some_and(|name| self.same(name, table.schema.as_str()));
                return of_schema && introduces_table(before);
            }
            self.same(schema, table.schema.as_str()) && introduces_table(before)
        })
    }
}

/// Whether a table's name may follow these tokens of a definition statement.
///
/// In lists of columns names follow commas and parentheses, too, and new ones follow `TO`; so those count only in
/// statements that have no columns. `LIKE` and `FROM` introduce what is only read.
fn introduces_table(before: &[Token]) -> bool {
    const ALWAYS: [&str; 11] = [
        "TABLE",
        "TABLES",
        "EXISTS",
        "ON",
        "REFERENCES",
        "TRUNCATE",
        "RENAME",
        "ONLY",
        "NOWAIT",
        "WAIT",
        "ONLINE",
    ];
    let lists_tables = before
        .first()
        .is_some_and(|first| first.is("DROP") || first.is("RENAME"));
    match before {
        [.., last] if ALWAYS.iter().any(|word| last.is(word)) => true,
        [.., Token::Symbol(b',' | b'(')] => lists_tables,
        [.., rename, last] if last.is("TO") || last.is("AS") || matches!(last, Token::Symbol(b'=')) => {
            lists_tables || rename.is("RENAME")
        }
        _ => false,
    }
}

/// What kind of object a definition statement is about.
enum Object {
    Table,
    Schema,
    Other,
}

fn object(tokens: &[Token]) -> Object {
    let kind = tokens.iter().find_map(|token| {
        let is = |words: &[&str]| words.iter().any(|word| token.is(word));
        if is(&["TABLE", "TABLES", "INDEX", "TRIGGER"]) {
            Some(Object::Table)
        } else if is(&["DATABASE", "SCHEMA"]) {
            Some(Object::Schema)
        } else if is(&[
            "VIEW",
            "PROCEDURE",
            "FUNCTION",
            "EVENT",
            "USER",
            "ROLE",
            "SERVER",
            "PACKAGE",
            "SEQUENCE",
            "TABLESPACE",
            "LOGFILE",
            "RESOURCE",
            "SPATIAL",
            "LIBRARY",
            "INSTANCE",
        ]) {
            Some(Object::Other)
        } else {
            None
        }
    });
    // `TRUNCATE t` names no kind; what is not known is looked at as a table.
    kind.unwrap_or(Object::Table)
}

/// `CREATE TABLE IF NOT EXISTS` of a table that exists does nothing; the source does, until an event says otherwise.
fn is_idle_create(tokens: &[Token]) -> bool {
    match tokens {
        [create, table, if_, not, exists, ..] => {
            create.is("CREATE") && table.is("TABLE") && if_.is("IF") && not.is("NOT") && exists.is("EXISTS")
        }
        _ => false,
    }
}

/// What the statement means for the transaction, if it is about nothing else.
fn control(tokens: &[Token]) -> Option<Step> {
    let is = |place: usize, word: &str| tokens.get(place).is_some_and(|token| token.is(word));
    let xa = is(0, "XA");
    if is(0, "BEGIN") || is(0, "START") && is(1, "TRANSACTION") || xa && (is(1, "START") || is(1, "BEGIN")) {
        Some(Step::Begin)
    } else if is(0, "SAVEPOINT")
        || is(0, "RELEASE")
        || is(0, "ROLLBACK") && (is(1, "TO") || is(2, "TO"))
        || xa && is(1, "END")
    {
        Some(Step::Part)
    } else if is(0, "COMMIT") || is(0, "ROLLBACK") || xa {
        Some(Step::End)
    } else {
        None
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(schema: &str, sql: &str) -> Statement {
        let names = Names::new(TableName::new("app", "t"), false);
        names.classify(Query {
            schema: schema.as_bytes(),
            sql: sql.as_bytes(),
            sql_mode: 0,
        })
    }

    #[test]
    fn transactions_are_steered() {
        let check =
            |sql: &str, step: Step| assert_eq!(classify("app", sql), Statement::Control(step), "{sql}");
        check("BEGIN", Step::Begin);
        check("XA START X'7831',X'',1", Step::Begin);
        check("XA END X'7831',X'',1", Step::Part);
        check("XA ROLLBACK X'7831',X'',1", Step::End);
        check("XA COMMIT X'7831',X'',1", Step::End);
        check("SAVEPOINT `t`", Step::Part);
        check("ROLLBACK TO `t`", Step::Part);
        check("COMMIT", Step::End);
        check("ROLLBACK", Step::End);
    }

    #[test]
    fn definitions_of_the_source_are_seen() {
        let check = |schema: &str, sql: &str, expected: Statement| {
            assert_eq!(classify(schema, sql), expected, "{schema}: {sql}");
        };
        for sql in [
            "ALTER TABLE t ADD x INT",
            "alter /* c */ table `t` add x int",
            "TRUNCATE t",
            "truncate table t",
            "RENAME TABLE a TO b, t TO u",
            "RENAME TABLE a TO t",
            "DROP TABLE `a`,`t` /* generated by server */",
            "CREATE UNIQUE INDEX i ON t (a)",
            "DROP INDEX i ON t",
            "CREATE DEFINER=`r`@`%` TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a=1",
            "CREATE OR REPLACE TABLE t (a INT)",
            "ALTER TABLE u EXCHANGE PARTITION p WITH TABLE t",
            "ALTER TABLE u ADD FOREIGN KEY (a) REFERENCES t (a)",
            "ALTER TABLE IF EXISTS t ADD x INT",
            "ALTER TABLE u RENAME TO t",
            "ALTER TABLE u RENAME AS t",
            "ALTER TABLE u RENAME t",
            "CREATE TABLE u (a INT, FOREIGN KEY (a) REFERENCES t (a))",
        ] {
            check("app", sql, Statement::Alters);
            check("other", sql, Statement::Unrelated);
            check(
                "other",
                &sql.replace(" t ", " app.t "),
                if sql.contains(" t ") {
                    Statement::Alters
                } else {
                    Statement::Unrelated
                },
            );
        }
        check("other", "DROP DATABASE app", Statement::Alters);
        check("other", "ALTER TABLE `app`.`t` ADD x INT", Statement::Alters);
        check("app", "ALTER TABLE other.t ADD x INT", Statement::Unrelated);
    }

    #[test]
    fn definitions_of_the_engines_own_tables_are_seen() {
        for sql in [
            "TRUNCATE app__ghost.t",
            "ALTER TABLE app__ghost.t ADD x INT",
            "DROP TABLE `app__ghost`.`t` /* generated by server */",
            "RENAME TABLE x.t TO app__ghost.t",
            "CREATE TRIGGER x BEFORE INSERT ON app__ghost.t FOR EACH ROW SET @a=1",
            "DROP DATABASE app__ghost",
            "DROP DATABASE alterego",
            "TRUNCATE alterego.migrations",
            "ALTER TABLE alterego.migrations DROP COLUMN phase",
        ] {
            assert_eq!(classify("other", sql), Statement::Alters, "{sql}");
            let ours = format!("{sql} {OWN_COMMENT}");
            assert_eq!(classify("other", &ours), Statement::Unrelated, "{ours}");
        }
        assert_eq!(classify("app__ghost", "TRUNCATE t"), Statement::Alters);
    }

    #[test]
    fn other_definitions_are_passed_over() {
        for sql in [
            "ALTER TABLE u ADD t INT",
            "ALTER TABLE u COMMENT 'for t'",
            "CREATE VIEW v AS SELECT * FROM t",
            "CREATE DEFINER=`r`@`%` PROCEDURE p() ALTER TABLE t ADD x INT",
            "CREATE TEMPORARY TABLE t (a INT)",
            "DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`",
            "CREATE TABLE IF NOT EXISTS t (a INT)",
            "ANALYZE TABLE t",
            "OPTIMIZE TABLE t",
            "FLUSH TABLES t",
            "GRANT SELECT ON t TO u",
            "DROP DATABASE other",
            "ALTER DATABASE app CHARACTER SET utf8mb4",
            "/* alterego */ RENAME TABLE app.t TO app__old.t",
            "ALTER TABLE u ADD COLUMN x INT, RENAME COLUMN y TO z",
            "ALTER TABLE u RENAME COLUMN y TO t, RENAME INDEX y TO t",
            "ALTER TABLE u ADD KEY (t), DROP COLUMN x, ADD COLUMN (t INT, y INT)",
            "CREATE TABLE u (t INT, id INT, y INT, t INT)",
            "CREATE TABLE u LIKE t",
            "CREATE TABLE u AS SELECT * FROM v, t",
            "CREATE TABLE alterego.other (i INT)",
            "CREATE TABLE IF NOT EXISTS alterego.migrations (i INT)",
            "CREATE DATABASE IF NOT EXISTS app__ghost",
            "DROP TABLE app__old.t, app__ghost.other",
            "",
        ] {
            assert_eq!(classify("app", sql), Statement::Unrelated, "{sql}");
        }
    }

    #[test]
    fn statements_that_change_data_are_not_understood() {
        let check = |schema: &str, sql: &str, expected: Statement| {
            assert_eq!(classify(schema, sql), expected, "{schema}: {sql}");
        };
        check("app", "insert into t values (1)", Statement::Changes);
        check("app", "insert into u values (1)", Statement::Changes);
        check("other", "insert into u values (1)", Statement::Unrelated);
        check("other", "update app.u set a=1", Statement::Changes);
        check("other", "replace into u select * from x.t", Statement::Changes);
        check("other", "CALL app.p()", Statement::Changes);
    }

    #[test]
    fn case_counts_where_the_server_says_so() {
        let names = |ignore_case| Names::new(TableName::new("app", "Tête"), ignore_case);
        assert!(names(true).are(b"APP", "TÊTE".as_bytes()));
        assert!(!names(false).are(b"app", "tête".as_bytes()));
        assert!(names(false).are(b"app", b"T\xEAte"));
        assert!(!names(false).are(b"\xEA", "Tête".as_bytes()));
    }
}
