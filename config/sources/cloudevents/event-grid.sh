#!/bin/sh
# Run once, logged in with `az login`: subscribes tocsin to a topic of Azure Event Grid, in the CloudEvents schema.
#
#   sh event-grid.sh /subscriptions/…/resourceGroups/…/providers/Microsoft.EventGrid/topics/NAME
#
# tocsin answers the handshake. In its settings: auth: {parameter: {name: access_token, token_file: cloudevents.token}}
set -eu

az eventgrid event-subscription create --name tocsin --source-resource-id "$1" \
    --endpoint '{{url}}?access_token={{token}}' --endpoint-type webhook \
    --event-delivery-schema cloudeventschemav1_0 --event-ttl 1440 --max-delivery-attempts 30
