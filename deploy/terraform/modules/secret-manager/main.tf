# The secrets by name. Their values are added with gcloud (docs/deploy.md) and never pass through Terraform, whose state keeps
# everything that it has seen.

resource "google_secret_manager_secret" "secret" {
  for_each  = var.secret_ids
  project   = var.project_id
  secret_id = each.value
  labels    = var.labels

  replication {
    auto {}
  }

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, what it says of itself stays as it is.
    ignore_changes = [labels, annotations, replication]
  }
}
