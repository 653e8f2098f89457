# What the project may cost in a month, and who is told.

resource "google_pubsub_topic" "alerts" {
  project = var.project_id
  name    = var.topic
  labels  = var.labels

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, what it says of itself stays as it is.
    ignore_changes = [labels]
  }
}

data "google_project" "this" {
  project_id = var.project_id
}

resource "google_billing_budget" "monthly" {
  billing_account = var.billing_account
  display_name    = "CT-scan platform"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  amount {
    specified_amount {
      currency_code = "USD"
      units         = tostring(var.amount_usd)
    }
  }

  dynamic "threshold_rules" {
    for_each = var.thresholds
    content {
      threshold_percent = threshold_rules.value
      spend_basis       = "CURRENT_SPEND"
    }
  }

  all_updates_rule {
    pubsub_topic   = google_pubsub_topic.alerts.id
    schema_version = "1.0"
  }

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, what it says of itself stays as it is.
    ignore_changes = [display_name]
  }
}
