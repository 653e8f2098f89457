#!/usr/bin/env bash
# Brings resources that exist into the state of an environment, so that the plan comes to "No changes" instead of creating them again.
# Nothing is changed in the cloud. It can be repeated: what is in the state already is left alone.
#
#   deploy/scripts/import.sh deploy/terraform/environments/prod
#
# The list is `local.imports` of the environment (address → id, imports.tf), made of the same names as the resources; a file with such
# an object can be given in IMPORTS instead.
set -euo pipefail

environment=${1:?the folder of an environment}
imports=${IMPORTS:-}
if [[ -n $imports ]]; then
    list=$(cat "$imports")
else
    # Evaluated rather than read from an output, which only an applied state has.
    list=$(echo 'jsonencode(local.imports)' | terraform -chdir="$environment" console | jq -er 'fromjson? // .')
fi
known=$(terraform -chdir="$environment" state list)

failed=0
while IFS=$'\t' read -r address id; do
    if grep -qxF -- "$address" <<<"$known"; then
        echo "$address is in the state"
    elif said=$(terraform -chdir="$environment" import -input=false "$address" "$id" 2>&1 </dev/null); then
        echo "$address was imported"
    elif grep -qiE 'non-existent remote object|notFound|not found|Error 404' <<<"$said"; then
        echo "$address does not exist yet, and will be created"
    else
        printf '%s could not be imported:\n%s\n' "$address" "$said" >&2
        failed=1
    fi
done < <(jq -r 'to_entries | sort_by(.key)[] | [.key, .value] | @tsv' <<<"$list")
exit "$failed"
