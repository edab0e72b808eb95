#!/bin/sh
# Instead of a webhook: Cloud Monitoring publishes to a topic, Pub/Sub pushes to tocsin. Nothing is lost while tocsin is down for up
# to seven days. Run it once, signed in (`gcloud auth login`); then make a notification channel of type Pub/Sub for the topic.
set -eu

project=${1:?usage: pubsub.sh PROJECT}
number=$(gcloud projects describe "$project" --format='value(projectNumber)')

gcloud pubsub topics create tocsin tocsin-dead --project "$project"
gcloud pubsub topics add-iam-policy-binding tocsin --project "$project" --role roles/pubsub.publisher \
    --member "serviceAccount:service-$number@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
gcloud pubsub topics add-iam-policy-binding tocsin-dead --project "$project" --role roles/pubsub.publisher \
    --member "serviceAccount:service-$number@gcp-sa-pubsub.iam.gserviceaccount.com"
# What tocsin cannot read is put aside after ten tries.
gcloud pubsub subscriptions create tocsin --project "$project" --topic tocsin \
    --push-endpoint '{{url}}?token={{token}}' --ack-deadline 30 --min-retry-delay 10s --max-retry-delay 600s \
    --dead-letter-topic tocsin-dead --max-delivery-attempts 10
gcloud pubsub subscriptions add-iam-policy-binding tocsin --project "$project" --role roles/pubsub.subscriber \
    --member "serviceAccount:service-$number@gcp-sa-pubsub.iam.gserviceaccount.com"
