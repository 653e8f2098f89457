# The drift bucket: the reference, the logs of the service, and the reports.

resource "google_storage_bucket" "drift" {
  project       = var.project_id
  name          = var.name
  location      = var.location
  storage_class = "STANDARD"
  labels        = var.labels

  # Rights are given to the bucket and, by conditions, to folders of it; never object by object.
  uniform_bucket_level_access = true
  public_access_prevention    = var.public_access_prevention
  force_destroy               = false

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.delete_after_days
      # Without prefixes the rule would delete the reference as well, 90 days after it was put there.
      matches_prefix = var.delete_prefixes
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}
