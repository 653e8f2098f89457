variable "project_id" {
  description = "The project that the secrets are in."
  type        = string
}

variable "secret_ids" {
  description = "The names of the secrets."
  type        = set(string)
}

variable "labels" {
  description = "The labels of the secrets."
  type        = map(string)
}
