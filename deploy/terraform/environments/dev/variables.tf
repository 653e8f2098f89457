variable "project_id" {
  description = "The Google Cloud project."
  type        = string
}

variable "region" {
  description = "The region of the job, its schedule and the registry."
  type        = string
  default     = "europe-west1"
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
  description = "What is managed here; false: it exists, and is managed elsewhere. What the environments of one project share is managed by prod."
  type = object({
    bucket            = optional(bool, true)
    registry          = optional(bool, true)
    secrets           = optional(bool, true)
    workload_identity = optional(bool, true)
    firestore         = optional(bool, true)
  })
  default = { registry = false, workload_identity = false, firestore = false }
}

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
  description = "The folders whose objects are deleted after 90 days; empty: all, the reference too."
  type        = list(string)
  default     = ["predictions/", "reports/"]
}

variable "public_access_prevention" {
  description = "enforced, or inherited from the organization."
  type        = string
  default     = "enforced"
}

variable "image" {
  description = "The image that the job is created with; releases change it afterwards."
  type        = string
}

variable "schedule_paused" {
  description = "Whether the schedule rests."
  type        = bool
  default     = true
}

variable "configuration" {
  description = "More variables of the job: DRIFT_CHECK__SECTION__KEY and their values. Never a secret."
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
  description = "The channel of Cloud Monitoring that tells Slack, made in the console: projects/PROJECT/notificationChannels/NUMBER; null: none."
  type        = string
  default     = null
}

variable "shadow" {
  description = "The alert policies that are evaluated and tell nobody."
  type        = set(string)
  default     = ["job-not-succeeded", "data-drift", "low-confidence", "accuracy", "storage"]
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

variable "ttl_collections" {
  description = "The collections of the job whose documents are deleted at the time in expireAt; managed by prod where the project is shared."
  type        = set(string)
  default     = []
}
