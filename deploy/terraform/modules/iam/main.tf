# The identity that the job runs as, with what it needs and nothing else, and what continuous integration may read.
#
# Every grant adds one member to one role and leaves the other members alone. Grants that existed before (storage.objectAdmin on the
# project, datastore.viewer) are not in here: docs/deploy.md tells when and how to take them away.

resource "google_service_account" "drift_detection" {
  project      = var.project_id
  account_id   = var.account_id
  display_name = "Drift detection"
  description  = "The Cloud Run Job drift-check runs as this identity."

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, what it says of itself stays as it is.
    ignore_changes = [display_name, description]
  }
}

locals {
  job = google_service_account.drift_detection.member
  ci  = "serviceAccount:${var.ci_service_account}"
}

# Reads and lists the reference, the logs, and the last report, which must not be followed by an earlier one.
resource "google_storage_bucket_iam_member" "job_reads" {
  bucket = var.bucket
  role   = "roles/storage.objectViewer"
  member = local.job
}

# Writes reports, nothing else: neither the logs nor the reference can be changed. Replacing latest.json takes the right to delete it,
# which objectCreator does not have.
resource "google_storage_bucket_iam_member" "job_writes_reports" {
  bucket = var.bucket
  role   = "roles/storage.objectUser"
  member = local.job

  condition {
    title       = "reports-only"
    description = "Objects under ${var.reports_prefix} only."
    expression  = "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/${var.reports_prefix}\")"
  }
}

# Reads the service's own reference and log.
resource "google_storage_bucket_iam_member" "job_reads_service_files" {
  count  = var.service_files == null ? 0 : 1
  bucket = var.service_files.bucket
  role   = "roles/storage.objectViewer"
  member = local.job
}

# Replaces the page that the service shows, and nothing else in its bucket.
resource "google_storage_bucket_iam_member" "job_writes_service_report" {
  count  = try(var.service_files.report, null) == null ? 0 : 1
  bucket = var.service_files.bucket
  role   = "roles/storage.objectUser"
  member = local.job

  condition {
    title       = "report-only"
    description = "The object ${var.service_files.report} only."
    expression  = "resource.name == \"projects/_/buckets/${var.service_files.bucket}/objects/${var.service_files.report}\""
  }
}

# Keeps past runs, the states of signals and undelivered messages in Firestore, and reads the users' feedback.
resource "google_project_iam_member" "job_store" {
  project = var.project_id
  role    = "roles/datastore.user"
  member  = local.job
}

# Publishes its measurements for the alert policies.
resource "google_project_iam_member" "job_metrics" {
  project = var.project_id
  role    = "roles/monitoring.metricWriter"
  member  = local.job
}

# Writes log entries. What a job prints reaches Cloud Logging without it; a client that writes entries itself needs it.
resource "google_project_iam_member" "job_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = local.job
}

# Reads the secrets that it sends messages with, each by name.
resource "google_secret_manager_secret_iam_member" "job_secrets" {
  for_each  = var.secret_ids
  project   = var.project_id
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = local.job
}

# Fetches reports for the workflow, and reads the reference and the logs in a dry run.
resource "google_storage_bucket_iam_member" "ci_reads" {
  bucket = var.bucket
  role   = "roles/storage.objectViewer"
  member = local.ci
}

# Reads past runs in a dry run.
resource "google_project_iam_member" "ci_store" {
  project = var.project_id
  role    = "roles/datastore.viewer"
  member  = local.ci
}

# Pushes images of a release.
resource "google_artifact_registry_repository_iam_member" "ci_images" {
  project    = var.project_id
  location   = var.region
  repository = var.repository_id
  role       = "roles/artifactregistry.writer"
  member     = local.ci
}

# Puts a new image into the job, which runs as this identity: Cloud Run asks whoever does so for the right to act as it.
resource "google_service_account_iam_member" "ci_acts_as_job" {
  service_account_id = google_service_account.drift_detection.name
  role               = "roles/iam.serviceAccountUser"
  member             = local.ci
}
