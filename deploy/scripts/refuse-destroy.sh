#!/usr/bin/env bash
# Refuses a plan that destroys, replaces or forgets anything. What is meant to go is named, one address a word, in ALLOW_DESTROY.
#
#   terraform show -json plan.out > plan.json && deploy/scripts/refuse-destroy.sh plan.json
set -euo pipefail

doomed=$(jq -er --arg allowed "${ALLOW_DESTROY:-}" '
    ($allowed | split(" ")) as $allowed
    | if .resource_changes == null and (has("format_version") | not) then error("this is no plan") else . end
    | [(.resource_changes // [])[]
        | select(.change.actions | any(. == "delete" or . == "forget"))
        | .address
        | select(IN($allowed[]) | not)]
    | join("\n")' "$1") || { echo "cannot read the plan $1" >&2; exit 1; }
if [[ -n $doomed ]]; then
    printf 'The plan destroys, replaces or forgets:\n%s\nNothing was applied. To allow it, name the addresses in ALLOW_DESTROY.\n' "$doomed" >&2
    exit 1
fi
echo "the plan destroys nothing"
