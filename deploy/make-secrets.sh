#!/bin/sh
# sh deploy/make-secrets.sh: makes the secrets of docker-compose.yml, once. What is there is never changed; what is missing is made.
# To change one, delete its file and those made of it (below), give the service the new one, and run this again.
#
# The folder is open to its owner alone; the files in it can be read by everybody who can get there. A container gets single files and runs as
# another user than the one here, so that mode 0600 would close them to the very services they are for.
set -eu
umask 077

folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

# keep NAME: writes what it reads into the file unless it is there; a crash leaves it whole or absent, and of two at once one wins.
keep() {
  if [ -s "$folder/$1" ]; then
    cat >/dev/null
    return
  fi
  draft="$folder/.$1.$$"
  cat >"$draft"
  [ -s "$draft" ]
  chmod 444 "$draft"
  if ln "$draft" "$folder/$1" 2>/dev/null; then echo "made $1"; fi
  rm -f "$draft"
}

# 256 bits; hexadecimal digits mean the same in URLs, JSON, YAML and everywhere else.
random() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }
of() { cat "$folder/$1"; }

for name in postgres-password database-password redis-password rabbitmq-password neo4j-password qdrant-api-key jwt-secret setup-token; do
  random | keep "$name"
done

# Made of those above, in the form that each service reads.
printf 'postgres://app:%s@postgres:5432/sutazai' "$(of database-password)" | keep database-url
printf 'redis://app:%s@redis:6379' "$(of redis-password)" | keep redis-url
printf 'user default reset\nuser app on >%s ~app:* &app:* +@all -@dangerous +info +client|setname +client|id +config|get\n' \
  "$(of redis-password)" | keep redis-users.acl
printf 'amqp://app:%s@rabbitmq:5672' "$(of rabbitmq-password)" | keep rabbitmq-url
printf '{"users":[{"name":"app","password":"%s","tags":""}],"vhosts":[{"name":"/"}],"permissions":[{"user":"app","vhost":"/","configure":".*","write":".*","read":".*"}]}\n' \
  "$(of rabbitmq-password)" | keep rabbitmq-definitions.json
printf 'neo4j/%s' "$(of neo4j-password)" | keep neo4j-auth
printf 'service:\n  api_key: "%s"\n' "$(of qdrant-api-key)" | keep qdrant.yaml

echo "The secrets are in $folder; the first account needs the one in setup-token."
