#!/bin/sh
# Creates an alarm at tocsin and clears it again, to try the way. Needs curl and jq.
set -eu

call() {
    curl --silent --show-error --fail --max-time 30 --header 'Authorization: Bearer {{token}}' "$@"
}

api='{{url}}/tmf-api/alarmManagement/v4/alarm'
now=$(date -u '+%Y-%m-%dT%H:%M:%SZ')

id=$(call --header 'Content-Type: application/json' --data @- "$api" <<END | jq -r .id
{
  "externalAlarmId": "try-1",
  "sourceSystemId": "alarm.sh",
  "alarmType": "Processing Error Alarm",
  "perceivedSeverity": "minor",
  "probableCause": "softwareError",
  "specificProblem": "This alarm is only to try the way",
  "alarmedObjectType": "server",
  "alarmedObject": {"id": "$(hostname)"},
  "state": "raised",
  "alarmRaisedTime": "$now",
  "serviceAffecting": false
}
END
)
echo "created $id"

call --request PATCH --header 'Content-Type: application/merge-patch+json' \
    --data "{\"state\": \"cleared\", \"perceivedSeverity\": \"cleared\", \"alarmClearedTime\": \"$now\"}" "$api/$id" >/dev/null
echo 'cleared'
