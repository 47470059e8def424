-- What the optimizer knows of a table.

CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20));
INSERT INTO t WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i, i % 7, CONCAT('v', i % 3) FROM n;
-- mysql:
ANALYZE TABLE t UPDATE HISTOGRAM ON a, b WITH 4 BUCKETS;
-- mysql:
SELECT column_name, JSON_EXTRACT(histogram, '$.buckets'), JSON_EXTRACT(histogram, '$."histogram-type"') FROM information_schema.column_statistics WHERE schema_name = 'statistics' ORDER BY 1;
ALTER TABLE t ADD c INT DEFAULT 3;
ALTER TABLE t MODIFY b VARCHAR(300);
-- mysql:
SELECT column_name, JSON_EXTRACT(histogram, '$.buckets'), JSON_EXTRACT(histogram, '$."histogram-type"') FROM information_schema.column_statistics WHERE schema_name = 'statistics' ORDER BY 1;
ALTER TABLE t MODIFY a BIGINT;
-- mysql:
SELECT column_name FROM information_schema.column_statistics WHERE schema_name = 'statistics' ORDER BY 1;
ALTER TABLE t RENAME COLUMN a TO aa, MODIFY c BIGINT;
-- mysql:
SELECT column_name FROM information_schema.column_statistics WHERE schema_name = 'statistics' ORDER BY 1;
-- mariadb:
ANALYZE TABLE t PERSISTENT FOR ALL;
-- mariadb:
SELECT column_name, min_value, max_value, nulls_ratio, avg_frequency, hist_type FROM mysql.column_stats WHERE db_name = 'statistics' ORDER BY 1;
-- mariadb:
ALTER TABLE t MODIFY b VARCHAR(400);
-- mariadb:
SELECT column_name, min_value, max_value, nulls_ratio, avg_frequency, hist_type FROM mysql.column_stats WHERE db_name = 'statistics' ORDER BY 1;
-- mariadb:
ALTER TABLE t RENAME COLUMN aa TO a, ADD INDEX (a);
-- mariadb:
SELECT column_name, min_value, max_value, nulls_ratio, avg_frequency, hist_type FROM mysql.column_stats WHERE db_name = 'statistics' ORDER BY 1;
-- mariadb:
SELECT cardinality FROM mysql.table_stats WHERE db_name = 'statistics';
ALTER TABLE t DROP b;
-- mysql:
SELECT column_name FROM information_schema.column_statistics WHERE schema_name = 'statistics' ORDER BY 1;
-- mariadb:
SELECT column_name FROM mysql.column_stats WHERE db_name = 'statistics' ORDER BY 1;
ALTER TABLE t ADD INDEX by_c (c), DROP id;
DROP TABLE t;
