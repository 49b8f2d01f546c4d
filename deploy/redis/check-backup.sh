#!/bin/sh
# Puts the newest backup of a folder back into a Redis that lives for these seconds only, and says what came of it. A
# backup that nobody has put back is a hope.
#
#     SLUICE_SECRET_FILE=/etc/sluice/secret sh deploy/redis/check-backup.sh /var/backups/sluice [hours]
#
# Exit code 0: it is whole, and no older than that many hours (36). Needs redis-server, redis-cli and the environment
# of a gateway; REDIS_URL and QUEUE_REDIS_URL are not touched.
set -eu

folder=${1:?name the folder of the backups}
hours=${2:-36}
home=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
PATH=$home/node_modules/.bin:$PATH
newest=$(find "$folder" -maxdepth 1 -name '*.backup' -mmin "-$((hours * 60))" | sort | tail -n 1)
[ -n "$newest" ] || { echo "no backup of the last $hours hours in $folder" >&2; exit 1; }

scratch=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# For this machine alone, behind a password that nobody sees.
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf 'bind 127.0.0.1\nport %s\nrequirepass %s\nsave ""\nappendonly no\ndir %s\n' "$port" "$password" "$scratch" > "$scratch/redis.conf"
chmod 600 "$scratch/redis.conf"
redis-server "$scratch/redis.conf" > "$scratch/log" 2>&1 &
server=$!
tries=0
until REDISCLI_AUTH=$password redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || { cat "$scratch/log" >&2; exit 1; }
  sleep 0.1
done

unset REDIS_URL_FILE QUEUE_REDIS_URL QUEUE_REDIS_URL_FILE
REDIS_URL="redis://:$password@127.0.0.1:$port" node "$home/src/main.ts" restore "$newest"
REDISCLI_AUTH=$password redis-cli -p "$port" info memory | grep '^used_memory_human' | tr -d '\r'
