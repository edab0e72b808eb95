#!/bin/sh
# Put this file at /usr/local/lib/tocsin-json.sh, executable: the commands in tocsin-json.cfg run it.
#
#   tocsin-json.sh CURL-CONFIGURATION NAME=VALUE…
#
# Posts one JSON object of the macros that say something to the address in the curl configuration (tocsin.curl).

config=$1
shift

text() {
    printf '%s' "$1" | tr -d '\000-\010\013-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' |
        awk '{ printf "%s%s", (NR > 1 ? "\\n" : ""), $0 }'
}

object=
for pair in "$@"; do
    value=${pair#*=}
    if [ -n "$value" ]; then
        object="$object${object:+,}\"${pair%%=*}\":\"$(text "$value")\""
    fi
done

printf '{%s}' "$object" | exec curl --config "$config" --header 'Content-Type: application/json' --data-binary @-
