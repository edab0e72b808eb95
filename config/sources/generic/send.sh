#!/bin/sh
# For anything that can run a command: says that a problem is there, or over. tocsin's address and the token are below.
#   send.sh firing|resolved RESOURCE CHECK [SEVERITY [SUMMARY]]
# Severity is critical, major, minor, warning or info. Needs curl; tries again while tocsin is down or busy.
set -eu

url='{{url}}'
token_file="${TOCSIN_TOKEN_FILE:-/etc/tocsin/generic.token}" # holds {{token}}

escaped() { printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g; s/	/ /g' | tr '\n\r' '  '; }

printf '{"status":"%s","resource":"%s","check":"%s","severity":"%s","summary":"%s"}' \
  "$(escaped "$1")" "$(escaped "$2")" "$(escaped "$3")" "$(escaped "${4:-major}")" "$(escaped "${5:-}")" |
  curl --silent --show-error --fail --output /dev/null --max-time 20 --retry 8 --retry-connrefused \
    --header 'Content-Type: application/json' \
    --header "Authorization: Bearer $(cat "$token_file")" \
    --data-binary @- "$url"
