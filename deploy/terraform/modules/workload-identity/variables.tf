variable "project_id" {
  description = "The project that the pool is in."
  type        = string
}

variable "repository" {
  description = "The repository whose workflows may ask for tokens: OWNER/NAME."
  type        = string
}

variable "pool_id" {
  description = "The name of the pool."
  type        = string
  default     = "github-pool"
}

variable "provider_id" {
  description = "The name of the provider."
  type        = string
  default     = "github-provider"
}

variable "account_id" {
  description = "The name of the identity that workflows act as."
  type        = string
}
