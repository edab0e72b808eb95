# Terraform, provider hashicorp/aws 5 or later: the same as tocsin.cloudformation.yaml, for those who have their alarms there.
# tocsin confirms the subscription by itself.

data "aws_caller_identity" "this" {}

resource "aws_sns_topic" "tocsin" {
  name              = "tocsin"
  signature_version = 2
}

resource "aws_sns_topic_policy" "tocsin" {
  arn = aws_sns_topic.tocsin.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.tocsin.arn
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "tocsin" {
  topic_arn              = aws_sns_topic.tocsin.arn
  protocol               = "https"
  endpoint               = "{{url}}"
  endpoint_auto_confirms = true
  raw_message_delivery   = false
}

# In each alarm, both: without ok_actions nobody says that it is over.
#   alarm_actions = [aws_sns_topic.tocsin.arn]
#   ok_actions    = [aws_sns_topic.tocsin.arn]
