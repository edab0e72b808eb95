#!/bin/sh
# The action group alone, with the Azure command line; then name it in each alert rule. Run it once, signed in (`az login`).
set -eu

az monitor action-group create \
    --resource-group "${1:-monitoring}" \
    --name tocsin \
    --short-name tocsin \
    --action webhook tocsin '{{url}}?token={{token}}' usecommonalertschema
