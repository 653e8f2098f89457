variable "project_id" {
  description = "The project that is watched."
  type        = string
}

variable "region" {
  description = "The region of the job."
  type        = string
}

variable "job_name" {
  description = "The Cloud Run Job."
  type        = string
}

variable "scheduler_name" {
  description = "The schedule that starts it."
  type        = string
}

variable "bucket" {
  description = "The drift bucket."
  type        = string
}

variable "labels" {
  description = "The labels of the policies."
  type        = map(string)
}

variable "metric_prefix" {
  description = "The folder of the metrics that are made of the log, such as drift_check."
  type        = string
}

variable "email_addresses" {
  description = "Who is told by email."
  type        = set(string)
}

variable "slack_channel" {
  description = "The channel of Cloud Monitoring that tells Slack: projects/PROJECT/notificationChannels/NUMBER, made in the console; null: none."
  type        = string
}

variable "shadow" {
  description = "The policies that are evaluated and tell nobody, until fewer than 2 % of their incidents are false."
  type        = set(string)

  validation {
    condition     = length(setsubtract(var.shadow, ["job-not-succeeded", "data-drift", "low-confidence", "accuracy", "storage"])) == 0
    error_message = "Policies are job-not-succeeded, data-drift, low-confidence, accuracy and storage."
  }
}

variable "custom_metrics" {
  description = "Whether the job has published prometheus.googleapis.com/drift_check_… at least once."
  type        = bool
}

variable "max_logs_bytes" {
  description = "The bytes in the drift bucket above which there are too many."
  type        = number
  default     = 1000000000
}

variable "max_feedback_bytes" {
  description = "The bytes in Firestore above which there are too many."
  type        = number
  default     = 500000000
}

variable "runbooks" {
  description = "Where the runbooks are: an address without a final /."
  type        = string
}
