//! The classes of ALTER, and how each is to be done.

use alterego_testkit::Flavor;

/// How a class is to be done with `--strategy auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By a migration: the server would have rebuilt the table or built an index.
    Ghost,
    /// By the server, at once.
    Native,
    /// Whichever: the server only touches the description, though not by ALGORITHM=INSTANT.
    Either,
    /// By the server whatever the strategy.
    Never,
}

/// What the writers do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// Updates, changes of the primary key, deletes and inserts.
    All,
    /// No inserts: natively, too, they would be refused after this ALTER.
    NoInserts,
    /// Nothing: there are warnings, which tell of the rows at one moment, or the table's name changes.
    Nothing,
}

/// One class.
pub(super) struct Case {
    /// What fails, if it fails.
    pub(super) name: &'static str,
    /// Run on the fresh table first.
    pub(super) before: &'static str,
    /// The statement; the default schema is the table's.
    pub(super) alter: &'static str,
    mysql: Way,
    mariadb: Way,
    /// Whether `--strategy ghost` makes a migration of it.
    pub(super) forced: bool,
    /// What the writers do.
    pub(super) writes: Writes,
    /// Whether AUTO_INCREMENT is not compared.
    pub(super) any_counter: bool,
}

impl Case {
    pub(super) fn way(&self, flavor: Flavor) -> Way {
        match flavor {
            Flavor::MySql => self.mysql,
            Flavor::MariaDb => self.mariadb,
        }
    }

    const fn after(mut self, before: &'static str) -> Case {
        self.before = before;
        self
    }

    const fn no_inserts(mut self) -> Case {
        self.writes = Writes::NoInserts;
        self
    }

    const fn quiet(mut self) -> Case {
        self.writes = Writes::Nothing;
        self
    }

    /// The server's own way leaves a counter that depends on the table's past.
    const fn any_counter(mut self) -> Case {
        self.any_counter = true;
        self
    }

    const fn unforced(mut self) -> Case {
        self.forced = false;
        self
    }
}

const fn case(name: &'static str, mysql: Way, mariadb: Way, alter: &'static str) -> Case {
    let forced = !matches!(mysql, Way::Never);
    Case {
        name,
        before: "",
        alter,
        mysql,
        mariadb,
        forced,
        writes: Writes::All,
        any_counter: false,
    }
}

/// The table. Writers touch `id`, `a`, `n`, `b` and `code`; the other columns are the ALTERs'.
pub(super) const TABLE: &str = "CREATE TABLE t (
    id INT NOT NULL AUTO_INCREMENT,
    a INT NOT NULL DEFAULT 7,
    n INT,
    b VARCHAR(50) COLLATE utf8mb4_general_ci,
    l VARCHAR(127) CHARACTER SET latin1,
    m VARCHAR(200) CHARACTER SET latin1,
    d DECIMAL(10,3),
    e ENUM('x','y','z') NOT NULL DEFAULT 'x',
    s SET('p','q'),
    at DATETIME(3),
    ts TIMESTAMP NULL,
    f DOUBLE,
    raw VARBINARY(20),
    txt TEXT,
    x INT,
    code INT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY by_code (code),
    KEY by_a (a),
    KEY by_x (x)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci";

/// The columns of [`ROW`].
pub(super) const COLUMNS: &str = "id, a, n, b, l, m, d, e, s, at, ts, f, raw, txt, x, code";

/// Row `n` of the table, in its columns' order.
pub(super) const ROW: &str = "n, n % 97, n % 5, CONCAT('row ', n, ' é'), CONCAT('ä', n), IF(n % 9 = 0, NULL, CONCAT('m', n)), \
     n / 8, ELT(n % 3 + 1, 'x', 'y', 'z'), ELT(n % 4 + 1, '', 'p', 'q', 'p,q'), '2024-02-29 12:34:56.789', \
     '2024-07-01 00:00:00' + INTERVAL n MINUTE, n / 7, CHAR(n % 256, 0, 32), REPEAT(CONCAT('t', n), n % 40), n % 11, n";

use Way::{Either, Ghost, Native, Never};

/// All classes.
pub(super) const CASES: &[Case] = &[
    case("add column last", Native, Native, "ALTER TABLE t ADD COLUMN c INT DEFAULT 5"),
    case("add column first", Native, Native, "ALTER TABLE t ADD COLUMN c VARCHAR(10) DEFAULT 'é' FIRST"),
    case("add column after", Native, Native, "ALTER TABLE t ADD COLUMN c INT AFTER a"),
    case("add column not null no default", Native, Native, "ALTER TABLE t ADD COLUMN c INT NOT NULL").no_inserts(),
    case("add column enum not null first value", Native, Native, "ALTER TABLE t ADD c ENUM('one','two') NOT NULL"),
    case("add columns in parentheses", Native, Native, "ALTER TABLE t ADD COLUMN (c INT, c2 VARCHAR(3) DEFAULT 'abc')"),
    case("add auto_increment column", Never, Never, "ALTER TABLE t ADD COLUMN c INT AUTO_INCREMENT UNIQUE"),
    case("add virtual column", Native, Native, "ALTER TABLE t ADD COLUMN c INT GENERATED ALWAYS AS (a * 2) VIRTUAL").any_counter(),
    case("add stored column", Ghost, Ghost, "ALTER TABLE t ADD COLUMN c INT GENERATED ALWAYS AS (a * 2) STORED"),
    case("drop column", Native, Native, "ALTER TABLE t DROP COLUMN l"),
    case("drop indexed column", Ghost, Either, "ALTER TABLE t DROP COLUMN x"),
    case("drop virtual column", Native, Native, "ALTER TABLE t DROP COLUMN v")
        .after("ALTER TABLE t ADD COLUMN v INT GENERATED ALWAYS AS (a + 1) VIRTUAL")
        .any_counter(),
    case("rename column", Native, Native, "ALTER TABLE t RENAME COLUMN l TO ell"),
    case("rename column in case only", Native, Native, "ALTER TABLE t RENAME COLUMN l TO L"),
    case("change column name, same type", Native, Native, "ALTER TABLE t CHANGE x y INT"),
    case("change column name and type", Ghost, Ghost, "ALTER TABLE t CHANGE x y BIGINT"),
    case("swap two column names", Either, Either, "ALTER TABLE t RENAME COLUMN l TO m, RENAME COLUMN m TO l"),
    case("reorder column", Ghost, Native, "ALTER TABLE t MODIFY d DECIMAL(10,3) FIRST"),
    case("set default", Native, Native, "ALTER TABLE t ALTER COLUMN a SET DEFAULT 9"),
    case("drop default", Native, Native, "ALTER TABLE t ALTER COLUMN x DROP DEFAULT").no_inserts(),
    case("varchar longer, same length byte", Either, Native, "ALTER TABLE t MODIFY b VARCHAR(60) COLLATE utf8mb4_general_ci"),
    case("varchar longer, other length byte", Ghost, Ghost, "ALTER TABLE t MODIFY b VARCHAR(80) COLLATE utf8mb4_general_ci"),
    case("varchar latin1 127 to 300", Ghost, Native, "ALTER TABLE t MODIFY l VARCHAR(300) CHARACTER SET latin1"),
    case("varchar latin1 200 to 300", Ghost, Ghost, "ALTER TABLE t MODIFY m VARCHAR(300) CHARACTER SET latin1"),
    case("varchar shorter", Ghost, Ghost, "ALTER TABLE t MODIFY m VARCHAR(150) CHARACTER SET latin1"),
    case("varchar to text", Ghost, Ghost, "ALTER TABLE t MODIFY b TEXT"),
    case("enum append", Native, Native, "ALTER TABLE t MODIFY e ENUM('x','y','z','w') NOT NULL DEFAULT 'x'"),
    case("enum reorder", Ghost, Ghost, "ALTER TABLE t MODIFY e ENUM('z','y','x') NOT NULL DEFAULT 'x'"),
    case("enum to varchar", Ghost, Ghost, "ALTER TABLE t MODIFY e VARCHAR(8) NOT NULL DEFAULT 'x'"),
    case("set append", Native, Native, "ALTER TABLE t MODIFY s SET('p','q','r')"),
    case("int to bigint", Ghost, Ghost, "ALTER TABLE t MODIFY a BIGINT NOT NULL DEFAULT 7"),
    case("key column int to bigint", Ghost, Ghost, "ALTER TABLE t MODIFY id BIGINT NOT NULL AUTO_INCREMENT"),
    // Negative keys, where there are any, would not keep their order.
    case("key column int to unsigned", Never, Never, "ALTER TABLE t MODIFY id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT"),
    case("int to unsigned", Ghost, Ghost, "ALTER TABLE t MODIFY a INT UNSIGNED NOT NULL DEFAULT 7"),
    case("int to varchar", Ghost, Ghost, "ALTER TABLE t MODIFY a VARCHAR(20) NOT NULL DEFAULT '7'").no_inserts(),
    case("null to not null", Ghost, Ghost, "ALTER TABLE t MODIFY n INT NOT NULL"),
    case("not null to null", Ghost, Ghost, "ALTER TABLE t MODIFY a INT NULL DEFAULT 7"),
    case("decimal rounded", Ghost, Ghost, "ALTER TABLE t MODIFY d DECIMAL(10,1)").quiet(),
    case("datetime rounded", Ghost, Ghost, "ALTER TABLE t MODIFY at DATETIME").quiet(),
    case("timestamp to datetime", Ghost, Ghost, "ALTER TABLE t MODIFY ts DATETIME NULL"),
    case("datetime to timestamp", Ghost, Ghost, "ALTER TABLE t MODIFY at TIMESTAMP(3) NULL"),
    case("double to float", Ghost, Ghost, "ALTER TABLE t MODIFY f FLOAT"),
    case("latin1 to utf8mb4 column", Ghost, Ghost, "ALTER TABLE t MODIFY l VARCHAR(127) CHARACTER SET utf8mb4"),
    case("collation of a column", Ghost, Either, "ALTER TABLE t MODIFY b VARCHAR(50) COLLATE utf8mb4_bin"),
    case("convert to another collation", Ghost, Ghost, "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"),
    case("convert to latin1", Ghost, Ghost, "ALTER TABLE t CONVERT TO CHARACTER SET latin1"),
    case("default character set", Either, Native, "ALTER TABLE t DEFAULT CHARACTER SET latin1"),
    case("add index", Ghost, Ghost, "ALTER TABLE t ADD INDEX by_b (b(10), a)"),
    case("add descending index", Ghost, Ghost, "ALTER TABLE t ADD INDEX by_n (n DESC)"),
    case("add unique", Ghost, Ghost, "ALTER TABLE t ADD UNIQUE KEY once (code, a)"),
    case("drop index", Either, Either, "ALTER TABLE t DROP INDEX by_a"),
    case("drop and add index", Ghost, Ghost, "ALTER TABLE t DROP INDEX by_a, ADD INDEX by_a (a, n)"),
    case("rename index", Either, Native, "ALTER TABLE t RENAME INDEX by_a TO via_a"),
    case("add fulltext", Either, Either, "ALTER TABLE t ADD FULLTEXT KEY words (txt)").unforced(),
    // Rows could not be found by their key so far.
    case("other primary key", Never, Never, "ALTER TABLE t MODIFY id INT NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (code)"),
    case("longer primary key", Ghost, Ghost, "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, code)"),
    case("add check", Ghost, Ghost, "ALTER TABLE t ADD CONSTRAINT small CHECK (code < 1000000)"),
    case("add unnamed check", Ghost, Ghost, "ALTER TABLE t ADD CHECK (code < 1000000)"),
    case("drop check", Either, Either, "ALTER TABLE t DROP CONSTRAINT small")
        .after("ALTER TABLE t ADD CONSTRAINT small CHECK (code < 1000000)"),
    case("table comment", Either, Native, "ALTER TABLE t COMMENT='it''s; a \\\"comment\\\" -- é'"),
    case("column comment", Native, Native, "ALTER TABLE t MODIFY x INT COMMENT 'x, y; z'"),
    case("engine", Ghost, Ghost, "ALTER TABLE t ENGINE=InnoDB"),
    case("force", Ghost, Ghost, "ALTER TABLE t FORCE"),
    case("row format", Ghost, Ghost, "ALTER TABLE t ROW_FORMAT=COMPRESSED"),
    case("auto_increment", Either, Native, "ALTER TABLE t AUTO_INCREMENT=500000"),
    case("rename table", Never, Never, "ALTER TABLE t RENAME TO renamed").unforced().quiet(),
    case("remove partitioning", Either, Either, "ALTER TABLE t REMOVE PARTITIONING")
        .after("ALTER TABLE t DROP INDEX by_code, ADD UNIQUE KEY by_code (code, id) PARTITION BY HASH (id) PARTITIONS 3"),
    case("partition by", Either, Either, "ALTER TABLE t DROP INDEX by_code, ADD UNIQUE KEY by_code (code, id) PARTITION BY HASH (id) PARTITIONS 3").unforced(),
    case(
        "many at once",
        Ghost,
        Ghost,
        "ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 4 AFTER a, DROP COLUMN l, MODIFY d DECIMAL(12,1), \
         RENAME COLUMN m TO em, ADD INDEX by_c (c, n), DROP INDEX by_x, ALTER COLUMN e SET DEFAULT 'y', COMMENT='new', ENGINE=InnoDB",
    )
    .quiet(),
    case("add column and index on it", Ghost, Ghost, "ALTER TABLE t ADD COLUMN c INT DEFAULT 5, ADD INDEX by_c (c)"),
    case("replace a column by another of its name", Either, Either, "ALTER TABLE t DROP COLUMN l, ADD COLUMN l INT DEFAULT 8"),
    case("create index", Ghost, Ghost, "CREATE INDEX by_n ON t (n, b)"),
    case("create unique index", Ghost, Ghost, "CREATE UNIQUE INDEX once ON t (code, n) COMMENT 'once'"),
    case("drop index statement", Either, Either, "DROP INDEX by_a ON t"),
];
