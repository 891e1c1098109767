#!/bin/bash
# Run by the image once, on an empty data directory, as the superuser: the platform itself gets a role that owns its database and nothing else, so
# that it can neither read files nor run programs there.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set password="$(cat /run/secrets/database-password)" --set database="$POSTGRES_DB" <<'SQL'
CREATE ROLE app LOGIN PASSWORD :'password';
ALTER DATABASE :"database" OWNER TO app;
CREATE EXTENSION IF NOT EXISTS vector;
SQL
