# The database of the platform, the indexes and the retention of the users' feedback, and the retention of what the job keeps.

resource "google_firestore_database" "default" {
  count       = var.manage_database ? 1 : 0
  project     = var.project_id
  name        = "(default)"
  location_id = var.location
  type        = "FIRESTORE_NATIVE"

  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  # Out of the state is not out of the world: the platform's data stay.
  deletion_policy = "ABANDON"

  lifecycle {
    prevent_destroy = true
  }
}

# Feedback is deleted 90 days after it was given: the service writes the moment into the field.
resource "google_firestore_field" "feedback_expiry" {
  count      = var.manage_database ? 1 : 0
  project    = var.project_id
  database   = "(default)"
  collection = "feedback"
  field      = "expireAt"

  ttl_config {}

  depends_on = [google_firestore_database.default]
}

locals {
  # By their first field. The service looks feedback up by prediction; the job counts it by what was right, and averages the confidence.
  feedback_indexes = {
    prediction_id = [{ path = "prediction_id", order = "ASCENDING" }, { path = "timestamp", order = "DESCENDING" }]
    is_correct    = [{ path = "is_correct", order = "ASCENDING" }, { path = "timestamp", order = "DESCENDING" }]
    timestamp     = [{ path = "timestamp", order = "DESCENDING" }, { path = "predicted_confidence", order = "DESCENDING" }]
  }
}

resource "google_firestore_index" "feedback" {
  for_each   = var.manage_database ? local.feedback_indexes : {}
  project    = var.project_id
  database   = "(default)"
  collection = "feedback"

  dynamic "fields" {
    for_each = each.value
    content {
      field_path = fields.value.path
      order      = fields.value.order
    }
  }

  depends_on = [google_firestore_database.default]
}

# The job's own: past runs, states of signals, undelivered messages.
resource "google_firestore_field" "expiry" {
  for_each   = var.ttl_collections
  project    = var.project_id
  database   = "(default)"
  collection = each.value
  field      = "expireAt"

  ttl_config {}
  # Nothing is looked up by it, and an index over times that only grow slows writing down.
  index_config {}

  depends_on = [google_firestore_database.default]
}

resource "google_firestore_index" "own" {
  for_each   = var.indexes
  project    = var.project_id
  database   = "(default)"
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.path
      order      = fields.value.order
    }
  }

  depends_on = [google_firestore_database.default]
}
