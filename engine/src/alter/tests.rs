//! What is understood, what is left to the server, and that only the splice ever differs from the client's text.

use proptest::prelude::*;

use super::*;
use crate::{Flavor, TableName};

const PLAIN: ReadMode = ReadMode {
    ansi_quotes: false,
    no_backslash_escapes: false,
};
const ANSI: ReadMode = ReadMode {
    ansi_quotes: true,
    no_backslash_escapes: false,
};

fn understood(sql: &str) -> Statement {
    understand(sql, PLAIN, Flavor::MySql).unwrap_or_else(|reason| panic!("{sql}: {reason:?}"))
}

/// The actions, as short text.
fn actions(statement: &Statement) -> String {
    let short = |action: &Action| format!("{action:?}").replace("Ident(\"", "(").replace("\")", ")");
    statement
        .actions()
        .iter()
        .map(short)
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn tables_are_named() {
    let check = |sql: &str, mode: ReadMode, schema: Option<&str>, table: &str| {
        let statement =
            understand(sql, mode, Flavor::MariaDb).unwrap_or_else(|reason| panic!("{sql}: {reason:?}"));
        assert_eq!((statement.schema(), statement.table()), (schema, table), "{sql}");
    };
    check("ALTER TABLE t ADD c INT", PLAIN, None, "t");
    check("alter table app.t add c int;", PLAIN, Some("app"), "t");
    check("ALTER TABLE `a``b` . `c.d` ADD c INT", PLAIN, Some("a`b"), "c.d");
    check("ALTER TABLE `t`ADD c INT", PLAIN, None, "t");
    check("ALTER TABLE app._t ADD c INT", PLAIN, Some("app"), "_t");
    check("ALTER TABLE app.1t ADD c INT", PLAIN, Some("app"), "1t");
    check("ALTER TABLE 1t ADD c INT", PLAIN, None, "1t");
    check("ALTER TABLE t$1 ADD c INT", PLAIN, None, "t$1");
    check("ALTER TABLE été ADD c INT", PLAIN, None, "été");
    check("ALTER TABLE \"my t\" ADD \"c\" INT", ANSI, None, "my t");
    check(
        "/* x */ ALTER -- y\n TABLE # z\n t ADD c INT ; -- end",
        PLAIN,
        None,
        "t",
    );
    check("ALTER TABLE IF EXISTS t ADD c INT", PLAIN, None, "t");
    check("ALTER TABLE t ADD c INT;\0", PLAIN, None, "t");
    check("ALTER TABLE t ADD c INT\0", PLAIN, None, "t");
    check("CREATE UNIQUE INDEX i ON app.t (a)", PLAIN, Some("app"), "t");
    check("DROP INDEX i ON `t`", PLAIN, None, "t");
}

#[test]
fn clauses_are_understood() {
    let check = |clauses: &str, expected: &str| {
        let statement = understood(&format!("ALTER TABLE t {clauses}"));
        assert_eq!(actions(&statement), expected, "{clauses}");
    };
    let check_each = |clauses: &str, expected: &[Action]| {
        assert_eq!(
            understood(&format!("ALTER TABLE t {clauses}")).actions(),
            expected,
            "{clauses}"
        );
    };
    let added = |column: &str| Action::AddColumn {
        name: crate::Ident::new(column),
        if_not_exists: false,
    };
    let index = |index: Option<&str>, kind| Action::AddIndex {
        name: index.map(crate::Ident::new),
        kind,
    };
    check_each("ADD c INT", &[added("c")]);
    check_each(
        "ADD COLUMN `c d` ENUM('a,b', 'c)') DEFAULT 'a,b' AFTER x, ADD e INT",
        &[added("c d"), added("e")],
    );
    check_each(
        "ADD (a INT, b DECIMAL(10,2), INDEX (a))",
        &[added("a"), added("b"), index(None, IndexKind::Plain)],
    );
    check_each("ADD COLUMN (a INT, b INT)", &[added("a"), added("b")]);
    check_each("ADD vector INT", &[added("vector")]);
    check_each("ADD system INT", &[added("system")]);
    check_each("ADD `index` INT", &[added("index")]);
    check_each("ADD c INT DEFAULT (a + IF(b, 1, 2)) COMMENT 'x'", &[added("c")]);
    check_each("ADD c VARCHAR(9) DEFAULT 'a\\'b, DROP d'", &[added("c")]);
    check_each("ADD c VARCHAR(9) DEFAULT \"a, DROP d\"", &[added("c")]);
    check("DROP c", "DropColumn { name: (c), if_exists: false }");
    check(
        "DROP COLUMN IF EXISTS c CASCADE",
        "DropColumn { name: (c), if_exists: true }",
    );
    check(
        "CHANGE a b INT FIRST",
        "ChangeColumn { old: (a), new: (b), if_exists: false }",
    );
    check(
        "CHANGE COLUMN a `a b` INT",
        "ChangeColumn { old: (a), new: (a b), if_exists: false }",
    );
    check(
        "RENAME COLUMN a TO b",
        "RenameColumn { old: (a), new: (b), if_exists: false }",
    );
    check(
        "MODIFY a INT NOT NULL",
        "ModifyColumn { name: (a), if_exists: false }",
    );
    check("ALTER a SET DEFAULT 5", "AlterColumn { name: (a) }");
    check("ALTER COLUMN a SET DEFAULT (now())", "AlterColumn { name: (a) }");
    check("ALTER a DROP DEFAULT", "AlterColumn { name: (a) }");
    check("ALTER INDEX i INVISIBLE", "IndexVisibility { name: (i) }");
    check("ALTER KEY i NOT IGNORED", "IndexVisibility { name: (i) }");
    check("ALTER CHECK c NOT ENFORCED", "AlterConstraint { name: (c) }");
    check("ADD CONSTRAINT CHECK (a > 0)", "AddCheck");
    check("ADD CONSTRAINT c CHECK (a > 0)", "AddCheck");
    check_each("ADD UNIQUE KEY u (a, b)", &[index(Some("u"), IndexKind::Unique)]);
    check_each(
        "ADD CONSTRAINT u UNIQUE (a)",
        &[index(Some("u"), IndexKind::Unique)],
    );
    check_each(
        "ADD PRIMARY KEY USING BTREE (a)",
        &[index(None, IndexKind::Primary)],
    );
    check_each(
        "ADD FULLTEXT INDEX f (a) WITH PARSER ngram",
        &[index(Some("f"), IndexKind::Fulltext)],
    );
    check_each("ADD SPATIAL (g)", &[index(None, IndexKind::Spatial)]);
    check("DROP PRIMARY KEY", "DropIndex { name: (PRIMARY) }");
    check("DROP KEY k", "DropIndex { name: (k) }");
    check("DROP CONSTRAINT c", "DropConstraint { name: (c) }");
    check("RENAME INDEX a TO b", "RenameIndex { old: (a), new: (b) }");
    check(
        "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "ConvertCharset",
    );
    check("FORCE", "Force");
    check(
        "ENGINE = 'InnoDB' ROW_FORMAT=DYNAMIC COMMENT='x, y'",
        "Option(Engine); Option(Storage); Option(Comment)",
    );
    check(
        "DEFAULT CHARACTER SET = utf8mb4 COLLATE utf8mb4_bin",
        "Option(DefaultCharset); Option(DefaultCharset)",
    );
    check(
        "AUTO_INCREMENT 5, STATS_PERSISTENT=DEFAULT",
        "Option(AutoIncrement); Option(Statistics)",
    );
    check(
        "PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (5), PARTITION q VALUES LESS THAN MAXVALUE)",
        "PartitionBy",
    );
    check("FORCE PARTITION BY HASH (a) PARTITIONS 4", "Force; PartitionBy");
    check("REMOVE PARTITIONING", "RemovePartitioning");
}

#[test]
fn a_declined_form_that_renames_is_forgotten() {
    let check = |flavor, clauses: &str, expected: &[&str]| {
        let statement = understand(&format!("ALTER TABLE t {clauses}"), PLAIN, flavor).unwrap();
        let forms = statement.forgetting();
        let forms: Vec<&str> = forms.iter().map(|asked| asked.sql.as_str()).collect();
        assert_eq!(forms, expected, "{clauses}");
    };
    check(
        Flavor::MariaDb,
        "CHANGE a b BIGINT",
        &[
            "ALTER TABLE t DROP COLUMN `alterego: not a column`, CHANGE a b BIGINT",
            "ALTER TABLE t DROP COLUMN `alterego: not a column`",
        ],
    );
    check(Flavor::MariaDb, "CHANGE a a BIGINT", &[]);
    check(Flavor::MySql, "CHANGE a b BIGINT", &[]);
}

#[test]
fn where_the_numbering_goes_on() {
    let check = |clauses: &str, expected| {
        let statement = understood(&format!("ALTER TABLE t {clauses}"));
        assert_eq!(statement.counter(), expected, "{clauses}");
    };
    check("AUTO_INCREMENT=7", Some(7));
    check(
        "ADD a INT, auto_increment 5, AUTO_INCREMENT = 1 COMMENT='9'",
        Some(1),
    );
    check("MODIFY id INT AUTO_INCREMENT, ADD b INT DEFAULT 3", None);
    check("MODIFY id INT AUTO_INCREMENT, AUTO_INCREMENT=12", Some(12));
    check("COMMENT='AUTO_INCREMENT=7'", None);
}

#[test]
fn what_the_server_must_do_is_left_to_it() {
    let check = |sql: &str, reason: &str| match understand(sql, PLAIN, Flavor::MySql) {
        Err(NotOurs::Native(refusal)) => assert!(refusal.0.contains(reason), "{sql}: {refusal}"),
        other => panic!("{sql}: {other:?}"),
    };
    let odd = "could not be read";
    let unclear = "not fully understood";
    check("ALTER TABLE t ADD c INT, ALGORITHM=COPY", "ALGORITHM");
    check("ALTER TABLE t LOCK=NONE, ADD c INT", "ALGORITHM");
    check("ALTER ONLINE TABLE t ADD c INT", "ALGORITHM");
    check("ALTER IGNORE TABLE t ADD UNIQUE (a)", "IGNORE");
    check("ALTER TABLE t NOWAIT ADD c INT", "WAIT");
    check("ALTER TABLE t WAIT 5 ADD c INT", "WAIT");
    check("ALTER TABLE t RENAME TO u", "renames");
    check("ALTER TABLE t ADD c INT, RENAME u", "renames");
    check(
        "ALTER TABLE t ADD PARTITION (PARTITION p VALUES IN (1))",
        "partitions",
    );
    check("ALTER TABLE t TRUNCATE PARTITION p", "partitions");
    check("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", "partitions");
    check("ALTER TABLE t DISCARD TABLESPACE", "tablespace");
    check("ALTER TABLE t ORDER BY a", "ORDER BY");
    check("ALTER TABLE t DISABLE KEYS", "keys");
    check(
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (b)",
        "foreign key",
    );
    check(
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (b)",
        "foreign key",
    );
    check("ALTER TABLE t DROP FOREIGN KEY f", "foreign key");
    check("ALTER TABLE t ADD c INT REFERENCES u (b)", "foreign key");
    check("ALTER TABLE t ADD SYSTEM VERSIONING", "versioning");
    check("ALTER TABLE t ENGINE=MyISAM", "storage engine");
    check("ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT", "current schema");
    check("ALTER TABLE t DEFAULT CHARSET=DEFAULT", "current schema");
    check("ALTER TABLE t ADD c INT; SELECT 1", "several");
    check("ALTER TABLE t ADD c INT; ALTER TABLE t ADD d INT", "several");
    check("ALTER TABLE t ADD c INT /*!80000 INVISIBLE */", "version comment");
    check("ALTER TABLE t ADD c INT /*M! INVISIBLE */", "version comment");
    check("/*!80000 ALTER TABLE t ADD c INT */", "version comment");
    check("ALTER TABLE t", "changes nothing");
    check("ALTER TABLE t ADD", unclear);
    check("ALTER TABLE t ADD c", unclear);
    check("ALTER TABLE t ADD c INT,", unclear);
    check("ALTER TABLE t ADD c INT, PARTITION BY HASH(a)", unclear);
    check("ALTER TABLE t ADD c DECIMAL(1,2", unclear);
    check("ALTER TABLE t FROBNICATE", unclear);
    check("ALTER TABLE t ADD t.c INT", unclear);
    check("ALTER TABLE a.b.c ADD d INT", unclear);
    check("ALTER TABLE t TABLESPACE ts", unclear);
    check("ALTER TABLE t ADD c INT --", odd);
    check("ALTER TABLE t ADD c INT --\u{1}x", odd);
    check("ALTER TABLE t ADD c INT --\u{a0}, DROP d", odd);
    check("ALTER TABLE t\u{a0}ADD c INT", unclear);
    check("ALTER TABLE t\u{2003}ADD c INT", unclear);
    check("ALTER TABLE $t$ ADD c INT", odd);
    check("ALTER TABLE t ADD c INT DEFAULT ?", odd);
    check("ALTER TABLE t ADD c INT COMMENT 'open", odd);
    check("ALTER TABLE t ADD c INT /* open", odd);
    check("ALTER TABLE \"t\" ADD c INT", unclear);
    check("CREATE INDEX i ON t (a) ALGORITHM=INPLACE", "ALGORITHM");
    check("CREATE INDEX i ON t (a) LOCK NONE", "ALGORITHM");
    check("DROP INDEX i ON t ALGORITHM=INPLACE", "ALGORITHM");
    check("DROP INDEX i ON t NOWAIT", "WAIT");
    check("DROP INDEX i", unclear);
}

#[test]
fn other_statements_are_none_of_ours() {
    for sql in [
        "",
        ";",
        "SELECT 1",
        "ALTER USER u IDENTIFIED BY 'x'",
        "ALTER VIEW v AS SELECT 1",
        "ALTER ALGORITHM=MERGE VIEW v AS SELECT 1",
        "ALTER DATABASE d CHARACTER SET utf8mb4",
        "ALTER TABLESPACE ts ADD DATAFILE 'x'",
        "CREATE TABLE t (a INT)",
        "CREATE OR REPLACE TABLE t (a INT)",
        "CREATE UNIQUE",
        "DROP TABLE t",
        "TRUNCATE t",
        "SELECT 1; ALTER TABLE t ADD c INT",
        "/*!40101 SET NAMES utf8mb4 */",
        "INDEX i ON t",
        "ALTER `TABLE` t ADD c INT",
        "SELECT 'open",
    ] {
        assert_eq!(
            understand(sql, PLAIN, Flavor::MySql),
            Err(NotOurs::Unrelated),
            "{sql}"
        );
    }
}

#[test]
fn the_session_decides_how_text_is_read() {
    let names = |sql: &str, mode: ReadMode| understand(sql, mode, Flavor::MySql).map(|s| actions(&s)).ok();
    let escapes = "ALTER TABLE t ADD a CHAR(9) DEFAULT '\\', ADD b CHAR(9) DEFAULT ', ADD c INT -- '";
    let no_escapes = ReadMode {
        no_backslash_escapes: true,
        ..PLAIN
    };
    assert_eq!(
        names(escapes, PLAIN).map(|text| text.matches("AddColumn").count()),
        Some(2)
    );
    assert_eq!(
        names(escapes, no_escapes).map(|text| text.matches("AddColumn").count()),
        Some(2)
    );
    assert!(names(escapes, PLAIN).is_some_and(|text| text.contains("(c)")));
    assert!(names(escapes, no_escapes).is_some_and(|text| text.contains("(b)")));
    let quotes = "ALTER TABLE t DROP \"a, DROP b\"";
    assert_eq!(names(quotes, PLAIN), None);
    assert!(names(quotes, ANSI).is_some_and(|text| text.contains("(a, DROP b)")));
}

#[test]
fn the_server_is_asked() {
    let check = |sql: &str, flavor: Flavor, question: &str, forced: &str, in_place: Option<&str>| {
        let statement = understand(sql, PLAIN, flavor).unwrap_or_else(|reason| panic!("{sql}: {reason:?}"));
        assert_eq!(statement.question().sql, question);
        assert_eq!(statement.forced_question().sql, forced);
        assert_eq!(statement.in_place().map(|asked| asked.sql).as_deref(), in_place);
    };
    check(
        "ALTER TABLE t /* x */ ADD c INT; -- y",
        Flavor::MySql,
        "ALTER TABLE t /* x */ ALGORITHM=INSTANT, ADD c INT; -- y",
        "ALTER TABLE t /* x */ DROP COLUMN `alterego: not a column`, ADD c INT; -- y",
        None,
    );
    check(
        "ALTER TABLE t PARTITION BY HASH(a)",
        Flavor::MySql,
        "ALTER TABLE t ALGORITHM=INSTANT PARTITION BY HASH(a)",
        "ALTER TABLE t DROP COLUMN `alterego: not a column` PARTITION BY HASH(a)",
        None,
    );
    let instant = "CREATE INDEX i ON t (a) COMMENT 'x' ALGORITHM=INSTANT -- y";
    check(
        "CREATE INDEX i ON t (a) COMMENT 'x' -- y",
        Flavor::MySql,
        instant,
        instant,
        None,
    );
    check(
        "DROP INDEX i ON t",
        Flavor::MySql,
        "DROP INDEX i ON t ALGORITHM=INSTANT",
        "DROP INDEX i ON t ALGORITHM=INSTANT",
        Some("DROP INDEX i ON t ALGORITHM=INPLACE LOCK=NONE"),
    );
    check(
        "DROP INDEX IF EXISTS `i` ON app . t ;",
        Flavor::MariaDb,
        "ALTER TABLE app . t ALGORITHM=INSTANT, DROP INDEX IF EXISTS `i`",
        "ALTER TABLE app . t ALGORITHM=INSTANT, DROP INDEX IF EXISTS `i`",
        Some("ALTER TABLE app . t ALGORITHM=NOCOPY, LOCK=NONE, DROP INDEX IF EXISTS `i`"),
    );
    check(
        "ALTER TABLE t COMMENT='x', RENAME INDEX a TO b",
        Flavor::MySql,
        "ALTER TABLE t ALGORITHM=INSTANT, COMMENT='x', RENAME INDEX a TO b",
        "ALTER TABLE t DROP COLUMN `alterego: not a column`, COMMENT='x', RENAME INDEX a TO b",
        Some("ALTER TABLE t ALGORITHM=INPLACE, LOCK=NONE, COMMENT='x', RENAME INDEX a TO b"),
    );
}

#[test]
fn the_same_clauses_on_another_table() {
    let ghost = TableName::new("app__ghost", "t");
    let check = |sql: &str, flavor: Flavor, algorithm: Option<&str>, expected: &str| {
        let statement = understand(sql, PLAIN, flavor).unwrap_or_else(|reason| panic!("{sql}: {reason:?}"));
        assert_eq!(statement.on(&ghost, algorithm), expected);
    };
    let (mysql, mariadb) = (Flavor::MySql, Flavor::MariaDb);
    check(
        "ALTER TABLE t ADD c INT; -- x",
        mysql,
        None,
        "ALTER TABLE `app__ghost`.`t` ADD c INT",
    );
    check(
        "ALTER TABLE app.`t`ADD c INT",
        mysql,
        Some("INPLACE"),
        "ALTER TABLE `app__ghost`.`t`ALGORITHM=INPLACE, ADD c INT",
    );
    check(
        "CREATE INDEX i ON t(a) -- x",
        mysql,
        Some("INPLACE"),
        "CREATE INDEX i ON `app__ghost`.`t`(a) ALGORITHM=INPLACE",
    );
    check(
        "DROP INDEX i ON t;",
        mysql,
        None,
        "DROP INDEX i ON `app__ghost`.`t`",
    );
    check(
        "DROP INDEX i ON t",
        mariadb,
        Some("INPLACE"),
        "ALTER TABLE `app__ghost`.`t` ALGORITHM=INPLACE, DROP INDEX i",
    );
}

/// Pieces of statements, with odd quoting, white space and comments between them.
fn sql() -> impl Strategy<Value = String> {
    let gap = prop::sample::select(vec![
        " ",
        "\t",
        "\r\n",
        "/* , ' */",
        " -- ; '\n",
        "# `\n",
        "/**/",
        "  ",
    ]);
    let name = prop::sample::select(vec![
        "t", "`a b`", "`x``y`", "été", "`;`", "`--`", "_u", "t$", "`/*`",
    ]);
    let clause = prop::sample::select(vec![
        "ADD c INT",
        "ADD `c;d` VARCHAR(5) DEFAULT 'it''s, \\' ;'",
        "ADD d CHAR(3) COMMENT \"/* , \"",
        "DROP COLUMN x",
        "CHANGE `a` `b,c` ENUM('x,y','(') FIRST",
        "MODIFY é DECIMAL(10 , 2)",
        "ENGINE=InnoDB COMMENT='-- x'",
        "ADD UNIQUE u (a(3), b DESC)",
        "ADD CHECK (a <> ')')",
        "RENAME COLUMN a TO b",
    ]);
    let end = prop::sample::select(vec![
        "",
        ";",
        " ; ",
        "; -- done",
        "/* x */",
        "\0",
        " PARTITION BY HASH (a)",
    ]);
    (
        gap.clone(),
        name,
        gap.clone(),
        prop::collection::vec((clause, gap), 1..5),
        end,
    )
        .prop_map(|(gap, name, other_gap, clauses, end)| {
            let clauses: Vec<String> = clauses
                .iter()
                .map(|(clause, gap)| format!("{clause}{gap}"))
                .collect();
            format!("ALTER TABLE{gap}{name}{other_gap}{}{end}", clauses.join(","))
        })
}

proptest! {
    #[test]
    fn only_the_splice_differs(sql in sql()) {
        let statement = understood(&sql);
        for asked in [statement.question(), statement.forced_question()] {
            let added = asked.sql.len() - sql.len();
            let at = asked.sql.bytes().zip(sql.bytes()).position(|(a, b)| a != b).unwrap_or(sql.len());
            // The first differing byte may lie behind the splice's start when both begin alike.
            let removed = (0..=at).any(|start| {
                let mut rest = asked.sql.clone().into_bytes();
                rest.drain(start..start + added);
                rest == sql.as_bytes()
            });
            prop_assert!(removed, "{}", asked.sql);
            prop_assert_eq!(understand(&asked.sql, PLAIN, Flavor::MySql).is_err(), asked.declined_text.is_none());
        }
    }

    #[test]
    fn no_text_panics(sql in "(ALTER|CREATE|DROP) (TABLE|INDEX|UNIQUE INDEX) [a-z`'\"(),.;=*/# \\-\\\\$@\u{0}é]{0,40}", ansi: bool, plain: bool) {
        let mode = ReadMode { ansi_quotes: ansi, no_backslash_escapes: plain };
        if let Ok(statement) = understand(&sql, mode, Flavor::MariaDb) {
            statement.question();
            statement.forced_question();
            statement.in_place();
            statement.on(&TableName::new("a", "b"), Some("INPLACE"));
        }
    }
}

#[test]
fn comments_for_alterego_are_heard() {
    let check = |sql: &str, expected: &[&str]| assert_eq!(understood(sql).hints(), expected, "{sql}");
    check("ALTER TABLE t ADD c INT", &[]);
    check("ALTER TABLE t /* alterego is fine */ ADD c INT", &[" is fine "]);
    check(
        "/*alterego check=\"a\"*/ ALTER TABLE t ADD c INT /*alterego b*/",
        &[" check=\"a\"", " b"],
    );
    check(
        "ALTER TABLE t ADD c INT /*alteregos x*/ /* not alterego x */ -- alterego y",
        &[],
    );
}

#[test]
fn the_table_is_named_however_little_is_understood() {
    let check = |sql: &str, expected: Option<(Option<&str>, &str)>| {
        let expected = expected.map(|(schema, table)| (schema.map(str::to_owned), table.to_owned()));
        assert_eq!(named(sql, ReadMode::default()), expected, "{sql}");
    };
    check("ALTER TABLE t ALGORITHM=COPY, FORCE", Some((None, "t")));
    check(
        "alter ignore table `a b`.t add unique (a)",
        Some((Some("a b"), "t")),
    );
    check("ALTER ONLINE TABLE IF EXISTS t ADD a INT", Some((None, "t")));
    check(
        "CREATE UNIQUE INDEX i USING HASH ON app.t (a) LOCK=NONE",
        Some((Some("app"), "t")),
    );
    check("DROP INDEX i ON t ALGORITHM=INPLACE", Some((None, "t")));
    check("ALTER TABLE t; SELECT 1", Some((None, "t")));
    check("ALTER TABLE", None);
    check("CREATE INDEX i", None);
    check("ALTER VIEW v AS SELECT 1", None);
    check("SELECT 1", None);
}
