variable "project_id" {
  description = "The project whose cost is watched."
  type        = string
}

variable "billing_account" {
  description = "The billing account that pays."
  type        = string
}

variable "amount_usd" {
  description = "The budget of a month, in US dollars."
  type        = number
  default     = 500
}

variable "thresholds" {
  description = "The fractions of the budget at which people are told."
  type        = list(number)
  default     = [0.25, 0.5, 0.9, 1.0, 1.1]
}

variable "topic" {
  description = "The Pub/Sub topic that tells."
  type        = string
  default     = "billing-budget-alerts"
}

variable "labels" {
  description = "The labels of the topic."
  type        = map(string)
}
