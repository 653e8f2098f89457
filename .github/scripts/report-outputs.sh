#!/usr/bin/env bash
# Sets the outputs of a step from a report.
#
# In:  REPORT (report.json), REPORT_URI (may be empty), GITHUB_OUTPUT
# Out: verdict, share, report
set -euo pipefail

: "${REPORT:?}" "${GITHUB_OUTPUT:?}"
# Only what a report of a known version can hold gets through, so that no line of anything else can be slipped in.
jq -er 'if .schema_version == 1 then . else error("report.json has schema_version \(.schema_version), which is not known here") end
    | .decision
    | (.verdict | if IN("drift", "inconclusive", "stable", "no-data") then . else error("unknown verdict") end) as $verdict
    | (.share | if type == "number" then . else error("the share is no number") end) as $share
    | "verdict=\($verdict)", "share=\($share)"' "$REPORT" >>"$GITHUB_OUTPUT"
uri=${REPORT_URI:-}
[[ $uri != *$'\n'* ]] || { echo "::error::REPORT_URI has a line break" >&2; exit 1; }
printf 'report=%s\n' "$uri" >>"$GITHUB_OUTPUT"
