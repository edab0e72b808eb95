# Terraform, provider FlexibleEngineCloud/flexibleengine (Open Telekom Cloud and Huawei Cloud: the same resources under their own
# prefix). tocsin confirms the subscription by itself.

resource "flexibleengine_smn_topic_v2" "tocsin" {
  name         = "tocsin"
  display_name = "Alarms for tocsin"
}

resource "flexibleengine_smn_subscription_v2" "tocsin" {
  topic_urn = flexibleengine_smn_topic_v2.tocsin.id
  protocol  = "https"
  endpoint  = "{{url}}"
  remark    = "tocsin"
}

# One alarm, as an example. Both actions: without ok_actions nobody says that it is over.
resource "flexibleengine_ces_alarmrule" "web_cpu" {
  alarm_name           = "web-cpu"
  alarm_action_enabled = true
  alarm_level          = 2 # 1 critical, 2 major, 3 minor, 4 informational

  metric {
    namespace   = "SYS.ECS"
    metric_name = "cpu_util"
    dimensions {
      name  = "instance_id"
      value = "11111111-2222-3333-4444-555555555555"
    }
  }

  condition {
    period              = 300
    filter              = "average"
    comparison_operator = ">="
    value               = 90
    unit                = "%"
    count               = 3
  }

  alarm_actions {
    type              = "notification"
    notification_list = [flexibleengine_smn_topic_v2.tocsin.id]
  }

  ok_actions {
    type              = "notification"
    notification_list = [flexibleengine_smn_topic_v2.tocsin.id]
  }
}
