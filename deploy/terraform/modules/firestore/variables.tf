variable "project_id" {
  description = "The project that the database is in."
  type        = string
}

variable "manage_database" {
  description = "Whether the database, and the retention and the indexes of the feedback, are managed here."
  type        = bool
}

variable "location" {
  description = "Where the database is; cannot be changed."
  type        = string
}

variable "ttl_collections" {
  description = "The collections of the job whose documents are deleted at the time in expireAt."
  type        = set(string)
}

variable "indexes" {
  description = "The composite indexes that the job's own queries need, by name."
  type = map(object({
    collection = string
    fields     = list(object({ path = string, order = string }))
  }))
}
