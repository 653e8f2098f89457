variable "project_id" {
  description = "The project that the bucket is in."
  type        = string
}

variable "name" {
  description = "The name of the bucket."
  type        = string
}

variable "location" {
  description = "Where the bucket is: a region, or EU."
  type        = string
}

variable "labels" {
  description = "The labels of the bucket."
  type        = map(string)
}

variable "delete_after_days" {
  description = "The age at which objects are deleted, in days."
  type        = number
}

variable "delete_prefixes" {
  description = "The folders whose objects are deleted at that age; empty: all of them, the reference too."
  type        = list(string)
}

variable "public_access_prevention" {
  description = "enforced, or inherited from the organization."
  type        = string
}
