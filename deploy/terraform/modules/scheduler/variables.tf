variable "project_id" {
  description = "The project that the schedule is in."
  type        = string
}

variable "region" {
  description = "The region of the schedule and of the job."
  type        = string
}

variable "name" {
  description = "The name of the schedule."
  type        = string
}

variable "job_name" {
  description = "The Cloud Run Job that is run."
  type        = string
}

variable "invoker_account_id" {
  description = "The name of the identity that runs it, at most 30 characters."
  type        = string
}

variable "schedule" {
  description = "When it is run, as cron has it, in UTC."
  type        = string
}

variable "paused" {
  description = "Whether the schedule rests."
  type        = bool
}
