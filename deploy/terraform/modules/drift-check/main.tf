# Everything that the job needs, put together once; an environment gives the values. What an environment shares with others in its
# project, or with Terraform of the platform, is managed in one place only: `manage` says what is managed here.

locals {
  labels = merge({
    project     = "ct-scan"
    environment = var.environment
    managed_by  = "terraform"
    purpose     = "drift-detection"
  }, var.labels)

  # prod has the names of the platform, the others a suffix: they may live in one project.
  suffix = var.environment == "prod" ? "" : "-${var.environment}"
  name   = "drift-check${local.suffix}"

  runbooks = "https://github.com/${var.github_repository}/blob/main/docs/runbooks"

  job_account_id     = "drift-detection${local.suffix}"
  ci_account_id      = "github-actions"
  ci_service_account = "${local.ci_account_id}@${var.project_id}.iam.gserviceaccount.com"

  # The folder under /secrets → the name in Secret Manager.
  secrets = merge(
    { slack-webhook = "slack-webhook-token${local.suffix}" },
    var.pagerduty ? { pagerduty-key = "pagerduty-integration-key${local.suffix}" } : {},
    var.smtp_password ? { smtp-password = "smtp-password${local.suffix}" } : {},
  )

  # What the configuration in the image leaves to the installation.
  environment = merge(
    {
      GCP_PROJECT_ID                = var.project_id
      USE_FIRESTORE                 = "1"
      DRIFT_CHECK__JOB__ENVIRONMENT = var.environment
      DRIFT_CHECK__BUCKET__URI      = "gs://${var.bucket}"
      DRIFT_CHECK__REPORT__RUNBOOKS = "${local.runbooks}/"
    },
    # The service's own files, where it mounts another bucket than ours: read and written where they lie, without a mount.
    var.service_files == null ? {} : { for name, object in {
      DRIFT_REFERENCE_PATH = var.service_files.reference
      DRIFT_CURRENT_PATH   = var.service_files.current
      DRIFT_REPORT_PATH    = var.service_files.report
    } : name => "gs://${var.service_files.bucket}/${object}" if object != null },
    var.email.smtp == null ? {} : { DRIFT_CHECK__CHANNELS__EMAIL__SMTP = var.email.smtp },
    var.email.from == null ? {} : { DRIFT_CHECK__CHANNELS__EMAIL__FROM = var.email.from },
    length(var.email.to) == 0 ? {} : { DRIFT_CHECK__CHANNELS__EMAIL__TO = join(",", var.email.to) },
    var.email.username == null ? {} : { DRIFT_CHECK__CHANNELS__EMAIL__USERNAME = var.email.username },
    var.smtp_password ? { DRIFT_CHECK__CHANNELS__EMAIL__PASSWORD = "file:/secrets/smtp-password/value" } : {},
    # Cloud Monitoring asks where a metric comes from, and Cloud Run does not tell the job.
    var.telemetry ? {
      DRIFT_CHECK__METRICS__OTLP_ENDPOINT = "https://telemetry.googleapis.com"
      DRIFT_CHECK__METRICS__OTLP_AUTH     = "google"
      OTEL_RESOURCE_ATTRIBUTES            = "cloud.region=${var.region}"
    } : {},
    var.pagerduty ? { DRIFT_CHECK__CHANNELS__PAGERDUTY__KEY = "file:/secrets/pagerduty-key/value" } : {},
    var.configuration,
  )
}

module "storage" {
  source                   = "../storage"
  count                    = var.manage.bucket ? 1 : 0
  project_id               = var.project_id
  name                     = var.bucket
  location                 = var.bucket_location
  labels                   = local.labels
  delete_after_days        = 90
  delete_prefixes          = var.delete_prefixes
  public_access_prevention = var.public_access_prevention
}

module "artifact_registry" {
  source        = "../artifact-registry"
  count         = var.manage.registry ? 1 : 0
  project_id    = var.project_id
  region        = var.region
  repository_id = var.repository_id
  policy_ids    = var.registry_policy_ids
  labels        = local.labels
}

module "secret_manager" {
  source     = "../secret-manager"
  count      = var.manage.secrets ? 1 : 0
  project_id = var.project_id
  secret_ids = toset(values(local.secrets))
  labels     = local.labels
}

module "workload_identity" {
  source     = "../workload-identity"
  count      = var.manage.workload_identity ? 1 : 0
  project_id = var.project_id
  repository = var.github_repository
  account_id = local.ci_account_id
}

module "firestore" {
  source          = "../firestore"
  count           = var.manage.firestore || length(var.ttl_collections) > 0 ? 1 : 0
  project_id      = var.project_id
  manage_database = var.manage.firestore
  location        = var.firestore_location
  ttl_collections = var.ttl_collections
  indexes         = var.indexes
}

module "budget" {
  source          = "../budget"
  count           = var.billing_account == null ? 0 : 1
  project_id      = var.project_id
  billing_account = var.billing_account
  labels          = local.labels
}

module "iam" {
  source             = "../iam"
  project_id         = var.project_id
  region             = var.region
  account_id         = local.job_account_id
  bucket             = var.bucket
  reports_prefix     = "reports/"
  service_files      = var.service_files
  secret_ids         = toset(values(local.secrets))
  repository_id      = var.repository_id
  ci_service_account = local.ci_service_account

  # The names are known before the things are there.
  depends_on = [module.storage, module.artifact_registry, module.secret_manager, module.workload_identity]
}

module "cloud_run_job" {
  source          = "../cloud-run-job"
  project_id      = var.project_id
  region          = var.region
  name            = local.name
  labels          = local.labels
  image           = var.image
  service_account = module.iam.email
  environment     = local.environment
  secrets         = local.secrets
  developers      = { ci = "serviceAccount:${local.ci_service_account}" }

  # Cloud Run looks at the secrets as the job's identity when the job is made.
  depends_on = [module.iam]
}

module "scheduler" {
  source             = "../scheduler"
  project_id         = var.project_id
  region             = var.region
  name               = "${local.name}-every-6h"
  job_name           = module.cloud_run_job.name
  invoker_account_id = "${local.name}-scheduler"
  schedule           = var.schedule
  paused             = var.schedule_paused
}

module "monitoring" {
  source          = "../monitoring"
  project_id      = var.project_id
  region          = var.region
  job_name        = module.cloud_run_job.name
  scheduler_name  = "${local.name}-every-6h"
  bucket          = var.bucket
  labels          = local.labels
  metric_prefix   = replace(local.name, "-", "_")
  email_addresses = toset(var.email.to)
  slack_channel   = var.slack_channel
  shadow          = var.shadow
  custom_metrics  = var.custom_metrics
  runbooks        = local.runbooks
}
