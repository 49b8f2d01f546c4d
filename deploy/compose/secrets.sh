#!/bin/sh
# Makes the secrets of compose.yaml that are missing, in the folder `secrets` beside it; those that are there stay.
# Needs openssl. The folder is for its owner alone; the files in it can be read by the users of the containers, into
# which they are mounted one by one.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
secrets=${1:-$here/secrets}
umask 077
mkdir -p "$secrets"
chmod 700 "$secrets"
cd "$secrets"

# Whole or not at all: from standard input, to the name that is given.
put() {
    cat > ".$1.new"
    chmod 444 ".$1.new"
    mv -f ".$1.new" "$1"
}

for name in sluice-secret admin-token redis-limits-password redis-queue-password grafana-password; do
    test -s "$name" || openssl rand -hex 32 | put "$name"
done

for store in redis-limits redis-queue; do
    password=$(cat "$store-password")
    printf 'redis://sluice:%s@%s:6379/0\n' "$password" "$store" | put "$store-url"
    hash=$(printf %s "$password" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
    {
        # For health checks.
        echo 'user default on nopass resetkeys resetchannels -@all +ping'
        sed -n "/^user sluice /s/#0\{64\}/#$hash/p" "$here/../redis.acl.example"
    } | put "$store-acl"
done

if ! test -s tls.crt || ! test -s tls.key; then
    # For the first calls (curl -k); put the real one in its place.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout .tls.key.made -out .tls.crt.made 2>/dev/null
    put tls.key < .tls.key.made
    put tls.crt < .tls.crt.made
    rm -f .tls.key.made .tls.crt.made
fi
