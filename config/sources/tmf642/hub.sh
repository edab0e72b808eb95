#!/bin/sh
# Registers tocsin at the hub of a system that owns alarms. Run it once; the system answers 201 with the id of the subscription.
#
#   hub.sh https://umbrella.example.net/tmf-api/alarmManagement/v4
#
# How the hub sends the token is the system's business: many have a field for it beside the listener, with the value
# `Bearer {{token}}`.
set -eu

exec curl --silent --show-error --fail --max-time 30 --header 'Content-Type: application/json' \
    --data '{"callback": "{{url}}", "query": "eventType=AlarmCreateEvent,AlarmStateChangeEvent,AlarmAttributeValueChangeEvent,AlarmDeleteEvent"}' \
    "${1:?usage: hub.sh ADDRESS-OF-THE-API}/hub"
