# What of the platform exists under the names that are used here, for deploy/scripts/import.sh: address → id. What does not exist
# is skipped by the script and created by the first apply. Grants and members need no import: adding what is there changes nothing.

locals {
  in_project = "projects/${var.project_id}"
  of_module  = "module.drift_check.module"

  imports = merge(
    {
      "${local.of_module}.iam.google_service_account.drift_detection" = "${local.in_project}/serviceAccounts/drift-detection@${var.project_id}.iam.gserviceaccount.com"
    },
    var.manage.bucket ? {
      "${local.of_module}.storage[0].google_storage_bucket.drift" = "${var.project_id}/${var.bucket}"
    } : {},
    var.manage.registry ? {
      "${local.of_module}.artifact_registry[0].google_artifact_registry_repository.images" = "${local.in_project}/locations/${var.region}/repositories/ct-scan-mlops"
    } : {},
    var.manage.secrets ? {
      "${local.of_module}.secret_manager[0].google_secret_manager_secret.secret[\"slack-webhook-token\"]" = "${local.in_project}/secrets/slack-webhook-token"
    } : {},
    var.manage.secrets && var.pagerduty ? {
      "${local.of_module}.secret_manager[0].google_secret_manager_secret.secret[\"pagerduty-integration-key\"]" = "${local.in_project}/secrets/pagerduty-integration-key"
    } : {},
    var.manage.workload_identity ? {
      "${local.of_module}.workload_identity[0].google_iam_workload_identity_pool.github"          = "${local.in_project}/locations/global/workloadIdentityPools/github-pool"
      "${local.of_module}.workload_identity[0].google_iam_workload_identity_pool_provider.github" = "${local.in_project}/locations/global/workloadIdentityPools/github-pool/providers/github-provider"
      "${local.of_module}.workload_identity[0].google_service_account.github_actions"             = "${local.in_project}/serviceAccounts/github-actions@${var.project_id}.iam.gserviceaccount.com"
    } : {},
    var.manage.firestore ? {
      "${local.of_module}.firestore[0].google_firestore_database.default[0]"      = "${local.in_project}/databases/(default)"
      "${local.of_module}.firestore[0].google_firestore_field.feedback_expiry[0]" = "${local.in_project}/databases/(default)/collectionGroups/feedback/fields/expireAt"
    } : {},
    var.manage.firestore ? {
      for field, id in var.existing_feedback_indexes :
      "${local.of_module}.firestore[0].google_firestore_index.feedback[\"${field}\"]" => "${local.in_project}/databases/(default)/collectionGroups/feedback/indexes/${id}" if id != null
    } : {},
    var.billing_account == null ? {} : {
      "${local.of_module}.budget[0].google_pubsub_topic.alerts" = "${local.in_project}/topics/billing-budget-alerts"
    },
    var.billing_account == null || var.existing_budget == null ? {} : {
      "${local.of_module}.budget[0].google_billing_budget.monthly" = "billingAccounts/${coalesce(var.billing_account, "none")}/budgets/${coalesce(var.existing_budget, "none")}"
    },
  )
}
