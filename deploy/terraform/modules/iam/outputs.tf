output "email" {
  description = "The address of the identity that the job runs as."
  value       = google_service_account.drift_detection.email
}
