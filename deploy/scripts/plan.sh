#!/usr/bin/env bash
# Plans an environment, as a file that can be applied, as text and as JSON.
#
# In:  FOLDER (of the environment), STATE_BUCKET, STATE_PREFIX, VALUES (terraform.tfvars, no secrets), LOCK (false: take no lock)
# Out: $FOLDER/plan.tfplan, plan.txt, plan.json
set -euo pipefail

: "${FOLDER:?}" "${STATE_BUCKET:?}" "${STATE_PREFIX:?}" "${VALUES:?}"
printf '%s\n' "$VALUES" >"$FOLDER/terraform.tfvars"
terraform -chdir="$FOLDER" init -backend-config="bucket=$STATE_BUCKET" -backend-config="prefix=$STATE_PREFIX"
terraform -chdir="$FOLDER" plan -lock="${LOCK:-true}" -lock-timeout=5m -out=plan.tfplan
terraform -chdir="$FOLDER" show -no-color plan.tfplan >"$FOLDER/plan.txt"
terraform -chdir="$FOLDER" show -json plan.tfplan >"$FOLDER/plan.json"
