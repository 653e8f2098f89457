variable "project_id" {
  description = "The project that the registry is in."
  type        = string
}

variable "region" {
  description = "The region of the registry."
  type        = string
}

variable "repository_id" {
  description = "The name of the registry."
  type        = string
}

variable "labels" {
  description = "The labels of the registry."
  type        = map(string)
}

variable "delete_after_days" {
  description = "The age at which images are deleted, in days."
  type        = number
  default     = 90
}

variable "keep_versions" {
  description = "How many versions of each image are kept whatever their age."
  type        = number
  default     = 5
}

variable "policy_ids" {
  description = "The names of the policies that delete and keep; those of the existing ones, where the registry is adopted."
  type        = object({ delete = string, keep = string })
}
