terraform {
  required_version = ">= 1.5"

  # Where the state is, is said at `terraform init` (backend.hcl.example): it differs per installation.
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
  # The interface of the budgets asks who pays for the calls of a person.
  billing_project       = var.project_id
  user_project_override = true
}
