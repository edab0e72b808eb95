#!/bin/sh
# Run once, anywhere: subscribes tocsin to the event stream of TrueSight Infrastructure Management 9.6 to 11.3, which then posts each
# event and each change of one, with basic authentication. The events of one cell, of MINOR and worse, and those that are cleared.
#
#   TSIM=https://tsim.example.net:8080 CELL=pncell_tsim01 AUTH_TOKEN=… ./subscribe.sh
#
# AUTH_TOKEN is one of Remedy Single Sign-On or of the Presentation Server. {{token}} is the password of the source, in plain.
set -eu
password=$(printf '%s' '{{token}}' | base64 -w0)

condition() { printf '{"resourceType": "event", "condition": "severity EQUALS \\"%s\\""}' "$1"; }

curl --fail --show-error --silent --request POST \
    --header 'Content-Type: application/json' --header 'Accept: application/json' \
    --header "Authorization: authToken ${AUTH_TOKEN}" \
    --data @- "${TSIM}/bppmws/api/stream/subscribe?dataType=event" <<BODY
{
  "dataType": "event",
  "subscriptionName": "tocsin",
  "destination": {"type": "REST", "url": "{{url}}", "username": "truesight", "password": "${password}"},
  "criterias": [
    {
      "resourceType": "cell",
      "condition": "name EQUALS \"${CELL}\"",
      "criterias": [
        $(condition CRITICAL),
        $(condition MAJOR),
        $(condition MINOR),
        $(condition OK)
      ]
    }
  ]
}
BODY
