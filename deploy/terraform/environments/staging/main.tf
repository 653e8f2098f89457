# The staging environment: the names of the platform with the suffix -staging, so that it can live beside the others in one project.

module "drift_check" {
  source            = "../../modules/drift-check"
  environment       = "staging"
  project_id        = var.project_id
  region            = var.region
  github_repository = var.github_repository
  labels            = var.labels
  manage            = var.manage

  bucket                   = var.bucket
  bucket_location          = var.bucket_location
  delete_prefixes          = var.delete_prefixes
  public_access_prevention = var.public_access_prevention

  image           = var.image
  schedule_paused = var.schedule_paused
  configuration   = var.configuration
  service_files   = var.service_files

  email          = var.email
  smtp_password  = var.smtp_password
  pagerduty      = var.pagerduty
  slack_channel  = var.slack_channel
  shadow         = var.shadow
  telemetry      = var.telemetry
  custom_metrics = var.custom_metrics

  ttl_collections = var.ttl_collections
}

output "job" {
  description = "The Cloud Run Job."
  value       = module.drift_check.job
}

output "service_account" {
  description = "The identity that the job runs as."
  value       = module.drift_check.service_account
}

output "registry" {
  description = "Where images are pushed to."
  value       = module.drift_check.registry
}

output "workload_identity_provider" {
  description = "The provider that workflows ask for a token; null where it is managed elsewhere."
  value       = module.drift_check.workload_identity_provider
}
