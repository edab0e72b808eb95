# The webhook as Terraform makes it, with payload.json beside this file; the token comes from a variable.
variable "tocsin_token" {
  type      = string
  sensitive = true
}

resource "datadog_webhook" "tocsin" {
  name           = "tocsin"
  url            = "{{url}}"
  encode_as      = "json"
  custom_headers = jsonencode({ "Authorization" = "Bearer ${var.tocsin_token}" })
  payload        = file("${path.module}/payload.json")
}
