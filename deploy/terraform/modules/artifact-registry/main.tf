# The registry of the platform's images; drift-check is one of them.

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = var.repository_id
  description   = "Images of the CT-scan platform"
  format        = "DOCKER"
  labels        = var.labels

  # What both name is kept: the last versions stay, however old they are.
  cleanup_policies {
    id     = var.policy_ids.delete
    action = "DELETE"
    condition {
      older_than = "${var.delete_after_days * 86400}s"
    }
  }

  cleanup_policies {
    id     = var.policy_ids.keep
    action = "KEEP"
    most_recent_versions {
      keep_count = var.keep_versions
    }
  }

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, what it says of itself stays as it is.
    ignore_changes = [description, labels]
  }
}
