# GitHub Actions without keys: a token of GitHub for one repository is exchanged for one of Google.

resource "google_iam_workload_identity_pool" "github" {
  project                   = var.project_id
  workload_identity_pool_id = var.pool_id
  display_name              = "GitHub Actions"

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, what it says of itself stays as it is.
    ignore_changes = [display_name, description]
  }
}

resource "google_iam_workload_identity_pool_provider" "github" {
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = var.provider_id
  display_name                       = "GitHub"

  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.actor"      = "assertion.actor"
    "attribute.repository" = "assertion.repository"
    "attribute.ref"        = "assertion.ref"
  }
  # Without it every repository of GitHub could ask for a token.
  attribute_condition = "assertion.repository == '${var.repository}'"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, others log in by it too: their mapping is not ours to change.
    ignore_changes = [display_name, description, attribute_mapping, attribute_condition]
  }
}

resource "google_service_account" "github_actions" {
  project      = var.project_id
  account_id   = var.account_id
  display_name = "GitHub Actions"

  lifecycle {
    prevent_destroy = true
    # Where it is adopted, what it says of itself stays as it is.
    ignore_changes = [display_name, description]
  }
}

resource "google_service_account_iam_member" "github_actions" {
  service_account_id = google_service_account.github_actions.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}/attribute.repository/${var.repository}"
}
