variable "project_id" {
  description = "The project that the job is in."
  type        = string
}

variable "region" {
  description = "The region that the job runs in."
  type        = string
}

variable "name" {
  description = "The name of the job."
  type        = string
}

variable "labels" {
  description = "The labels of the job and its executions."
  type        = map(string)
}

variable "image" {
  description = "The image that the job is created with; releases change it afterwards."
  type        = string
}

variable "service_account" {
  description = "The address of the identity that the job runs as."
  type        = string
}

variable "environment" {
  description = "The variables of the container, DRIFT_CHECK__SECTION__KEY among them. Never a secret."
  type        = map(string)
}

variable "secrets" {
  description = "The secrets that the job reads: the folder under /secrets → the name in Secret Manager."
  type        = map(string)
}

variable "developers" {
  description = "Who may run the job with arguments and put images into it: a name → a member, such as serviceAccount:ADDRESS."
  type        = map(string)
}

variable "timeout_s" {
  description = "How long one attempt may take, in seconds."
  type        = number
  default     = 1800
}

variable "max_retries" {
  description = "How often a failed attempt is repeated."
  type        = number
  default     = 1
}

variable "cpu" {
  description = "CPUs of the job."
  type        = string
  default     = "1"
}

variable "memory" {
  description = "Memory of the job."
  type        = string
  default     = "512Mi"
}
