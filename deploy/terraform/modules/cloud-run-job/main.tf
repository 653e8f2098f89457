# The job itself. It takes no arguments: its configuration is in the image, and what differs between installations is in its variables.

resource "google_cloud_run_v2_job" "drift_check" {
  project             = var.project_id
  location            = var.region
  name                = var.name
  labels              = var.labels
  deletion_protection = true

  template {
    # One task sees all rows of the window; a second one could only do the same again.
    task_count  = 1
    parallelism = 1
    labels      = var.labels

    template {
      service_account = var.service_account
      timeout         = "${var.timeout_s}s"
      # Drift exits 0, so a retry means that something broke; what is broken twice is reported rather than tried for hours.
      max_retries = var.max_retries

      containers {
        image = var.image

        resources {
          # Memory depends on the reference, not on the number of rows.
          limits = {
            cpu    = var.cpu
            memory = var.memory
          }
        }

        dynamic "env" {
          for_each = var.environment
          content {
            name  = env.key
            value = env.value
          }
        }

        # Secrets are files, /secrets/NAME/value, so that they stand in no list of variables.
        dynamic "volume_mounts" {
          for_each = var.secrets
          content {
            name       = volume_mounts.key
            mount_path = "/secrets/${volume_mounts.key}"
          }
        }
      }

      dynamic "volumes" {
        for_each = var.secrets
        content {
          name = volumes.key
          secret {
            secret = volumes.value
            items {
              path    = "value"
              version = "latest"
            }
          }
        }
      }
    }
  }

  lifecycle {
    # Releases put a new image into the job (release.yml, docs/deploy.md): Terraform must not put the first one back.
    ignore_changes = [
      template[0].template[0].containers[0].image,
      client,
      client_version,
    ]
  }
}

# Runs the job with arguments (`--window`, `--as-of`), waits for it, and puts new images into it; for this job only.
resource "google_cloud_run_v2_job_iam_member" "developer" {
  for_each = var.developers
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.drift_check.name
  role     = "roles/run.developer"
  member   = each.value
}
