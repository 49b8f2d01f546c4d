#!/bin/sh
# curl with a signature by RFC 9421, made with openssl (3.0 or later).
#
#   export SLUICE_KEY_ID=sgn_...
#   export SLUICE_PRIVATE_KEY=signing-key.pem      # Ed25519; or SLUICE_SIGNING_SECRET=sigsec_...
#   sluice-curl.sh POST https://gateway.example.com/v1/chat/completions body.json [further arguments of curl]
#   sluice-curl.sh GET  https://gateway.example.com/v1/models -
set -eu

method=$1 url=$2 body=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# https://HOST[:PORT]/PATH[?QUERY]; a port that the scheme implies is not part of what is signed.
scheme=${url%%://*}
rest=${url#*://}
authority=$(printf '%s' "${rest%%[/?]*}" | tr 'A-Z' 'a-z')
case $scheme://$authority in
  https://*:443) authority=${authority%:443} ;;
  http://*:80) authority=${authority%:80} ;;
esac
target=/
case $rest in */*) target=/${rest#*/} ;; esac
path=${target%%\?*}

{
  printf '"@method": %s\n' "$method"
  printf '"@authority": %s\n' "$authority"
  printf '"@path": %s\n' "$path"
} > "$work/base"
names='"@method" "@authority" "@path"'
if [ "$path" != "$target" ]; then
  printf '"@query": ?%s\n' "${target#*\?}" >> "$work/base"
  names="$names \"@query\""
fi
if [ "$body" != - ]; then
  digest="sha-256=:$(openssl dgst -sha256 -binary "$body" | openssl base64 -A):"
  printf '"content-digest": %s\n"content-type": application/json\n' "$digest" >> "$work/base"
  names="$names \"content-digest\" \"content-type\""
  set -- --header "content-digest: $digest" --header 'content-type: application/json' --data-binary "@$body" "$@"
fi

nonce=$(openssl rand -hex 16)
if [ -n "${SLUICE_SIGNING_SECRET:-}" ]; then alg=hmac-sha256; else alg=ed25519; fi
parameters="($names);created=$(date +%s);keyid=\"$SLUICE_KEY_ID\";alg=\"$alg\";nonce=\"$nonce\""
printf '"@signature-params": %s' "$parameters" >> "$work/base"

if [ "$alg" = ed25519 ]; then
  openssl pkeyutl -sign -rawin -inkey "$SLUICE_PRIVATE_KEY" -in "$work/base" -out "$work/signature"
else
  # The secret stands in the arguments of openssl for a moment, as others on this machine can see.
  key=$(printf '%s' "${SLUICE_SIGNING_SECRET#sigsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary "$work/base" > "$work/signature"
fi

status=0
curl --silent --show-error --request "$method" \
  --header "signature-input: sluice=$parameters" \
  --header "signature: sluice=:$(openssl base64 -A -in "$work/signature"):" \
  "$@" "$url" || status=$?
exit "$status"
