#!/usr/bin/env bash
# CLASSES is the class path of Liquibase.
set -euo pipefail
cd "$(dirname "$0")"
if [[ $1 == forth ]]; then command=(update); else command=(rollback-count --count=4); fi
exec java -cp "$CLASSES" liquibase.integration.commandline.LiquibaseCommandLine \
    --search-path=. --changelog-file=changelog.xml --log-level=warning --show-banner=false \
    --url="jdbc:mariadb://127.0.0.1:$DB_PORT/$DB_SCHEMA?permitMysqlScheme" --username="$DB_USER" --password="$DB_PASSWORD" \
    "${command[@]}"
