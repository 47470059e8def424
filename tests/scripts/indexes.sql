-- Indexes: plain, unique, descending, over prefixes and expressions, full text, spatial; renamed and hidden.

CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(50), c TEXT, d INT NOT NULL DEFAULT 0);
INSERT INTO t VALUES (1, 3, 'drei', 'a long text about nothing', 1), (2, 1, 'eins', NULL, 2), (3, 2, 'zwei', '', 3), (4, NULL, NULL, 'words', 4);

ALTER TABLE t ADD INDEX (a);
ALTER TABLE t ADD INDEX (a);
ALTER TABLE t ADD INDEX by_b (b(3), a DESC), ADD KEY by_c (c(10));
ALTER TABLE t ADD INDEX by_b (d);
ALTER TABLE t ADD UNIQUE (b);
ALTER TABLE t ADD UNIQUE KEY once (a, d), ADD UNIQUE INDEX (d);
SELECT index_name, seq_in_index, column_name, collation, sub_part, non_unique, nullable, index_type, index_comment FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 't' ORDER BY index_name, seq_in_index;
SELECT a FROM t FORCE INDEX (by_b) WHERE b LIKE 'e%';
ALTER TABLE t DROP INDEX b, DROP KEY a_2;
ALTER TABLE t RENAME INDEX once TO twice;
ALTER TABLE t RENAME INDEX twice TO once, MODIFY a BIGINT;
ALTER TABLE t DROP INDEX once, ADD INDEX once (a);
ALTER TABLE t DROP INDEX by_b, DROP INDEX by_c, DROP INDEX d, DROP INDEX once, DROP INDEX a;
CREATE INDEX by_a ON t (a);
CREATE INDEX by_a ON t (b);
CREATE UNIQUE INDEX by_d ON t (d) COMMENT 'once';
CREATE UNIQUE INDEX by_db ON t (d, b(5));
-- mariadb:
CREATE INDEX IF NOT EXISTS by_a ON t (b);
-- mariadb:
CREATE OR REPLACE INDEX by_a ON t (b);
DROP INDEX by_a ON t;
DROP INDEX by_a ON t;
-- mariadb:
DROP INDEX IF EXISTS by_a ON t;
DROP INDEX by_db ON t;
ALTER TABLE t DROP INDEX by_d;
CREATE INDEX by_a USING BTREE ON t (a);
ALTER TABLE t ADD INDEX by_hash (a) USING HASH;
-- mysql:
ALTER TABLE t ALTER INDEX by_a INVISIBLE;
-- mysql:
ALTER TABLE t ALTER INDEX by_a VISIBLE, ADD w INT;
-- mysql:
ALTER TABLE t ALTER INDEX nothing INVISIBLE;
-- mariadb:
ALTER TABLE t ALTER INDEX by_a IGNORED;
-- mariadb:
ALTER TABLE t ALTER INDEX by_a NOT IGNORED, ADD w INT;
-- mariadb:
ALTER TABLE t ADD INDEX IF NOT EXISTS by_a (d);
-- mariadb:
ALTER TABLE t DROP INDEX IF EXISTS nothing;
-- mariadb:
ALTER TABLE t DROP INDEX IF EXISTS nothing, MODIFY w BIGINT;
-- mysql:
ALTER TABLE t ADD INDEX by_sum ((a + d)), ADD INDEX by_upper ((UPPER(b)));
-- mysql:
SELECT a FROM t WHERE a + d = 4;
-- mysql:
ALTER TABLE t MODIFY a BIGINT;
-- mysql:
ALTER TABLE t DROP COLUMN a;
-- mysql:
ALTER TABLE t DROP INDEX by_sum, DROP INDEX by_upper;
ALTER TABLE t DROP INDEX by_hash, DROP COLUMN w;

-- A column with its indexes.
ALTER TABLE t ADD INDEX by_ab (a, b), ADD INDEX by_ba (b, a);
ALTER TABLE t DROP COLUMN b;
SELECT index_name, seq_in_index, column_name, collation, sub_part, non_unique, nullable, index_type, index_comment FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 't' ORDER BY index_name, seq_in_index;
ALTER TABLE t DROP COLUMN a, ADD COLUMN e INT DEFAULT 4, ADD INDEX by_e (e);
ALTER TABLE t CHANGE e f BIGINT, ADD INDEX by_f (f, d);
ALTER TABLE t CHANGE f e BIGINT, RENAME INDEX by_f TO by_ed;
ALTER TABLE t DROP INDEX by_e, DROP INDEX by_ed;

-- Full text and spatial.
ALTER TABLE t ADD FULLTEXT INDEX words (c);
SELECT id FROM t WHERE MATCH (c) AGAINST ('text');
ALTER TABLE t MODIFY d BIGINT NOT NULL DEFAULT 0;
SELECT id FROM t WHERE MATCH (c) AGAINST ('words');
ALTER TABLE t DROP INDEX words, ADD e2 INT;
CREATE FULLTEXT INDEX words ON t (c);
DROP INDEX words ON t;
CREATE TABLE places (id INT PRIMARY KEY, at GEOMETRY NOT NULL);
INSERT INTO places VALUES (1, ST_GeomFromText('POINT(1 2)')), (2, ST_GeomFromText('LINESTRING(0 0, 3 4)'));
ALTER TABLE places ADD SPATIAL INDEX (at);
ALTER TABLE places ADD n INT NOT NULL DEFAULT 3, DROP INDEX at;
ALTER TABLE places MODIFY at GEOMETRY;
ALTER TABLE places ADD SPATIAL INDEX (at);
DROP TABLE places;

-- Wrong ones.
ALTER TABLE t ADD INDEX (nothing);
ALTER TABLE t ADD INDEX (d, d);
ALTER TABLE t ADD INDEX (c);
ALTER TABLE t ADD INDEX (d(3));
ALTER TABLE t ADD INDEX i (d), ADD INDEX i (id);
ALTER TABLE t ADD INDEX `PRIMARY` (d);
ALTER TABLE t DROP INDEX nothing;
ALTER TABLE t DROP PRIMARY KEY;
ALTER TABLE t RENAME INDEX nothing TO something;
ALTER TABLE t ADD v1 VARCHAR(1000), ADD INDEX too_long (v1);
ALTER TABLE t ADD v1 VARCHAR(3000) CHARACTER SET latin1, ADD INDEX fits (v1);
ALTER TABLE t ADD v2 VARCHAR(4000) CHARACTER SET latin1, ADD INDEX too_long (v2);
ALTER TABLE t ADD v2 VARCHAR(4000) CHARACTER SET latin1, ADD UNIQUE INDEX too_long (v2);
ALTER TABLE t ADD FULLTEXT INDEX (d);
ALTER TABLE t ADD SPATIAL INDEX (d);
ALTER TABLE t ADD UNIQUE INDEX (e2, nothing);
INSERT INTO t (id, c, d) VALUES (5, 'x', 1);
ALTER TABLE t ADD UNIQUE INDEX once (d);
ALTER TABLE t ADD UNIQUE INDEX (c(1));
CREATE UNIQUE INDEX once ON t (d);
DELETE FROM t WHERE id = 5;
CREATE UNIQUE INDEX once ON t (d);
CREATE INDEX i ON nowhere (a);
DROP INDEX i ON nowhere;
DROP TABLE t;
