output "job" {
  description = "The Cloud Run Job."
  value       = module.cloud_run_job.name
}

output "service_account" {
  description = "The identity that the job runs as."
  value       = module.iam.email
}

output "registry" {
  description = "Where images are pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${var.repository_id}"
}

output "workload_identity_provider" {
  description = "The provider that workflows ask for a token; null where it is managed elsewhere."
  value       = one(module.workload_identity[*].provider)
}
