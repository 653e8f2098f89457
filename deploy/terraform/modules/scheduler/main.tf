# Runs the job every six hours, as an identity that can do this and nothing else.

resource "google_service_account" "invoker" {
  project      = var.project_id
  account_id   = var.invoker_account_id
  display_name = "Starts ${var.job_name}"
  description  = "Cloud Scheduler runs the Cloud Run Job ${var.job_name} as this identity."
}

# run.jobs.run on this one job; not with other arguments, which would be run.jobs.runWithOverrides.
resource "google_cloud_run_v2_job_iam_member" "invoker" {
  project  = var.project_id
  location = var.region
  name     = var.job_name
  role     = "roles/run.invoker"
  member   = google_service_account.invoker.member
}

resource "google_cloud_scheduler_job" "check" {
  project     = var.project_id
  region      = var.region
  name        = var.name
  description = "Runs the Cloud Run Job ${var.job_name}."
  schedule    = var.schedule
  time_zone   = "Etc/UTC"
  paused      = var.paused
  # The answer comes as soon as the execution is accepted.
  attempt_deadline = "60s"

  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
    max_backoff_duration = "300s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${var.job_name}:run"

    oauth_token {
      service_account_email = google_service_account.invoker.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.invoker]
}
