# --- where

variable "project_id" {
  description = "The Google Cloud project."
  type        = string
}

variable "region" {
  description = "The region of the job, its schedule and the registry."
  type        = string
  default     = "europe-west1"
}

variable "environment" {
  description = "dev, staging or prod; prod has the names of the platform, the others a suffix."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "The environment is dev, staging or prod."
  }
}

variable "github_repository" {
  description = "The repository whose workflows deploy: OWNER/NAME."
  type        = string
}

variable "labels" {
  description = "Labels besides project, environment, managed_by and purpose, or instead of them."
  type        = map(string)
  default     = {}
}

variable "manage" {
  description = "What is managed here. False: it exists, and is managed elsewhere (by the platform, or by another environment of the project)."
  type = object({
    bucket            = optional(bool, true)
    registry          = optional(bool, true)
    secrets           = optional(bool, true)
    workload_identity = optional(bool, true)
    firestore         = optional(bool, true)
  })
  default = {}
}

# --- the bucket

variable "bucket" {
  description = "The drift bucket."
  type        = string
}

variable "bucket_location" {
  description = "Where the bucket is; cannot be changed."
  type        = string
  default     = "EUROPE-WEST1"
}

variable "delete_prefixes" {
  description = "The folders whose objects are deleted after 90 days. Empty: all, the reference too, which then has to be held (docs/deploy.md)."
  type        = list(string)
  default     = ["predictions/", "reports/"]
}

variable "public_access_prevention" {
  description = "enforced, or inherited from the organization, which is what a bucket has that was made without it."
  type        = string
  default     = "enforced"
}

# --- the job

variable "repository_id" {
  description = "The registry of the images."
  type        = string
  default     = "ct-scan-mlops"
}

variable "registry_policy_ids" {
  description = "The names of the registry's cleanup policies; those of the existing ones, where it is adopted."
  type        = object({ delete = string, keep = string })
  default     = { delete = "delete-old", keep = "keep-recent" }
}

variable "image" {
  description = "The image that the job is created with: REGION-docker.pkg.dev/PROJECT/REGISTRY/drift-check@sha256:…; releases change it afterwards."
  type        = string
}

variable "schedule" {
  description = "When the job runs, as cron has it, in UTC."
  type        = string
  default     = "0 */6 * * *"
}

variable "schedule_paused" {
  description = "Whether the schedule rests."
  type        = bool
  default     = false
}

variable "configuration" {
  description = "More variables of the job: DRIFT_CHECK__SECTION__KEY → value. Never a secret."
  type        = map(string)
  default     = {}
}

variable "service_files" {
  description = "The service's own files where it keeps them in a bucket that it mounts: the bucket, and the objects of reference, log and report; those that are null are not used."
  type = object({
    bucket    = string
    reference = optional(string)
    current   = optional(string)
    report    = optional(string)
  })
  default = null
}

# --- messages

variable "email" {
  description = "The mail that the job sends; `to` is told by Cloud Monitoring too. Null: as in config/production.toml."
  type = object({
    smtp     = optional(string)
    from     = optional(string)
    to       = optional(list(string), [])
    username = optional(string)
  })
  default = {}
}

variable "smtp_password" {
  description = "Whether the mail server asks for a password, kept in the secret smtp-password."
  type        = bool
  default     = false
}

variable "pagerduty" {
  description = "Whether PagerDuty is told, with the key in the secret pagerduty-integration-key."
  type        = bool
  default     = false
}

variable "slack_channel" {
  description = "The channel of Cloud Monitoring that tells Slack, made in the console: projects/PROJECT/notificationChannels/NUMBER."
  type        = string
  default     = null
}

variable "shadow" {
  description = "The alert policies that are evaluated and tell nobody."
  type        = set(string)
  default     = ["data-drift", "low-confidence", "accuracy", "storage"]
}

variable "telemetry" {
  description = "Whether the job sends its metrics to Cloud Monitoring (telemetry.googleapis.com)."
  type        = bool
  default     = false
}

variable "custom_metrics" {
  description = "Whether the job has published prometheus.googleapis.com/drift_check_… at least once; turns on the policies that read them."
  type        = bool
  default     = false
}

# --- Firestore

variable "firestore_location" {
  description = "Where the database is; cannot be changed."
  type        = string
  default     = "eur3"
}

variable "ttl_collections" {
  description = "The collections of the job whose documents are deleted at the time in expireAt. Once a project: empty in its other environments."
  type        = set(string)
  default     = ["drift-check-runs", "drift-check-signals", "drift-check-outbox", "drift-check-silences", "drift-check-labels", "drift-check-promotions"]
}

variable "indexes" {
  description = "The composite indexes that the job's own queries need, by name. Once a project."
  type = map(object({
    collection = string
    fields     = list(object({ path = string, order = string }))
  }))
  default = {}
}

# --- the budget

variable "billing_account" {
  description = "The billing account of the project; null: no budget is managed here."
  type        = string
  default     = null
}
