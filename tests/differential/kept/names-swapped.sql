# both: two columns exchange their names while their values move from row to row
-- table
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20), b VARCHAR(20), UNIQUE KEY one (a), KEY other (b))
INSERT INTO t VALUES (1,'a1','b1'),(2,'a2','b2'),(3,'a3','b3'),(4,'a4','b4')
-- session
SET sql_mode = 'STRICT_TRANS_TABLES'
-- alter
ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a
-- writer, pausing (ms) 1
SET sql_mode = 'STRICT_TRANS_TABLES'
-- transaction
UPDATE t SET a = 'held' WHERE id = 1
-- transaction
BEGIN
UPDATE t SET a = 'a1' WHERE id = 2
UPDATE t SET a = 'a2' WHERE id = 1
COMMIT
-- transaction
DELETE FROM t WHERE id = 3
-- transaction
REPLACE INTO t VALUES (5, 'a4', 'b5')
