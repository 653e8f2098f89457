output "provider" {
  description = "The full name of the provider, for the workflows."
  value       = google_iam_workload_identity_pool_provider.github.name
}
