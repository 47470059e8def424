#!/usr/bin/env bash
# The command-line client, fed by a file: CLIENT is the program with its options.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for i in {1..3000}; do printf 'loaded %s\t%s\n' "$i" "$i"; done >rows
{ printf "INSERT INTO item (name, data) VALUES ('blob', 0x"; head -c 41943040 /dev/zero | tr '\0' '7'; printf ');\n'; } >blob.sql
export MYSQL_PWD=$DB_PASSWORD
read -ra client <<<"$CLIENT"
client+=(-h 127.0.0.1 -P "$DB_PORT" --protocol=tcp -u "$DB_USER" --default-character-set=utf8mb4 --local-infile=1
    --max-allowed-packet=64M --table --show-warnings --force --unbuffered -vvv "$DB_SCHEMA")
# The time a statement took is the one thing that differs.
"${client[@]}" <<END 2>&1 | sed -E 's/ \([0-9.]+ (sec|min.*)\)$//'
SELECT DATABASE(), CURRENT_USER();
SELECT 'žluťoučký 🐎 漢字', N'é';
INSERT INTO item (name, price, day, moment, amount, ratio, data) VALUES
  ('kůň 🐎', -12345678.9012, '1999-12-31', '2024-02-29 23:59:59.999999', 18446744073709551615, 0.1, 0x000102),
  ('nothing', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT LAST_INSERT_ID(), ROW_COUNT();
SELECT * FROM item\G
PREPARE p FROM 'SELECT name FROM item WHERE amount >= ?';
SET @least = 1;
EXECUTE p USING @least;
DEALLOCATE PREPARE p;
LOAD DATA LOCAL INFILE 'rows' INTO TABLE item (name, amount);
BEGIN;
DELETE FROM item WHERE name LIKE 'loaded%';
ROLLBACK;
SELECT COUNT(*), SUM(amount) FROM item WHERE name LIKE 'loaded%';
BEGIN;
DELETE FROM item WHERE amount BETWEEN 100 AND 3000;
COMMIT;
SELECT COUNT(*) FROM item;
INSERT INTO item (name) VALUES ('nothing');
SELECT no_such_column FROM item;
SELECT CAST('12x' AS SIGNED);
SHOW WARNINGS;
delimiter //
CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2; UPDATE item SET quantity = 1 LIMIT 7; END//
delimiter ;
CALL two();
USE mysql
SELECT DATABASE();
USE $DB_SCHEMA
source blob.sql
SELECT LENGTH(data), CRC32(data) FROM item WHERE name = 'blob';
ALTER TABLE item MODIFY quantity BIGINT NOT NULL DEFAULT 0, ADD note VARCHAR(20) DEFAULT 'žluť' AFTER name;
SHOW WARNINGS;
SELECT id, name, note, quantity FROM item ORDER BY id LIMIT 3;
SELECT COUNT(*), SUM(CRC32(data)) FROM item;
SHOW CREATE TABLE item\G
CREATE INDEX by_day ON item (day);
DROP INDEX by_day ON item;
ALTER TABLE item MODIFY amount TINYINT;
SET sql_mode = '';
ALTER TABLE item MODIFY amount TINYINT, MODIFY name VARCHAR(9) NULL, DROP KEY name;
SHOW COUNT(*) WARNINGS;
SELECT @@warning_count;
SHOW WARNINGS LIMIT 3;
SELECT name, amount FROM item ORDER BY id LIMIT 3;
ALTER TABLE item ADD COLUMN name INT;
ALTER TABLE missing ADD COLUMN name INT;
END
echo done
