# The second line of the job's own alarms: policies that hold when the job, or what it sends its messages with, does not work.
#
# They rest on what exists without a word from the job (executions, bytes stored) and on its log. Two of them read metrics that it publishes
# over OTLP (metrics.otlp_endpoint): custom_metrics turns them on, once a first value has arrived. Before that, Cloud Monitoring refuses
# them, because it does not know the metric. The dashboard is there from the start, and its charts of those metrics are empty until then.

locals {
  # The last line of a run (src/job/check.rs). Its fields have dots in their names, so they are quoted.
  job_log = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${var.job_name}\" AND resource.labels.location=\"${var.region}\""

  channels = {
    email = [for channel in google_monitoring_notification_channel.email : channel.name]
    slack = var.slack_channel == null ? [] : [var.slack_channel]
  }

  policies = {
    job-not-succeeded = { priority = 1, severity = "ERROR", channels = ["email", "slack"] }
    data-drift        = { priority = 1, severity = "WARNING", channels = ["email", "slack"] }
    low-confidence    = { priority = 1, severity = "WARNING", channels = ["email"] }
    accuracy          = { priority = 2, severity = "WARNING", channels = ["email"] }
    storage           = { priority = 2, severity = "WARNING", channels = ["email"] }
  }

  # In shadow a policy is evaluated and its incidents are kept; nobody is told.
  notify = {
    for name, policy in local.policies : name =>
    contains(var.shadow, name) ? [] : flatten([for channel in policy.channels : local.channels[channel]])
  }
  labels = {
    for name, policy in local.policies : name => merge(var.labels, {
      priority = "p${policy.priority}"
      mode     = contains(var.shadow, name) ? "shadow" : "notify"
    })
  }
}

# A channel of Slack or PagerDuty needs a token, which would end up in the state: it is made once in the console, and its name given
# in slack_channel.
resource "google_monitoring_notification_channel" "email" {
  for_each     = var.email_addresses
  project      = var.project_id
  display_name = "drift-check: ${each.value}"
  type         = "email"
  labels = {
    email_address = each.value
  }
}

# --- what the log says, as metrics: for charts, and to count false alarms while a policy is in shadow

resource "google_logging_metric" "runs" {
  project     = var.project_id
  name        = "${var.metric_prefix}/runs"
  description = "Runs that came to a verdict."
  filter      = "${local.job_log} AND jsonPayload.\"decision.verdict\":*"

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = "Runs by verdict"
    labels {
      key         = "verdict"
      value_type  = "STRING"
      description = "drift, inconclusive, stable or no-data"
    }
  }

  label_extractors = {
    verdict = "EXTRACT(jsonPayload.\"decision.verdict\")"
  }
}

resource "google_logging_metric" "share" {
  project         = var.project_id
  name            = "${var.metric_prefix}/share"
  description     = "The share of drifted and broken features, of all configured ones."
  filter          = "${local.job_log} AND jsonPayload.\"decision.share\":*"
  value_extractor = "EXTRACT(jsonPayload.\"decision.share\")"

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "DISTRIBUTION"
    unit         = "1"
    display_name = "Share of drifted features"
  }

  # Steps of 5 %, from 0 to 100 %.
  bucket_options {
    linear_buckets {
      num_finite_buckets = 20
      width              = 0.05
      offset             = 0
    }
  }
}

# --- P1: the job has not succeeded for 8 hours, that is, one scheduled run was missed or failed, and it was not mended in time

resource "google_monitoring_alert_policy" "job_not_succeeded" {
  project               = var.project_id
  display_name          = "drift-check: ${var.job_name} has not succeeded for 8 hours"
  combiner              = "OR"
  severity              = local.policies.job-not-succeeded.severity
  notification_channels = local.notify.job-not-succeeded
  user_labels           = local.labels.job-not-succeeded

  # Where Cloud Run goes on to report, with zeros.
  conditions {
    display_name = "No execution succeeded within 8 hours"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/job/completed_execution_count\" AND resource.type=\"cloud_run_job\" AND resource.label.\"job_name\"=\"${var.job_name}\" AND metric.label.\"result\"=\"succeeded\""
      comparison      = "COMPARISON_LT"
      threshold_value = 1
      duration        = "300s"
      # Missing data are what this policy is about.
      evaluation_missing_data = "EVALUATION_MISSING_DATA_ACTIVE"
      aggregations {
        alignment_period     = "28800s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
      trigger {
        count = 1
      }
    }
  }

  # Where it goes silent.
  conditions {
    display_name = "Cloud Run has reported no successful execution for 8 hours"
    condition_absent {
      filter   = "metric.type=\"run.googleapis.com/job/completed_execution_count\" AND resource.type=\"cloud_run_job\" AND resource.label.\"job_name\"=\"${var.job_name}\" AND metric.label.\"result\"=\"succeeded\""
      duration = "28800s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
      trigger {
        count = 1
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      Nobody watches the model's inputs at the moment: no verdict, and no message from the job, which cannot tell of its own absence.

      1. Was it started? `gcloud scheduler jobs describe ${var.scheduler_name} --location=${var.region} --project=${var.project_id}`
      2. What became of it? `gcloud run jobs executions list --job=${var.job_name} --region=${var.region} --project=${var.project_id}`
      3. Why? The last ERROR of the log: `gcloud logging read 'resource.type="cloud_run_job" AND resource.labels.job_name="${var.job_name}" AND severity>=ERROR' --limit=5 --project=${var.project_id}`

      Runbook: ${var.runbooks}/job-not-succeeded.md
    EOT
  }
}

# --- P1: more than 30 % of the features drifted. The job decides (strictly above its policy.share); this reads what it decided.

resource "google_monitoring_alert_policy" "data_drift" {
  project               = var.project_id
  display_name          = "drift-check: data drift found by ${var.job_name}"
  combiner              = "OR"
  severity              = local.policies.data-drift.severity
  notification_channels = local.notify.data-drift
  user_labels           = local.labels.data-drift

  conditions {
    display_name = "A run came to the verdict drift"
    condition_matched_log {
      filter = "${local.job_log} AND jsonPayload.\"decision.verdict\"=\"drift\""
      label_extractors = {
        share  = "EXTRACT(jsonPayload.\"decision.share\")"
        report = "EXTRACT(jsonPayload.\"report.uri\")"
      }
    }
  }

  alert_strategy {
    # A reminder with every second run; closed a day after the last run that drifted.
    notification_rate_limit {
      period = "43200s"
    }
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      More than 30 % of the features of the last window are not distributed as in the reference, or are broken.

      Open the report (label `report`, or `latest.html` in `gs://${var.bucket}/reports/`): which features, how much, since when. A sudden
      change of many features is mostly the pipeline (a new scanner, other units, a broken extraction); a slow one is mostly the patients.
    EOT
  }
}

# --- P2: logs over 1 GB. The bucket as a whole, which holds little else; measured by Cloud Storage once a day.

resource "google_monitoring_alert_policy" "storage" {
  project               = var.project_id
  display_name          = "drift-check: ${var.bucket} is over ${var.max_logs_bytes / 1000000} MB"
  combiner              = "OR"
  severity              = local.policies.storage.severity
  notification_channels = local.notify.storage
  user_labels           = local.labels.storage

  conditions {
    display_name = "Bytes in ${var.bucket}"
    condition_threshold {
      filter          = "metric.type=\"storage.googleapis.com/storage/v2/total_bytes\" AND resource.type=\"gcs_bucket\" AND resource.label.\"bucket_name\"=\"${var.bucket}\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.max_logs_bytes
      duration        = "0s"
      aggregations {
        alignment_period     = "86400s"
        per_series_aligner   = "ALIGN_MEAN"
        cross_series_reducer = "REDUCE_SUM"
      }
      trigger {
        count = 1
      }
    }
  }

  # Feedback over 500 MB: data and indexes of the database as a whole, of which the feedback is the most.
  conditions {
    display_name = "Bytes in Firestore"
    condition_threshold {
      filter          = "metric.type=\"firestore.googleapis.com/storage/data_and_index_storage_bytes\" AND resource.type=\"firestore.googleapis.com/Database\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.max_feedback_bytes
      duration        = "0s"
      aggregations {
        alignment_period     = "86400s"
        per_series_aligner   = "ALIGN_MEAN"
        cross_series_reducer = "REDUCE_SUM"
      }
      trigger {
        count = 1
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = <<-EOT
      Logs or feedback grow faster than they are deleted (90 days). What is largest: `gcloud storage du --summarize gs://${var.bucket}/predictions/`.
      Is the lifecycle rule still there? `gcloud storage buckets describe gs://${var.bucket} --format='value(lifecycle_config)'`
    EOT
  }
}

# --- P1: mean confidence of the last 100 predictions below 0.7. P2: accuracy from feedback below 85 %.

locals {
  measured = {
    low-confidence = {
      below     = 0.70
      condition = "Mean confidence of the last 100 predictions"
      text      = "The model is less sure than it was. Compare with the data drift of the same window; without one, look for a new model version."
    }
    accuracy = {
      below     = 0.85
      condition = "Accuracy from feedback"
      text      = "Users correct the model more often. Look at the classes that they correct, in the collection `feedback`."
    }
  }
}

resource "google_monitoring_alert_policy" "measured" {
  for_each              = var.custom_metrics ? local.measured : {}
  project               = var.project_id
  display_name          = "drift-check: ${each.key} of ${var.job_name}"
  combiner              = "OR"
  severity              = local.policies[each.key].severity
  notification_channels = local.notify[each.key]
  user_labels           = local.labels[each.key]

  conditions {
    display_name = each.value.condition
    condition_threshold {
      filter          = "metric.type=\"prometheus.googleapis.com/drift_check_signal_value/gauge\" AND resource.type=\"prometheus_target\" AND metric.label.\"signal\"=\"${each.key}\""
      comparison      = "COMPARISON_LT"
      threshold_value = each.value.below
      duration        = "0s"
      aggregations {
        alignment_period   = "21600s"
        per_series_aligner = "ALIGN_NEXT_OLDER"
      }
      trigger {
        count = 1
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = each.value.text
  }
}

# --- everything on one page

resource "google_monitoring_dashboard" "drift_check" {
  project = var.project_id
  dashboard_json = templatefile("${path.module}/dashboard.json.tftpl", {
    job_name      = var.job_name
    metric_prefix = var.metric_prefix
  })
}
