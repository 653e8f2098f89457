#!/usr/bin/env bash
# Puts the plan of one environment into the pull request: one comment each, rewritten when the plan changes.
#
# In: PLAN (the text of `terraform show`), ENVIRONMENT, PULL_REQUEST, GH_TOKEN, GH_REPO
set -euo pipefail

: "${PLAN:?}" "${ENVIRONMENT:?}" "${PULL_REQUEST:?}" "${GH_REPO:?}"
[[ $ENVIRONMENT =~ ^[a-z]+$ && $PULL_REQUEST =~ ^[0-9]+$ ]] || { echo "::error::environment or number of another form" >&2; exit 1; }

marker="<!-- terraform-plan environment=$ENVIRONMENT -->"
body=$(mktemp)
trap 'rm -f "$body"' EXIT
# Four backticks: a plan may hold three. GitHub takes 65,536 characters.
jq -Rrs --arg marker "$marker" --arg environment "$ENVIRONMENT" '
    ([match("(?m)^(Plan: .*|No changes\\..*)$"; "g").string] | first // "Outputs only") as $line
    | (if length > 55000 then .[:55000] + "\n… cut; the log of the run has all of it." else . end) as $text
    | "\($marker)\n\n**Terraform, \($environment):** \($line)\n\n<details><summary>The plan</summary>\n\n````\n\($text)\n````\n\n</details>"
    ' "$PLAN" >"$body"

# Only comments of this workflow's own identity count: others may begin with the same line.
existing=$(gh api --paginate "repos/$GH_REPO/issues/$PULL_REQUEST/comments" |
    jq -rs --arg marker "$marker" '[.[][] | select(.user.login == "github-actions[bot]" and (.body | startswith($marker))) | .id] | first // empty')
if [[ -n $existing ]]; then
    jq -Rs '{body: .}' "$body" | gh api --method PATCH "repos/$GH_REPO/issues/comments/$existing" --input - >/dev/null
else
    jq -Rs '{body: .}' "$body" | gh api --method POST "repos/$GH_REPO/issues/$PULL_REQUEST/comments" --input - >/dev/null
fi
