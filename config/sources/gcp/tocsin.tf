# Terraform, provider hashicorp/google: a notification channel that calls tocsin, and one policy as an example.

resource "google_monitoring_notification_channel" "tocsin" {
  display_name = "tocsin"
  type         = "webhook_basicauth"
  labels = {
    url      = "{{url}}"
    username = "gcp"
  }
  sensitive_labels {
    password = "{{token}}"
  }
}

resource "google_monitoring_alert_policy" "web_cpu" {
  display_name = "web CPU"
  combiner     = "OR"
  severity     = "CRITICAL" # CRITICAL, ERROR or WARNING

  conditions {
    display_name = "VM Instance - CPU utilization"
    condition_threshold {
      filter          = "metric.type=\"compute.googleapis.com/instance/cpu/utilization\" resource.type=\"gce_instance\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0.9
      duration        = "300s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MEAN"
      }
    }
  }

  notification_channels = [google_monitoring_notification_channel.tocsin.name]

  alert_strategy {
    # Both: CLOSED says that it is over.
    notification_prompts = ["OPENED", "CLOSED"]
    auto_close           = "86400s"
    notification_channel_strategy {
      notification_channel_names = [google_monitoring_notification_channel.tocsin.name]
      renotify_interval          = "14400s"
    }
  }

  documentation {
    content   = "CPU of the web servers. Runbook https://wiki.example.net/web-cpu"
    mime_type = "text/markdown"
  }
}
