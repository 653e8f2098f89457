variable "project_id" {
  description = "The project that the identity is in."
  type        = string
}

variable "region" {
  description = "The region of the registry."
  type        = string
}

variable "account_id" {
  description = "The name of the identity that the job runs as."
  type        = string
}

variable "bucket" {
  description = "The drift bucket."
  type        = string
}

variable "reports_prefix" {
  description = "The folder of the bucket that the job writes to; ends in /."
  type        = string
}

variable "secret_ids" {
  description = "The secrets that the job reads."
  type        = set(string)
}

variable "repository_id" {
  description = "The registry of the images."
  type        = string
}

variable "ci_service_account" {
  description = "The address of the identity of continuous integration."
  type        = string
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
