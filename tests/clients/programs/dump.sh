#!/usr/bin/env bash
# A dump through $DB_PORT equals the one of the server itself, and what is loaded from it equals what was dumped.
# DUMP, CLIENT and BINLOG are the programs with their options; DIRECT_PORT is the server's own port.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export MYSQL_PWD=$DB_PASSWORD
at() { echo "-h 127.0.0.1 --protocol=tcp -u $DB_USER -P $1"; }
# shellcheck disable=SC2046,SC2086 # Options are words.
client() { $CLIENT $(at "$DB_PORT") --default-character-set=utf8mb4 --max-allowed-packet=64M "$@"; }

client "$DB_SCHEMA" <<'END'
INSERT INTO item (name, price, day, amount, data) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
  SELECT CONCAT('kůň 🐎 ', i), i / 7, '2024-02-29', i, REPEAT(CHAR(i), i) FROM n;
INSERT INTO item (name, data) VALUES ('blob', REPEAT('x', 20 * 1024 * 1024));
CREATE VIEW cheap AS SELECT * FROM item WHERE price < 1;
CREATE PROCEDURE one() SELECT 1;
END
for port in "$DIRECT_PORT" "$DB_PORT"; do
    for how in "--single-transaction" "--lock-all-tables $SOURCE_DATA" "--tab=$work --no-data --fields-terminated-by=,"; do
        # shellcheck disable=SC2046,SC2086
        $DUMP $(at "$port") --max-allowed-packet=64M --routines --hex-blob --skip-dump-date $how "$DB_SCHEMA"
    done >"dump-$port" 2>"errors-$port" || { cat "errors-$port"; exit 1; }
    cat "errors-$port"
done
cmp "dump-$DIRECT_PORT" "dump-$DB_PORT" && echo "same dump"
client -e "DROP DATABASE IF EXISTS reloaded; CREATE DATABASE reloaded"
# shellcheck disable=SC2046,SC2086
$DUMP $(at "$DB_PORT") --max-allowed-packet=64M --routines "$DB_SCHEMA" | client reloaded
client -N -e "CHECKSUM TABLE $DB_SCHEMA.item, reloaded.item" | cut -f 2 | uniq | wc -l
client -N -e "ALTER TABLE reloaded.item MODIFY quantity BIGINT NOT NULL DEFAULT 0; SELECT COUNT(*), COUNT(DISTINCT CRC32(data)) FROM reloaded.item"
client -e "DROP DATABASE reloaded"

log=$(client -N -e "SHOW BINARY LOGS" | tail -n 1 | cut -f 1)
client -e "FLUSH BINARY LOGS"
for port in "$DIRECT_PORT" "$DB_PORT"; do
    # shellcheck disable=SC2046,SC2086
    $BINLOG $(at "$port") --read-from-remote-server --base64-output=decode-rows -v "$log" >"events-$port"
    # shellcheck disable=SC2046,SC2086
    $BINLOG $(at "$port") --read-from-remote-server --raw --result-file="raw-$port-" "$log"
done
grep -q "INSERT INTO" "events-$DB_PORT"
cmp "events-$DIRECT_PORT" "events-$DB_PORT" && cmp "raw-$DIRECT_PORT-$log" "raw-$DB_PORT-$log" && echo "same events"
echo done
