#!/bin/sh
# Brings everything of compose.yaml up and says how to call it. What is there stays: it can be run again at any time.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
compose() { docker compose -f "$here/compose.yaml" "$@"; }

sh "$here/secrets.sh"
compose up --detach --build --wait --wait-timeout 300

if ! test -s "$here/secrets/first-key"; then
    umask 077
    made=$(compose exec -T gateway-1 node src/main.ts keys create --tenant first --name first --json)
    printf '%s\n' "$made" | sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' > "$here/secrets/first-key"
    test -s "$here/secrets/first-key"
fi

cat <<END

Sluice is up. A call:
  curl -k https://localhost:${SLUICE_HTTPS_PORT:-443}/v1/chat/completions -H 'Content-Type: application/json' \\
    -H "Authorization: Bearer \$(cat $here/secrets/first-key)" \\
    -d '{"model":"demo","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
Dashboards: http://127.0.0.1:3000 (user admin, password in $here/secrets/grafana-password)
Alerts:     http://127.0.0.1:9090/alerts
Operators:  docker compose -f $here/compose.yaml exec gateway-1 node src/main.ts status
END
