#!/bin/sh
# How anything that posts events to BMC Helix Operations Management posts them to tocsin: the same call, another host and key.
# The answer names the event; with its id it is closed again.
set -eu
base='{{base}}'

curl --fail --show-error --silent --header 'Authorization: apiKey {{token}}' --header 'Content-Type: application/json' \
    --data @- "$base/events-service/api/v1.0/events" <<'BODY'
[
  {
    "class": "MonitorEvent",
    "severity": "CRITICAL",
    "msg": "Tablespace USERS is 99 % full",
    "source_identifier": "db1.example.net:3181",
    "source_hostname": "db1.example.net",
    "object_class": "ORACLE_TABLESPACE",
    "object": "USERS",
    "metric_name": "TablespaceUsedPercent"
  }
]
BODY

# curl --request PATCH … --data '{"status": "CLOSED"}' "$base/events-service/api/v1.0/events/ID"
